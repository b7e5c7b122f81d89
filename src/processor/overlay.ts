import type { Codec } from '../avro/codec.ts';
import { ReservedEventError } from '../core/reserved.ts';
import type { Event } from '../core/event.ts';
import type { UserState } from '../core/state.ts';
import { isEmpty, NO_EFFECTS, type Step } from '../core/step.ts';
import { isSameTimer, timerChanges, timersOf, withoutTimer } from '../core/timers.ts';
import { toError } from '../engine/errors.ts';
import type { InputPosition, Output, Row } from '../engine/stage.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { deadLetter, type Refusal } from '../engine/dead-letter.ts';
import { Outbox, type ProcessorTopics } from './outbox.ts';
import { Tally } from './tally.ts';
import { compareTimers, indexOps, parseRow, timerKey, TIMER_TABLE, type UserTimer } from './timer-index.ts';
import { TimerQueue } from './timer-queue.ts';
import { encodeUserState } from './user-state-codec.ts';
import { Users, type User } from './users.ts';

/** A row or a command over this is refused: its record is rolled back alone. */
export const MAX_ROW_BYTES = 256 * 1024;
/** A transaction ends early at so many changed users and records. */
const MAX_CHANGES = 10_000;

/** A user's row has grown over `MAX_ROW_BYTES`, which only shows when it is encoded. */
export class RowTooLargeError extends Error {
  override readonly name = 'RowTooLargeError';
}

export interface OverlayOptions {
  readonly codec: Codec;
  readonly topics: ProcessorTopics;
  readonly store: PartitionStore;
  readonly source: TopicPartition;
  /** Of the input topic. */
  readonly partitions: number;
  readonly cachedUsers: number;
  /** At most how many bytes a step that reads so many can add to a row. See `row-growth.ts`. */
  readonly rowGrowth: (inputBytes: number) => number;
}

/**
 * The batch in work: changed users, armed timers and output, over what is committed. The store knows nothing of it until the commit; the timer
 * queue knows it at once, since a tick later in the batch must see it.
 *
 * A step is a savepoint: one that throws, or makes a record or a row over 256 KiB, leaves nothing behind but its dead letter. Whether a later step of the same
 * batch would have made the row smaller again is no matter: what comes of a log must not hang on how it was batched. So a row is measured as soon as it may be
 * too large.
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
    this.users = new Users(options);
    this.timers = new TimerQueue((from, limit) => this.#loadTimers(from, limit));
    this.#outbox = new Outbox(options.codec, options.topics, options.source.partition);
  }

  get full(): boolean {
    return this.users.changed.length + this.#outbox.records.length >= MAX_CHANGES;
  }

  /** A step caused by a record. */
  event(record: LogRecord, user: User, run: () => Step): void {
    const refusal = this.#try(user, run, null, record.value?.length ?? 0);
    if (refusal !== null) this.refuse(record, refusal);
  }

  /** A step caused by a timer that has left the queue. One that fails is disarmed with its dead letter, or it would fail at every tick. */
  timer(record: LogRecord, user: User, timer: UserTimer, run: () => Step): void {
    const refusal = this.#try(user, run, timer, 0);
    if (refusal === null) return;
    this.#apply(user, withoutTimer(user.state, timer), timer, user.rowBytes);
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
    for (const user of this.users.changed) {
      const { userId, state, before } = user;
      const value = isEmpty(state) ? null : encodeRow(state);
      this.users.measured(user, value?.length ?? 0);
      rows.push({ key: Buffer.from(userId), value });
      const changes = before === null ? null : timerChanges(before, state);
      if (changes !== null) derived.push(...indexOps(userId, changes));
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

  #try(user: User, run: () => Step, fired: UserTimer | null, inputBytes: number): Refusal | null {
    try {
      const { state, effects } = run();
      const records = effects === NO_EFFECTS ? [] : this.#outbox.encode(effects);
      for (const { topic, value } of records) {
        if ((value?.length ?? 0) > MAX_ROW_BYTES)
          throw new RowTooLargeError(`it makes a record of ${value?.length ?? 0} bytes for ${topic}`);
      }
      let rowBytes = user.rowBytes + this.#options.rowGrowth(inputBytes);
      if (this.careful || rowBytes > MAX_ROW_BYTES) rowBytes = encodeRow(state).length;
      // First what can still throw (a due time that is no whole number has no key).
      this.#apply(user, state, fired, rowBytes);
      this.#outbox.take(records);
      this.tally.effects(effects);
      return null;
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof ReservedEventError) return { reason: 'reserved_event', detail: error.message };
      return { reason: error instanceof RowTooLargeError ? 'row_too_large' : 'step_failed', detail: error.message };
    }
  }

  #apply(user: User, state: UserState, fired: UserTimer | null, rowBytes: number): void {
    const { userId, state: before } = user;
    if (state === before) return;
    const changes = timerChanges(before, state);
    for (const { dueMs } of changes?.added ?? [])
      if (!Number.isSafeInteger(dueMs)) throw new Error(`it arms a timer that is due at ${dueMs}`);
    this.users.set(user, state, rowBytes);
    if (changes !== null) {
      for (const timer of changes.removed) {
        // The timer that fires has left the queue already.
        if (fired === null || !isSameTimer(timer, fired)) this.timers.disarm({ userId, dueMs: timer.dueMs, id: timer.id });
      }
      for (const { dueMs, id } of changes.added) this.timers.arm({ userId, dueMs, id });
    }
    this.tally.sessionsOpened += state.lifetime.sessions - before.lifetime.sessions;
  }

  /** The index as the batch sees it: the store's rows without changed users, and the changed users' timers. */
  async #loadTimers(from: UserTimer | null, limit: number): Promise<{ timers: UserTimer[]; last: UserTimer | null }> {
    const range = from === null ? {} : { gte: behind(timerKey(from)) };
    const rows = (await this.#options.store.scan(TIMER_TABLE, { ...range, limit })).map(({ key, value }) => parseRow(key, value));
    const last = rows.length < limit ? null : (rows.at(-1) ?? null);
    const timers = rows.filter(({ userId }) => (this.users.get(userId)?.before ?? null) === null);
    for (const { userId, state } of this.users.changed) {
      for (const { dueMs, id } of timersOf(state)) {
        const timer = { userId, dueMs, id };
        if ((from === null || compareTimers(timer, from) > 0) && (last === null || compareTimers(timer, last) <= 0)) timers.push(timer);
      }
    }
    return { timers, last };
  }
}

/** The least key behind this one. */
function behind(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

function encodeRow(state: UserState): Buffer {
  const row = encodeUserState(state);
  if (row.length > MAX_ROW_BYTES)
    throw new RowTooLargeError(`it makes a user row of ${row.length} bytes, at most ${MAX_ROW_BYTES} are kept`);
  return row;
}
