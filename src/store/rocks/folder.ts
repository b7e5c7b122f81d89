import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const DAMAGED = 'LULL-DAMAGED';
/** What RocksDB and this adapter put into a folder, and nothing else: somebody may have pointed Lull at a folder with more in it. */
const OURS =
  /^(CURRENT|IDENTITY|LOCK|SESSION_ID|LULL-DAMAGED|LOG(\.old\.\d+)?|MANIFEST-\d+|OPTIONS-\d+(\.dbtmp)?|\d+\.(sst|log|blob|dbtmp))$/;

/** Deletes a store that is not open. For one that could not be read: the changelog has everything in it. */
export async function destroyRocksStore(path: string): Promise<void> {
  const files = (await readdir(path)).filter((name) => OURS.test(name));
  // The mark goes last: a deletion that was cut short must not leave something that looks whole.
  const ordered = [...files.filter((name) => name !== DAMAGED), ...files.filter((name) => name === DAMAGED)];
  for (const name of ordered) await rm(join(path, name), { force: true });
}

/** The file without which a folder is no store. */
const CURRENT = 'CURRENT';

/**
 * Moves a store that is not open to another folder of the same disk. Cut short, it is finished by the next call. Where the other folder has a store, that one stays,
 * and this one is deleted: it is the older of two copies of what the changelog has.
 * @returns what was done; undefined where there was no store
 */
export async function moveRocksStore(from: string, to: string): Promise<'moved' | 'deleted' | undefined> {
  const files = await filesOf(from);
  if (!files.includes(CURRENT)) return undefined;
  if ((await filesOf(to)).includes(CURRENT)) {
    await destroyRocksStore(from);
    return 'deleted';
  }
  await mkdir(to, { recursive: true });
  // Last, what makes it one: until then it is where it was.
  for (const name of [...files.filter((file) => file !== CURRENT && OURS.test(file)), CURRENT])
    await rename(join(from, name), join(to, name));
  return 'moved';
}

async function filesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

export async function markDamaged(path: string): Promise<void> {
  await writeFile(join(path, DAMAGED), 'RocksDB could not read its files. Lull deletes this store and restores it from the changelog.\n');
}

export async function isMarkedDamaged(path: string): Promise<boolean> {
  try {
    await stat(join(path, DAMAGED));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
