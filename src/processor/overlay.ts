import type { Codec } from '../avro/codec.ts';
import { ReservedEventError } from '../core/reserved.ts';
import type { Event } from '../core/event.ts';
import type { Timer, UserState } from '../core/state.ts';
import { isEmpty, NO_EFFECTS, type Step } from '../core/step.ts';
import { sameTimers, timersOf, withoutTimer } from '../core/timers.ts';
import { toError } from '../engine/errors.ts';
import type { InputPosition, Output, Row } from '../engine/stage.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { deadLetter, type Refusal } from '../engine/dead-letter.ts';
import { Outbox, type ProcessorTopics } from './outbox.ts';
import { Tally } from './tally.ts';
import { indexed, indexOps, parseRow, timerChanges, TIMER_TABLE, type IndexedTimer } from './timer-index.ts';
import { TimerQueue } from './timer-queue.ts';
import { encodeUserState } from './user-state-codec.ts';
import { Users } from './users.ts';

/** A row or a command over this is refused: its record is rolled back alone. */
export const MAX_ROW_BYTES = 256 * 1024;
/** A transaction ends early at so many changed users and records. */
const MAX_CHANGES = 10_000;
const NO_CHANGES = { removed: [], added: [] } as const;

/** A user's row has grown over `MAX_ROW_BYTES`, which only shows when it is encoded. */
export class RowTooLargeError extends Error {
  override readonly name = 'RowTooLargeError';
}

export interface OverlayOptions {
  readonly codec: Codec;
  readonly topics: ProcessorTopics;
  readonly store: PartitionStore;
  readonly source: TopicPartition;
  readonly cachedUsers: number;
}

/**
 * The batch in work: changed users, armed timers and output, over what is committed. The store knows nothing of it until the commit; the timer
 * queue knows it at once, since a tick later in the batch must see it.
 *
 * A step is a savepoint: one that throws, or makes a record over 256 KiB, leaves nothing behind but its dead letter.
 */
export class Overlay {
  readonly users: Users;
  readonly timers: TimerQueue;
  readonly tally = new Tally();
  /** Encodes a row after each step, to find the record that makes one too large. */
  careful = false;
  readonly #options: OverlayOptions;
  readonly #outbox: Outbox;

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.users = new Users(options.store, options.cachedUsers);
    this.timers = new TimerQueue((from, limit) => this.#loadTimers(from, limit));
    this.#outbox = new Outbox(options.codec, options.topics, options.source.partition);
  }

  get full(): boolean {
    return this.users.changedCount + this.#outbox.records.length >= MAX_CHANGES;
  }

  /** A step caused by a record. */
  event(record: LogRecord, before: UserState, run: () => Step): void {
    const refusal = this.#try(before, run, null);
    if (refusal !== null) this.refuse(record, refusal);
  }

  /** A step caused by a timer that has left the queue. One that fails is disarmed with its dead letter, or it would fail at every tick. */
  timer(record: LogRecord, before: UserState, timer: IndexedTimer, run: () => Step): void {
    const refusal = this.#try(before, run, timer);
    if (refusal === null) return;
    this.#apply(before, { state: withoutTimer(before, timer), effects: NO_EFFECTS }, timer);
    const { offset, timestampMs } = record;
    this.refuse({ offset, timestampMs, key: Buffer.from(timer.userId), value: null }, { ...refusal, reason: `timer_${refusal.reason}` });
  }

  /** Puts an event where its key belongs; that partition's task takes it from there, in the order of its forward. */
  forward(record: LogRecord, event: Event, partition: number): void {
    const { codec, source } = this.#options;
    const { eventId, userId, type, properties, imported, occurredAtMs: occurredAt, sentAtMs: sentAt, appendedAtMs: appendedAt } = event;
    const original = { partition: source.partition, offset: record.offset };
    const forward = { eventId, userId, type, occurredAt, properties, sentAt, imported, appendedAt, ...original };
    const value = codec.encode('lull.v1.Control', { forward });
    const headers = event.traceParent === null ? {} : { traceparent: Buffer.from(event.traceParent) };
    this.#outbox.add({ topic: source.topic, partition, key: record.key, value, headers });
    this.tally.wrongPartition++;
  }

  refuse(record: LogRecord, refusal: Refusal): void {
    const { topics, source } = this.#options;
    this.#outbox.add(deadLetter(topics.deadLetters, source, record, refusal));
    this.tally.refused.push(refusal.reason);
  }

  /** @throws RowTooLargeError: roll back and go again carefully */
  output(position: InputPosition): Output {
    const rows: Row[] = [];
    const derived: StoreOp[] = [];
    for (const [userId, { before, after }] of this.users.changed()) {
      rows.push({ key: Buffer.from(userId), value: isEmpty(after) ? null : encodeRow(after) });
      if (!sameTimers(before, after)) derived.push(...indexOps(userId, timersOf(before), timersOf(after)));
    }
    return { rows, records: this.#outbox.records, derived, position };
  }

  committed(): void {
    this.users.committed();
    this.#outbox.clear();
    this.tally.clear();
  }

  rollback(): void {
    this.users.rollback();
    this.timers.reset();
    this.#outbox.clear();
    this.tally.clear();
  }

  #try(before: UserState, run: () => Step, fired: IndexedTimer | null): Refusal | null {
    try {
      const step = run();
      const records = this.#outbox.encode(step.effects);
      for (const { topic, value } of records) {
        if ((value?.length ?? 0) > MAX_ROW_BYTES)
          throw new RowTooLargeError(`it makes a record of ${value?.length ?? 0} bytes for ${topic}`);
      }
      if (this.careful) encodeRow(step.state);
      // First what can still throw (a due time that is no whole number has no key).
      this.#apply(before, step, fired);
      this.#outbox.take(records);
      this.tally.effects(step.effects);
      return null;
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof ReservedEventError) return { reason: 'reserved_event', detail: error.message };
      return { reason: error instanceof RowTooLargeError ? 'row_too_large' : 'step_failed', detail: error.message };
    }
  }

  #apply(before: UserState, { state }: Step, fired: IndexedTimer | null): void {
    if (state === before) return;
    const { removed, added } = sameTimers(before, state) ? NO_CHANGES : timerChanges(timersOf(before), timersOf(state));
    const arming = added.map((timer) => indexed(state.userId, timer));
    this.tally.sessionsOpened += state.lifetime.sessions - before.lifetime.sessions;
    this.users.set(state.userId, state);
    for (const timer of removed) {
      // The timer that fires has left the queue already; a mark for it would swallow the next one with its key.
      if (fired !== null && timer.dueMs === fired.dueMs && timer.id === fired.id) continue;
      this.timers.disarm(indexed(state.userId, timer));
    }
    for (const timer of arming) this.timers.arm(timer);
  }

  /** The index as the batch sees it: the store's rows without changed users, and the changed users' timers. */
  async #loadTimers(from: Buffer | null, limit: number): Promise<{ timers: IndexedTimer[]; last: Buffer | null }> {
    const rows = await this.#options.store.scan(TIMER_TABLE, { ...(from === null ? {} : { gte: from }), limit });
    const last = rows.length < limit ? null : (rows.at(-1)?.key ?? null);
    const timers = rows.map((row) => parseRow(row.key, row.value)).filter((timer) => !this.users.isDirty(timer.userId));
    const within = ({ key }: IndexedTimer): boolean =>
      (from === null || Buffer.compare(key, from) >= 0) && (last === null || Buffer.compare(key, last) <= 0);
    for (const [userId, { after }] of this.users.changed()) {
      timers.push(...changedTimers(userId, timersOf(after)).filter(within));
    }
    return { timers, last };
  }
}

function changedTimers(userId: string, timers: readonly Timer[]): IndexedTimer[] {
  return timers.map((timer) => indexed(userId, timer));
}

function encodeRow(state: UserState): Buffer {
  const row = encodeUserState(state);
  if (row.length > MAX_ROW_BYTES)
    throw new RowTooLargeError(`it makes a user row of ${row.length} bytes, at most ${MAX_ROW_BYTES} are kept`);
  return row;
}
