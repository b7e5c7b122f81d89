/** What Lull uses of `rocksdb-native`, which ships no types. */
declare module 'rocksdb-native' {
  namespace RocksDB {
    interface Options {
      readonly maxBackgroundJobs?: number;
      readonly maxOpenFiles?: number;
      readonly writeBufferSize?: number;
      readonly maxWriteBufferNumber?: number;
    }

    interface ReadBatch {
      get(key: Buffer): Promise<Buffer | null>;
      tryFlush(): void;
    }

    interface WriteBatch {
      tryPut(key: Buffer, value: Buffer): void;
      tryDelete(key: Buffer): void;
      tryDeleteRange(start: Buffer, end: Buffer): void;
      /** Rejects with "Batch was not applied", the reason being its `cause`. */
      flush(): Promise<void>;
      destroy(): void;
    }

    interface Range {
      readonly gte: Buffer;
      readonly lt?: Buffer;
    }

    interface Entry {
      readonly key: Buffer;
      readonly value: Buffer;
    }
  }

  class RocksDB {
    constructor(path: string, options?: RocksDB.Options);
    ready(): Promise<void>;
    close(): Promise<void>;
    get(key: Buffer): Promise<Buffer | null>;
    read(options?: { readonly capacity?: number; readonly autoDestroy?: boolean }): RocksDB.ReadBatch;
    write(options?: { readonly capacity?: number; readonly autoDestroy?: boolean }): RocksDB.WriteBatch;
    iterator(
      range: RocksDB.Range,
      options?: { readonly limit?: number; readonly capacity?: number; readonly values?: boolean },
    ): AsyncIterable<RocksDB.Entry>;
  }

  export = RocksDB;
}
