import type RocksDB from 'rocksdb-native';
import type { Incarnation } from '../incarnations.ts';
import type { PartitionStore, ScanRange, StoreOp } from '../port.ts';
import { behind, partitionPrefix, tablePrefix } from './keys.ts';

/** Rows that one read of an iterator brings back from RocksDB's thread. */
const ROWS_PER_READ = 1024;
/** Keys that one read batch asks for. Every value is an allocation outside of the heap until it is collected: more at once only costs memory. */
const KEYS_PER_READ = 4096;

export class RocksPartitionStore implements PartitionStore {
  readonly partition: number;
  readonly #db: RocksDB;
  readonly #incarnation: Incarnation;
  readonly #prefixes: ReadonlyMap<string, Buffer>;
  readonly #failed: (thrown: unknown) => Promise<Error>;

  constructor(db: RocksDB, incarnation: Incarnation, tables: readonly string[], failed: (thrown: unknown) => Promise<Error>) {
    this.partition = incarnation.partition;
    this.#db = db;
    this.#incarnation = incarnation;
    this.#prefixes = new Map(tables.map((table) => [table, tablePrefix(incarnation.partition, table)]));
    this.#failed = failed;
  }

  get(table: string, key: Buffer): Promise<Buffer | null> {
    return this.#run(() => this.#db.get(rowKey(this.#prefix(table), key)));
  }

  getMany(table: string, keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    return this.#run(async () => {
      const prefix = this.#prefix(table);
      const values: (Buffer | null)[] = [];
      for (let from = 0; from < keys.length; from += KEYS_PER_READ) {
        const part = keys.slice(from, from + KEYS_PER_READ);
        const batch = this.#db.read({ capacity: part.length, autoDestroy: true });
        const reads = part.map((key) => batch.get(rowKey(prefix, key)));
        batch.tryFlush();
        for (const value of await Promise.all(reads)) values.push(value);
      }
      return values;
    });
  }

  scan(table: string, range: ScanRange): Promise<{ readonly key: Buffer; readonly value: Buffer }[]> {
    return this.#run(async () => {
      const prefix = this.#prefix(table);
      const gte = range.gte === undefined ? prefix : rowKey(prefix, range.gte);
      const lt = range.lt === undefined ? behind(prefix) : rowKey(prefix, range.lt);
      const rows: { key: Buffer; value: Buffer }[] = [];
      if (range.limit <= 0 || Buffer.compare(gte, lt) >= 0) return rows;
      // One more than the limit: a read that brings less than was asked for is the last, which saves a round to RocksDB's thread.
      const capacity = Math.min(range.limit + 1, ROWS_PER_READ);
      for await (const row of this.#db.iterator({ gte, lt }, { limit: range.limit, capacity })) {
        rows.push({ key: row.key.subarray(prefix.length), value: row.value });
      }
      return rows;
    });
  }

  write(ops: readonly StoreOp[]): Promise<void> {
    return this.#run(async () => {
      if (ops.length === 0) return;
      // Keys first: an unknown table throws before there is a batch to give back.
      const keys = ops.map((op) => rowKey(this.#prefix(op.table), op.key));
      const batch = this.#db.write({ capacity: ops.length, autoDestroy: true });
      for (const [index, key] of keys.entries()) {
        const value = ops[index]?.value ?? null;
        if (value === null) batch.tryDelete(key);
        else batch.tryPut(key, value);
      }
      await batch.flush();
    });
  }

  wipe(): Promise<void> {
    return this.#run(async () => {
      const batch = this.#db.write({ capacity: 1, autoDestroy: true });
      batch.tryDeleteRange(partitionPrefix(this.partition), partitionPrefix(this.partition + 1));
      await batch.flush();
    });
  }

  close(): Promise<void> {
    return this.#incarnation.close();
  }

  #run<T>(call: () => Promise<T>): Promise<T> {
    return this.#incarnation.run(async () => {
      try {
        return await call();
      } catch (error) {
        if (error instanceof UnknownTableError) throw error;
        throw await this.#failed(error);
      }
    });
  }

  #prefix(table: string): Buffer {
    const prefix = this.#prefixes.get(table);
    if (prefix === undefined)
      throw new UnknownTableError(`store: no table "${table}" (this store has ${[...this.#prefixes.keys()].join(', ')})`);
    return prefix;
  }
}

class UnknownTableError extends Error {
  override readonly name = 'UnknownTableError';
}

function rowKey(prefix: Buffer, key: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(prefix.length + key.length);
  prefix.copy(whole);
  key.copy(whole, prefix.length);
  return whole;
}
