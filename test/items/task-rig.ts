import { createCodec } from '../../src/avro/codec.ts';
import type { FanOut } from '../../src/avro/records.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import type { InputPosition, Output, Row } from '../../src/engine/stage.ts';
import { ItemsTask } from '../../src/items/items-task.ts';
import { silentItemsObserver } from '../../src/items/observer.ts';
import { END_TABLE, INTEREST_TABLE } from '../../src/items/tables.ts';
import type { LogRecord, OutRecord } from '../../src/log/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { VirtualClock } from '../processor/virtual-clock.ts';

export const T0 = Date.UTC(2026, 0, 5, 9, 0, 0);
export const TOPICS = { ...topicNames('lull'), state: 'lull.items-state' };
export const codec = createCodec();

/** What may happen at a commit: nothing of it is there; all of it is, and the task does not hear of it; it is, and a stop is asked for. */
export type Trouble = 'lost' | 'unheard' | 'stop';

export type Disk = 'kept' | 'empty';

class Crash extends Error {
  override readonly name = 'Crash';
}

/** One items task over one partition, by hand: a log, a changelog and a store, and a new task whenever the old one is gone. */
export class ItemsTaskRig {
  readonly log: LogRecord[] = [];
  /** What is committed, a list for each transaction. */
  readonly transactions: (readonly OutRecord[])[] = [];
  readonly #changelog: Row[] = [];
  readonly #clock = new VirtualClock(T0);
  readonly #maxRecords: number;
  /** By number of the commit, from 0. */
  readonly trouble = new Map<number, Trouble>();
  #commits = 0;
  #position: InputPosition = { offset: 0, nowMs: 0 };
  #store!: PartitionStore;
  #task!: ItemsTask;
  #stopping = new AbortController();

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  append(key: string, value: Buffer | null, timestampMs: number): void {
    this.log.push({ offset: this.log.length, timestampMs, key: Buffer.from(key), value });
  }

  interest(itemId: string, userId: string, until: number, timestampMs: number): void {
    this.append(itemId, codec.encode('lull.v1.ItemInterest', { itemId, change: 'price_changed', userId, until }), timestampMs);
  }

  change(itemId: string, eventId: string, occurredAt: number, timestampMs: number): void {
    const value = codec.encode('lull.v1.ItemChange', { itemId, eventId, type: 'price_changed', occurredAt, properties: { price: 1 } });
    this.append(itemId, value, timestampMs);
  }

  /** Begins, or begins again: with what the disk has, or with what the changelog has. */
  async start(disk: Disk = 'empty'): Promise<void> {
    if (disk === 'empty') this.#store = await createMemoryStore({ tables: [META_TABLE, INTEREST_TABLE, END_TABLE] }).open(0);
    this.#stopping = new AbortController();
    const options = { codec, topics: TOPICS, maxEventBytes: 256 * 1024, maxRecords: this.#maxRecords, observer: silentItemsObserver };
    this.#task = new ItemsTask(options, {
      ...{ partition: 0, partitions: 1, store: this.#store, clock: this.#clock },
      ...{ signal: new AbortController().signal, stopping: this.#stopping.signal, changed: () => undefined },
    });
    if (disk === 'empty') {
      // As a restore does: distinct keys a call.
      for (const row of this.#changelog) {
        const derived = this.#task.restored([row], [await this.#store.get(INTEREST_TABLE, row.key)]);
        await this.#store.write([{ table: INTEREST_TABLE, ...row }, ...derived]);
      }
    }
    await this.#task.start(this.#position);
  }

  /** Reads all of the log in batches of these sizes, in turn; whatever happens, it begins again. */
  async run(
    sizes: readonly number[],
    { wakes = true, disk = 'kept' }: { readonly wakes?: boolean; readonly disk?: Disk } = {},
  ): Promise<void> {
    for (let turn = 0; this.#position.offset < this.log.length; turn++) {
      const { offset } = this.#position;
      const records = this.log.slice(offset, offset + (sizes[turn % sizes.length] ?? 1));
      try {
        if (wakes) await this.wake();
        await this.#task.process({ records, nextOffset: offset + records.length }, this.#commit);
        if (this.#stopping.signal.aborted) await this.start(disk);
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        await this.start(disk);
      }
    }
  }

  async wake(): Promise<boolean> {
    const wakes = this.#task.nextWakeMs !== null;
    if (wakes) await this.#task.wake(this.#commit);
    return wakes;
  }

  get told(): readonly FanOut[] {
    return this.transactions.flat().flatMap(({ value }) => {
      const decoded = codec.decode(value!);
      return decoded.record === 'lull.v1.Control' && decoded.value.fanOut !== null ? [decoded.value.fanOut] : [];
    });
  }

  /** `user event`, in order. */
  get lines(): readonly string[] {
    return this.told.map(({ userId, eventId }) => `${userId} ${eventId}`);
  }

  async rows(table: string): Promise<number> {
    return (await this.#store.scan(table, { limit: 1_000_000 })).length;
  }

  readonly #commit = async ({ rows, records, derived, position }: Output): Promise<void> => {
    const trouble = this.trouble.get(this.#commits++);
    if (trouble === 'lost') throw new Crash();
    this.transactions.push(records);
    this.#changelog.push(...rows);
    this.#position = position;
    await this.#store.write([...rows.map((row) => ({ table: INTEREST_TABLE, ...row })), ...derived]);
    if (trouble === 'unheard') throw new Crash();
    if (trouble === 'stop') this.#stopping.abort();
  };
}
