import { join } from 'node:path';
import { META_TABLE } from '../engine/checkpoint.ts';
import { pause, systemClock } from '../engine/clock.ts';
import type { Stage } from '../engine/stage.ts';
import { StoreOpenError, type Store } from '../store/port.ts';
import { moveRocksStore } from '../store/rocks/folder.ts';
import { openRocksStore } from '../store/rocks/rocks-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Config } from './config.ts';
import type { Runtime } from './runtime.ts';
import { deleteStaleStores } from './stale-stores.ts';
import { STOP_GRACE_MS } from './workers/messages.ts';

const RETRY_MS = 250;

/** Of a worker's store: `<state folder>/<prefix>-<stage>/worker-<worker>`. */
export function storePath(config: Config, stage: Stage, worker: number): string {
  return join(config.stateFolder, `${config.prefix}-${stage.name}`, `worker-${worker}`);
}

/**
 * Opens a worker's store. A process that runs alone has worker 0's, so that with another number of workers what is on disk is still used. Where another process has it, that one may be about to stop: a worker whose parent was killed does.
 * @returns undefined when it was stopped while it waited
 * @throws StoreOpenError
 */
export async function openStore(
  { config, logger }: Runtime,
  stage: Stage,
  worker: number,
  stopping: AbortSignal,
): Promise<Store | undefined> {
  const folder = join(config.stateFolder, `${config.prefix}-${stage.name}`);
  const path = storePath(config, stage, worker);
  if (worker === 0) {
    // Lull 0.1 had one process and no folders for workers.
    const done = await moveRocksStore(folder, path);
    if (done !== undefined) logger.info({ stage: stage.name }, `the store in ${folder} itself was ${done}: ${path} is used`);
  }
  const open = (): Promise<Store> =>
    openRocksStore({
      path,
      tables: [...stage.tables, META_TABLE],
      onCorrupt: (error) =>
        logger.warn({ stage: stage.name, reason: error.message }, 'the local store is deleted and restored from the changelog'),
    });
  const deadlineMs = Date.now() + config.drainMs + STOP_GRACE_MS;
  for (let isFirst = true; !stopping.aborted; isFirst = false) {
    try {
      const store = await open();
      if (worker === 0) await tidy(folder, config.workers, logger);
      return store;
    } catch (error) {
      if (!(error instanceof StoreOpenError && error.isLocked) || Date.now() > deadlineMs) throw error;
      if (isFirst) logger.warn({ stage: stage.name, reason: error.message }, 'waiting for the store');
      await pause(systemClock, RETRY_MS, stopping);
    }
  }
  return undefined;
}

/** What cannot be deleted costs disk, and is no reason not to run. */
async function tidy(folder: string, workers: number, logger: Logger): Promise<void> {
  try {
    for (const path of await deleteStaleStores(folder, workers, Date.now()))
      logger.info({}, `${path} was deleted: there is no such worker any more, and it has not been used for a day`);
  } catch (error) {
    logger.warn({ reason: String(error) }, 'stores that no worker uses could not be deleted');
  }
}
