import type { Stage } from '../engine/stage.ts';
import { createLogger } from '../telemetry/logger.ts';
import { serveTelemetry } from '../telemetry/server.ts';
import type { Config } from './config.ts';
import { stopSignal } from './context.ts';
import { logFatal, markLogged } from './final-error.ts';
import { runStages } from './run-stage.ts';
import { openRuntime, type Runtime } from './runtime.ts';
import type { Service } from './service.ts';
import type { ParentLink } from './workers/parent-link.ts';

/** Runs the service in this process until a signal, or its parent, stops it. A worker leaves the endpoint, and the last word, to its parent. */
export async function work(config: Config, service: Service, parent: ParentLink | undefined): Promise<void> {
  const stopping = parent?.stopping ?? stopSignal();
  const logger = createLogger({ level: config.logLevel }).child({ app: config.prefix, ...(parent && { worker: parent.index }) });
  try {
    const runtime = await openRuntime(config, logger, service.sources);
    try {
      const { metrics, health } = runtime;
      const stages = await service.stages(runtime);
      if (parent !== undefined) {
        parent.open({ metrics, health }, config.drainMs);
        parent.checked({ partitions: await mostPartitions(runtime, stages), fingerprint: service.fingerprint });
        await runStages(runtime, stages, stopping, parent.index);
        return;
      }
      const telemetry = await serveTelemetry({ host: config.httpHost, port: config.httpPort, metrics, health });
      logger.info({ url: telemetry.url }, 'metrics, liveness and readiness are served');
      try {
        await runStages(runtime, stages, stopping);
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

/** More workers than that have nothing to do. */
async function mostPartitions({ log }: Runtime, stages: readonly Stage[]): Promise<number> {
  const counts = await Promise.all(stages.map(({ inputTopic }) => log.admin.partitions(inputTopic)));
  return Math.max(1, ...counts.map((count) => count ?? 0));
}
