import { join } from 'node:path';
import { META_TABLE } from '../engine/checkpoint.ts';
import { systemClock } from '../engine/clock.ts';
import type { Stage } from '../engine/stage.ts';
import { Worker } from '../engine/worker.ts';
import { openRocksStore } from '../store/rocks/rocks-store.ts';
import { engineObserver } from './observers.ts';
import type { Runtime } from './runtime.ts';

/**
 * Runs a stage in this process until the signal (graceful) or a fatal error, with which it rejects. Its store is
 * `<state folder>/<prefix>-<stage>/worker-<worker>`: a process that runs alone has worker 0's, so that with another number of workers what is on disk
 * is still used.
 */
export async function runStage(runtime: Runtime, stage: Stage, signal: AbortSignal, worker = 0): Promise<void> {
  const { config, log, logger, metrics, health } = runtime;
  const store = await openRocksStore({
    path: join(config.stateFolder, `${config.prefix}-${stage.name}`, `worker-${worker}`),
    tables: [...stage.tables, META_TABLE],
    onCorrupt: (error) =>
      logger.warn({ stage: stage.name, reason: error.message }, 'the local store is deleted and restored from the changelog'),
  });
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
