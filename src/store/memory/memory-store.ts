import { Incarnations, type Incarnation } from '../incarnations.ts';
import type { PartitionStore, ScanRange, Store, StoreOp, StoreOptions } from '../port.ts';
import { SortedRows } from './sorted-rows.ts';

/** The store's twin without a disk, for tests, scenarios and backtests. Rows live until the process ends or the partition is wiped. */
export function createMemoryStore(options: StoreOptions): Store {
  return new MemoryStore(options.tables);
}

type Tables = ReadonlyMap<string, SortedRows>;

class MemoryStore implements Store {
  readonly #tables: readonly string[];
  readonly #partitions = new Map<number, Tables>();
  readonly #incarnations = new Incarnations();

  constructor(tables: readonly string[]) {
    this.#tables = tables;
  }

  async open(partition: number): Promise<PartitionStore> {
    const incarnation = await this.#incarnations.open(partition);
    let tables = this.#partitions.get(partition);
    if (tables === undefined) {
      tables = new Map(this.#tables.map((table) => [table, new SortedRows()]));
      this.#partitions.set(partition, tables);
    }
    return new MemoryPartitionStore(incarnation, tables);
  }

  partitions(): Promise<readonly number[]> {
    return this.#incarnations.run(() => {
      const holding = [...this.#partitions].filter(([, tables]) => [...tables.values()].some((rows) => rows.size > 0));
      return holding.map(([partition]) => partition).sort((a, b) => a - b);
    });
  }

  close(): Promise<void> {
    return this.#incarnations.close();
  }
}

class MemoryPartitionStore implements PartitionStore {
  readonly partition: number;
  readonly #incarnation: Incarnation;
  readonly #tables: Tables;

  constructor(incarnation: Incarnation, tables: Tables) {
    this.partition = incarnation.partition;
    this.#incarnation = incarnation;
    this.#tables = tables;
  }

  get(table: string, key: Buffer): Promise<Buffer | null> {
    return this.#incarnation.run(() => this.#rows(table).get(key));
  }

  getMany(table: string, keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    return this.#incarnation.run(() => {
      const rows = this.#rows(table);
      return keys.map((key) => rows.get(key));
    });
  }

  scan(table: string, range: ScanRange): Promise<{ readonly key: Buffer; readonly value: Buffer }[]> {
    return this.#incarnation.run(() => this.#rows(table).scan(range));
  }

  write(ops: readonly StoreOp[]): Promise<void> {
    return this.#incarnation.run(() => {
      // Every table is looked up before the first row changes: an unknown one must leave nothing behind.
      const targets = ops.map((op) => this.#rows(op.table));
      for (const [index, op] of ops.entries()) {
        if (op.value === null) targets[index]?.delete(op.key);
        else targets[index]?.set(op.key, op.value);
      }
    });
  }

  wipe(): Promise<void> {
    return this.#incarnation.run(() => {
      for (const rows of this.#tables.values()) rows.clear();
    });
  }

  close(): Promise<void> {
    return this.#incarnation.close();
  }

  #rows(table: string): SortedRows {
    const rows = this.#tables.get(table);
    if (rows === undefined) throw new Error(`store: no table "${table}" (this store has ${[...this.#tables.keys()].join(', ')})`);
    return rows;
  }
}
