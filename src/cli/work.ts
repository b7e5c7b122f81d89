import { createLogger } from '../telemetry/logger.ts';
import { serveTelemetry } from '../telemetry/server.ts';
import type { Config } from './config.ts';
import { stopSignal } from './context.ts';
import { logFatal, markLogged } from './final-error.ts';
import { runStage } from './run-stage.ts';
import { openRuntime } from './runtime.ts';
import type { Service } from './service.ts';
import type { ParentLink } from './workers/parent-link.ts';

/** Runs the service in this process until a signal, or its parent, stops it. A worker leaves the endpoint, and the last word, to its parent. */
export async function work(config: Config, service: Service, parent: ParentLink | undefined): Promise<void> {
  const stopping = parent?.stopping ?? stopSignal();
  const logger = createLogger({ level: config.logLevel }).child({ app: config.prefix, ...(parent && { worker: parent.index }) });
  try {
    const runtime = await openRuntime(config, logger);
    try {
      const { metrics, health, partitions } = runtime;
      if (parent !== undefined) {
        parent.open({ metrics, health }, config.drainMs);
        parent.checked({ partitions, fingerprint: service.fingerprint });
        await runStage(runtime, service.stage(runtime), stopping, parent.index);
        return;
      }
      const telemetry = await serveTelemetry({ host: config.httpHost, port: config.httpPort, metrics, health });
      logger.info({ url: telemetry.url }, 'metrics, liveness and readiness are served');
      try {
        await runStage(runtime, service.stage(runtime), stopping);
      } finally {
        await telemetry.close();
      }
    } finally {
      await runtime.close();
    }
  } catch (error) {
    if (parent === undefined) logFatal(logger, error);
    else markLogged(error);
    throw error;
  } finally {
    await service.close?.();
  }
}
