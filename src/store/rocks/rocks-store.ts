import { mkdir } from 'node:fs/promises';
import type RocksDB from 'rocksdb-native';
import { Incarnations } from '../incarnations.ts';
import { StoreCorruptError, StoreOpenError, type PartitionStore, type Store, type StoreOptions } from '../port.ts';
import { destroyRocksStore, isMarkedDamaged, markDamaged } from './folder.ts';
import { accessError, loadError, openError } from './errors.ts';
import { partitionOf, partitionPrefix } from './keys.ts';
import { RocksPartitionStore } from './partition-store.ts';

/**
 * Opens the store in a folder, which is made where it does not exist. One process per folder: RocksDB locks it.
 *
 * A write is in the operating system's hands when its promise resolves: it survives the end of the process, also by SIGKILL, and
 * may be lost with the machine, always as the latest writes and never as half of one. That is enough for a cache of the changelog.
 *
 * @throws StoreOpenError when the folder or the native library cannot be used: one line to stop with
 * @throws StoreCorruptError when the files in it cannot be read, and there is no `onCorrupt`
 */
export async function openRocksStore(options: RocksStoreOptions): Promise<Store> {
  const { onCorrupt } = options;
  try {
    return await openFolder(options);
  } catch (error) {
    if (!(error instanceof StoreCorruptError) || onCorrupt === undefined) throw error;
    onCorrupt(error);
    await destroyRocksStore(options.path);
    return openFolder(options);
  }
}

export interface RocksStoreOptions extends StoreOptions {
  readonly path: string;
  /** Told that the files cannot be read, before they are deleted and an empty store is opened in their place: the changelog has everything. */
  readonly onCorrupt?: (error: StoreCorruptError) => void;
}

async function openFolder({ path, tables }: RocksStoreOptions): Promise<Store> {
  const Database = await loadLibrary();
  try {
    // RocksDB would make it too, but its own loop over the parents never ends where one of them cannot be made.
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new StoreOpenError(`${path}: cannot make the state folder: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const db = new Database(path, ROCKS_OPTIONS);
  try {
    await db.ready();
  } catch (error) {
    throw openError(path, error);
  }
  // Only who has the lock may judge: the one who found the damage may still be running.
  if (await isMarkedDamaged(path)) {
    await db.close();
    throw new StoreCorruptError(`${path}: the state folder was found damaged when it was last used`);
  }
  return new RocksStore(db, path, tables);
}

/** Memory is bounded for the process: two write buffers of 16 MiB and RocksDB's own block cache of 32 MiB, which holds filters and indexes too. */
const ROCKS_OPTIONS = {
  writeBufferSize: 16 * 1024 * 1024,
  maxWriteBufferNumber: 2,
  maxOpenFiles: 256,
  maxBackgroundJobs: 2,
} as const;

async function loadLibrary(): Promise<typeof RocksDB> {
  try {
    return (await import('rocksdb-native')).default;
  } catch (error) {
    throw loadError(error);
  }
}

class RocksStore implements Store {
  readonly #db: RocksDB;
  readonly #path: string;
  readonly #tables: readonly string[];
  readonly #incarnations = new Incarnations();
  #closing: Promise<void> | undefined;

  constructor(db: RocksDB, path: string, tables: readonly string[]) {
    this.#db = db;
    this.#path = path;
    this.#tables = tables;
  }

  async open(partition: number): Promise<PartitionStore> {
    return new RocksPartitionStore(this.#db, await this.#incarnations.open(partition), this.#tables, this.#failed);
  }

  partitions(): Promise<readonly number[]> {
    return this.#incarnations.run(async () => {
      const partitions: number[] = [];
      try {
        let next: number | undefined = 0;
        while (next !== undefined) {
          let found: number | undefined;
          for await (const row of this.#db.iterator({ gte: partitionPrefix(next) }, { limit: 1, values: false }))
            found = partitionOf(row.key);
          if (found !== undefined) partitions.push(found);
          next = found === undefined ? undefined : found + 1;
        }
      } catch (error) {
        throw await this.#failed(error);
      }
      return partitions;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#incarnations.close().then(() => this.#db.close());
    return this.#closing;
  }

  /** Damage stays where it is until somebody deletes the files: what this process found, the next opening must know. */
  readonly #failed = async (thrown: unknown): Promise<Error> => {
    const error = accessError(this.#path, thrown);
    if (error instanceof StoreCorruptError) await markDamaged(this.#path);
    return error;
  };
}
