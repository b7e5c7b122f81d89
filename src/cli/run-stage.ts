import { systemClock } from '../engine/clock.ts';
import type { Stage } from '../engine/stage.ts';
import { Worker } from '../engine/worker.ts';
import { engineObserver } from './observers.ts';
import type { Runtime } from './runtime.ts';
import { openStore } from './store.ts';

/** Runs a stage in this process, as this worker, until the signal (graceful) or a fatal error, with which it rejects. */
export async function runStage(runtime: Runtime, stage: Stage, signal: AbortSignal, worker = 0): Promise<void> {
  const { config, log, logger, metrics, health } = runtime;
  const store = await openStore(runtime, stage, worker, signal);
  if (store === undefined) return;
  try {
    const member = new Worker({
      ...{ stage, log, store, prefix: config.prefix, clock: systemClock },
      observer: engineObserver(stage.name, metrics.metrics, logger, health),
      transactionTimeoutMs: config.transactionTimeoutMs,
      sessionTimeoutMs: config.sessionTimeoutMs,
      fetchMaxBytes: config.fetchMaxBytes,
      drainMs: config.drainMs,
    });
    health.started();
    await member.run(signal);
    logger.info({ stage: stage.name }, 'stopped');
  } finally {
    await store.close();
  }
}
