import { systemClock } from '../engine/clock.ts';
import type { EngineObserver } from '../engine/observer.ts';
import type { Stage } from '../engine/stage.ts';
import { Worker } from '../engine/worker.ts';
import { StoreCorruptError, type Store } from '../store/port.ts';
import { MemberIdFile } from './member-id.ts';
import { engineObserver } from './observers.ts';
import type { Runtime } from './runtime.ts';
import { openStore, storePath } from './store.ts';

/** Damage of the local store within an hour that is mended by starting over with an empty one: more of it is the disk. */
const MAX_REBUILDS = 3;
const REBUILDS_WITHIN_MS = 3_600_000;

/** Runs several stages side by side, as `runStage` does each. The first that ends by an error ends the others, gracefully; it rejects with that error. */
export async function runStages(runtime: Runtime, stages: readonly Stage[], signal: AbortSignal, worker = 0): Promise<void> {
  const failed = new AbortController();
  const errors: unknown[] = [];
  const stopping = AbortSignal.any([signal, failed.signal]);
  const runs = stages.map(async (stage) => {
    try {
      await runStage(runtime, stage, stopping, worker);
    } catch (error) {
      errors.push(error);
      failed.abort();
    }
  });
  await Promise.all(runs);
  if (errors.length > 0) throw errors[0];
}

/** Runs a stage in this process, as this worker, until the signal (graceful) or a fatal error, with which it rejects. */
export async function runStage(runtime: Runtime, stage: Stage, signal: AbortSignal, worker = 0): Promise<void> {
  const { metrics, logger, health } = runtime;
  const observer = engineObserver(stage.name, metrics.metrics, logger, health);
  let damagedAtMs: number[] = [];
  for (;;) {
    const store = await openStore(runtime, stage, worker, signal);
    if (store === undefined) return;
    try {
      health.started();
      await runMember({ runtime, stage, store, observer, worker }, signal);
      logger.info({ stage: stage.name }, 'stopped');
      return;
    } catch (error) {
      if (!(error instanceof StoreCorruptError)) throw error;
      const nowMs = Date.now();
      damagedAtMs = [...damagedAtMs.filter((atMs) => nowMs - atMs < REBUILDS_WITHIN_MS), nowMs];
      if (damagedAtMs.length > MAX_REBUILDS) throw error;
      // What it found, the next opening knows: the store is deleted there.
      logger.warn({ stage: stage.name, reason: error.message }, 'the local store is closed, to start over');
    } finally {
      await store.close();
    }
  }
}

interface Member {
  readonly runtime: Runtime;
  readonly stage: Stage;
  readonly store: Store;
  readonly observer: EngineObserver;
  readonly worker: number;
}

async function runMember({ runtime, stage, store, observer, worker }: Member, signal: AbortSignal): Promise<void> {
  const { config, log, logger } = runtime;
  const memberIds = new MemberIdFile(storePath(config, stage, worker));
  const predecessor = memberIds.read();
  const member = new Worker({
    ...{ stage, log, store, prefix: config.prefix, clock: systemClock, observer },
    transactionTimeoutMs: config.transactionTimeoutMs,
    sessionTimeoutMs: config.sessionTimeoutMs,
    fetchMaxBytes: config.fetchMaxBytes,
    drainMs: config.drainMs,
    standbys: config.standbys,
    ...(predecessor === undefined ? {} : { predecessor }),
    onMemberId(memberId) {
      try {
        memberIds.write(memberId);
      } catch (error) {
        logger.warn(
          { stage: stage.name, reason: String(error) },
          'the id in the group could not be kept: after a crash the group waits for the session timeout',
        );
      }
    },
  });
  await member.run(signal);
}
