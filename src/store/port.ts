/**
 * The store port: one store per process, a table per kind of row, keys local to a partition. It is a cache of the changelog and may be lost.
 * `rocks/` is the adapter, `memory/` the twin; `test/conformance/store.ts` holds both to this contract.
 */
export interface StoreOp {
  readonly table: string;
  readonly key: Buffer;
  /** null deletes. */
  readonly value: Buffer | null;
}

export interface ScanRange {
  /** Inclusive lower bound; default the first key. */
  readonly gte?: Buffer;
  /** Exclusive upper bound; default behind the last key. */
  readonly lt?: Buffer;
  readonly limit: number;
}

/** One partition's rows, open for one incarnation of its task. */
export interface PartitionStore {
  readonly partition: number;
  get(table: string, key: Buffer): Promise<Buffer | null>;
  /** In the order of `keys`. */
  getMany(table: string, keys: readonly Buffer[]): Promise<(Buffer | null)[]>;
  /** In ascending byte order of the keys. */
  scan(table: string, range: ScanRange): Promise<{ readonly key: Buffer; readonly value: Buffer }[]>;
  /**
   * All or nothing.
   * @throws StaleStoreError once this incarnation is closed: a slow write of a former owner never lands
   */
  write(ops: readonly StoreOp[]): Promise<void>;
  /** Deletes every row of the partition, in every table. */
  wipe(): Promise<void>;
  /** Waits for the write in flight. Idempotent. */
  close(): Promise<void>;
}

export interface Store {
  /** Opens a partition; waits until its last incarnation has closed. */
  open(partition: number): Promise<PartitionStore>;
  /** Partitions that have rows on this disk. */
  partitions(): Promise<readonly number[]>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Column families; a name not listed here cannot be read or written. */
  readonly tables: readonly string[];
}

/** The partition was closed, or opened again since. */
export class StaleStoreError extends Error {
  override readonly name = 'StaleStoreError';
}

/** What is on disk cannot be read (corruption, another version): wipe and restore. */
export class StoreCorruptError extends Error {
  override readonly name = 'StoreCorruptError';
}

/** The folder or the native library cannot be used (another process has the folder, no permission, a missing library): stop with this one line. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError';
  /** Another process has the folder: it may be about to end. */
  readonly isLocked: boolean;

  constructor(message: string, { isLocked = false, ...options }: ErrorOptions & { readonly isLocked?: boolean } = {}) {
    super(message, options);
    this.isLocked = isLocked;
  }
}
