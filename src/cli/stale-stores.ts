import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { destroyRocksStore } from '../store/rocks/folder.ts';

/** As for partitions that have been elsewhere for a day: what has changed since then costs about as much as a restore. */
const STALE_AFTER_MS = 24 * 3_600_000;

/**
 * Deletes the stores of workers that there no longer are: `worker-<i>` in the folder, from `workers` on, that nobody has written to for a day. Fewer workers than yesterday must not cost
 * the disk of all that there ever were.
 * @returns what was deleted
 */
export async function deleteStaleStores(folder: string, workers: number, nowMs: number): Promise<string[]> {
  const deleted: string[] = [];
  for (const name of await readdir(folder)) {
    const [, index] = /^worker-(\d+)$/.exec(name) ?? [];
    const path = join(folder, name);
    if (index === undefined || Number(index) < workers || nowMs - (await lastWriteMs(path)) < STALE_AFTER_MS) continue;
    await destroyRocksStore(path);
    await rm(`${path}.member`, { force: true });
    if ((await readdir(path)).length === 0) await rmdir(path);
    deleted.push(path);
  }
  return deleted;
}

/** RocksDB writes to its log while it is open, also when nobody else does. */
async function lastWriteMs(path: string): Promise<number> {
  const times = await Promise.all((await readdir(path)).map(async (name) => (await stat(join(path, name))).mtimeMs));
  return Math.max(0, ...times);
}
