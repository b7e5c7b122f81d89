import type { Codec } from '../avro/codec.ts';
import type { ItemInterest } from '../avro/records.ts';
import { FatalError, StateLostError, toError } from '../engine/errors.ts';
import type { Commit, InputPosition, Row, StageTask, TaskContext } from '../engine/stage.ts';
import type { LogRecord, LogRecords } from '../log/port.ts';
import type { StoreOp } from '../store/port.ts';
import { readItemRecord, type ItemInput } from './input.ts';
import { Interests, untilOf } from './interests.ts';
import type { ItemsObserver } from './observer.ts';
import { Outbox, type ItemsTopics, type Told } from './outbox.ts';
import { CURSOR_KEY, decodeCursor, decodeUntil, encodeCursor, endKey, parseEndKey, prefixOf, type Cursor } from './row.ts';
import { END_TABLE, endOps, INTEREST_TABLE } from './tables.ts';

/**
 * Interest is kept for so long after its end: a change may be appended later than it happened. It is part of what a change means, not only of when rows are deleted: whom a
 * change finds must not hang on how soon that was.
 */
export const LATE_MS = 3_600_000;
/** Records that are looked at at once. */
const AT_ONCE = 5_000;
/** Rows that a transaction changes at most, about. */
const MAX_ROWS = 15_000;

export interface ItemsTaskOptions {
  readonly codec: Codec;
  readonly topics: ItemsTopics;
  readonly maxEventBytes: number;
  /** A transaction writes at most so many. */
  readonly maxRecords: number;
  readonly observer: ItemsObserver;
}

/**
 * One partition of the items: who is interested in which change of which item, and telling them.
 *
 * - Order is the promise: a change finds exactly those whose interest stands before it in the log, and is told before anything behind it is read. So each user has an item's
 *   changes in their order.
 * - A change that many want takes several transactions. Until the last of them the position stays at the change, and a cursor says whom it has reached: who comes back goes on
 *   behind that. The last one moves the position on and deletes the cursor.
 * - `now` is the largest append time seen, never the wall clock, which only wakes. A row is there, for whoever asks, until `LATE_MS` after its end; deleting it later
 *   changes nothing.
 */
export class ItemsTask implements StageTask {
  readonly #options: ItemsTaskOptions;
  readonly #context: TaskContext;
  readonly #interests: Interests;
  readonly #outbox: Outbox;
  #nowMs = 0;
  /** Of the last commit. */
  #offset = 0;
  #cursor: Cursor | null = null;
  /** No row ends before this. */
  #firstEndMs = Infinity;
  /** Not before this, by the wall clock: half of the time is for what comes in. */
  #wakeMs = 0;

  constructor(options: ItemsTaskOptions, context: TaskContext) {
    this.#options = options;
    this.#context = context;
    this.#interests = new Interests(context.store);
    this.#outbox = new Outbox(options, context);
  }

  restored(rows: readonly Row[], previous: readonly (Buffer | null)[]): readonly StoreOp[] {
    return rows.flatMap(({ key, value }, i) => {
      if (key.equals(CURSOR_KEY)) return [];
      const before = previous[i] ?? null;
      const beforeMs = before === null ? null : untilOf(before);
      try {
        return endOps(key, beforeMs, value === null ? null : decodeUntil(value));
      } catch (cause) {
        const { topics } = this.#options;
        throw new FatalError(`${topics.state}-${this.#context.partition} has ${toError(cause).message}`, { cause });
      }
    });
  }

  async start({ offset, nowMs }: InputPosition): Promise<void> {
    this.#offset = offset;
    this.#nowMs = nowMs;
    const cursor = await this.#context.store.get(INTEREST_TABLE, CURSOR_KEY);
    this.#cursor = cursor === null ? null : cursorOf(cursor);
    this.#firstEndMs = await this.#readFirstEnd();
  }

  async process({ records, nextOffset }: { readonly records: LogRecords; readonly nextOffset: number }, commit: Commit): Promise<void> {
    await this.#options.codec.prepare(records.map(({ value }) => value));
    for (let from = 0; from < records.length; from += AT_ONCE) {
      if (!(await this.#take(records.slice(from, from + AT_ONCE), commit))) return;
    }
    await this.#commit(commit, nextOffset);
    this.#interests.forget();
  }

  get nextWakeMs(): number | null {
    return this.#firstEndMs + LATE_MS <= this.#nowMs ? this.#wakeMs : null;
  }

  /** Deletes some of the rows that nobody can ask for any more. */
  async wake(commit: Commit): Promise<void> {
    const { clock, store } = this.#context;
    const beganMs = clock.nowMs();
    const range = { lt: endKey(this.#nowMs - LATE_MS + 1, Buffer.alloc(0)), limit: this.#options.maxRecords };
    const ends = (await store.scan(END_TABLE, range)).map(({ key }) => parseEndKey(key));
    if (ends.length > 0) {
      const rows = ends.map(({ rowKey }) => ({ key: rowKey, value: null }));
      const derived = ends.flatMap(({ rowKey, untilMs }) => endOps(rowKey, untilMs, null));
      await commit({ rows, derived, records: [], position: { offset: this.#offset, nowMs: this.#nowMs } });
      this.#options.observer.expired(ends.length);
    }
    this.#firstEndMs = await this.#readFirstEnd();
    this.#wakeMs = clock.nowMs() + Math.max(0, clock.nowMs() - beganMs);
  }

  stop(): Promise<void> {
    // Nothing is ever in flight between two batches.
    return Promise.resolve();
  }

  close(): void {
    this.#outbox.clear();
    this.#interests.forget();
  }

  /** False when it ended early, to stop. */
  async #take(records: readonly LogRecord[], commit: Commit): Promise<boolean> {
    const { partition, partitions } = this.#context;
    const inputs = records.map((record) => readItemRecord(record, { ...this.#options, partition, partitions }));
    const rows = inputs.map((input) => (input.kind === 'interest' ? rowOf(input.interest) : null));
    await this.#interests.load(rows.filter((row) => row !== null));
    for (const [i, record] of records.entries()) {
      if (this.#outbox.isFull || this.#interests.changedCount >= MAX_ROWS) await this.#commit(commit, record.offset);
      this.#nowMs = Math.max(this.#nowMs, record.timestampMs);
      const input: ItemInput = inputs[i]!;
      if (input.kind === 'interest') this.#keep(input.interest, rows[i]!.key);
      else if (input.kind === 'elsewhere') this.#outbox.forward(record, input.partition);
      else if (input.kind === 'refused') this.#outbox.refuse(record, input.refusal);
      else {
        // Nothing happens after it was said.
        const change = { ...input.change, occurredAt: Math.min(input.change.occurredAt, record.timestampMs) };
        if (!(await this.#tell({ change, record }, commit))) return false;
      }
    }
    return true;
  }

  #keep({ until }: ItemInterest, key: Buffer): void {
    this.#interests.set(key, this.#isKept(until) ? until : null);
    this.#outbox.interests++;
  }

  #isKept(untilMs: number): boolean {
    return untilMs > 0 && untilMs + LATE_MS > this.#nowMs;
  }

  /** Tells everybody who is interested, in as many transactions as it takes; false when it ended early, to stop. */
  async #tell(told: Told, commit: Commit): Promise<boolean> {
    const { change, record } = told;
    const prefix = prefixOf(change.itemId, change.type);
    const most = this.#outbox.mostOf(told);
    let after = this.#cursor?.offset === record.offset ? this.#cursor.after : null;
    for (;;) {
      if (this.#context.stopping?.aborted === true) {
        await this.#commit(commit, record.offset, after);
        return false;
      }
      const page = await this.#interests.page(prefix, after, most);
      if (page === undefined) {
        await this.#commit(commit, record.offset, after);
        continue;
      }
      const interested = page.rows.filter(({ untilMs }) => untilMs > change.occurredAt && this.#isKept(untilMs));
      if (!this.#outbox.hasRoom(told, interested.length)) await this.#commit(commit, record.offset, after);
      this.#outbox.tell(told, interested, prefix.length);
      if (page.last === null) break;
      after = page.last;
    }
    this.#outbox.done(told);
    return true;
  }

  /** The position is at `offset`; of the change there, everybody up to `after` has been told. */
  async #commit(commit: Commit, offset: number, after: Buffer | null = null): Promise<void> {
    const { rows, derived, firstEndMs } = this.#interests.output;
    const cursor = after === null ? null : { offset, after };
    if (cursor !== null) rows.push({ key: CURSOR_KEY, value: encodeCursor(cursor) });
    else if (this.#cursor !== null) rows.push({ key: CURSOR_KEY, value: null });
    await commit({ rows, derived, records: this.#outbox.records, position: { offset, nowMs: this.#nowMs } });
    this.#cursor = cursor;
    this.#offset = offset;
    this.#firstEndMs = Math.min(this.#firstEndMs, firstEndMs);
    this.#interests.committed();
    this.#outbox.committed(this.#options.observer, this.#context.clock.nowMs());
  }

  async #readFirstEnd(): Promise<number> {
    const [first] = await this.#context.store.scan(END_TABLE, { limit: 1 });
    return first === undefined ? Infinity : parseEndKey(first.key).untilMs;
  }
}

function rowOf({ itemId, change, userId }: ItemInterest): { readonly prefix: Buffer; readonly key: Buffer } {
  const prefix = prefixOf(itemId, change);
  return { prefix, key: Buffer.concat([prefix, Buffer.from(userId)]) };
}

function cursorOf(value: Buffer): Cursor {
  try {
    return decodeCursor(value);
  } catch (cause) {
    throw new StateLostError(`the local store has ${toError(cause).message}`, { cause });
  }
}
