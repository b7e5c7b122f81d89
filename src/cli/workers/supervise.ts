import { createLogger, stderrLines } from '../../telemetry/logger.ts';
import { createSupervisorMetrics } from '../../telemetry/metrics.ts';
import { serveTelemetry } from '../../telemetry/server.ts';
import type { Config } from '../config.ts';
import { stopSignal } from '../context.ts';
import { Supervisor } from './supervisor.ts';
import { SupervisedHealth, SupervisedMetrics } from './telemetry.ts';

/**
 * Runs this command line again in `workers` processes, and serves their metrics and health as one.
 * @throws what ended them; see Supervisor
 */
export async function supervise(config: Config): Promise<void> {
  const lines = stderrLines();
  const logger = createLogger({ level: config.logLevel, to: lines }).child({ app: config.prefix });
  const own = createSupervisorMetrics({ prefix: config.prefix });
  const stopping = stopSignal();
  const supervisor = new Supervisor({
    ...{ workers: config.workers, drainMs: config.drainMs, logger, metrics: own.metrics },
    onLine(worker, line) {
      if (/^\{.*\}$/.test(line)) lines.write(`${line}\n`);
      // Not a log line, or half of one: Node's or a library's last word.
      else logger.error({ worker }, line);
    },
    onEnd: (worker) => metrics.ended(worker),
  });
  const places = () => supervisor.places;
  const metrics = new SupervisedMetrics(own, places);
  const telemetry = await serveTelemetry({ host: config.httpHost, port: config.httpPort, metrics, health: new SupervisedHealth(places) });
  try {
    void supervisor.checked.then((checked) => {
      if (checked !== undefined) logger.info({ url: telemetry.url }, "all workers' metrics, liveness and readiness are served");
    });
    await supervisor.run(stopping);
    logger.info({}, 'all workers have stopped');
  } finally {
    await telemetry.close();
  }
}
