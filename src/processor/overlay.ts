import type { Codec } from '../avro/codec.ts';
import { ReservedEventError } from '../core/reserved.ts';
import type { Event } from '../core/event.ts';
import type { Timer, UserState } from '../core/state.ts';
import { emptyState, isEmpty, NO_EFFECTS, type Step } from '../core/step.ts';
import { nextDueMs, timersOf, withoutTimer } from '../core/timers.ts';
import { toError } from '../engine/errors.ts';
import type { InputPosition, Output, Row } from '../engine/stage.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';
import { keyBehind } from '../store/key-behind.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { deadLetter, type Refusal } from '../engine/dead-letter.ts';
import { Outbox, type ProcessorTopics } from './outbox.ts';
import { decodeRow, encodeRow, MAX_ROW_BYTES, RowError } from './rows.ts';
import { MAX_USERS } from './segment.ts';
import { Tally } from './tally.ts';
import { compareDue, dueKey, indexOps, parseDueKey, TIMER_TABLE, type DueUser } from './timer-index.ts';
import { TimerQueue } from './timer-queue.ts';
import { Users } from './users.ts';

/** A transaction has at most so many changed users and records, */
const MAX_CHANGES = 2 * MAX_USERS;
/** and so many bytes of them. */
const MAX_BYTES = 16 * 1024 * 1024;

/** How full a transaction is (1 = full) when it ends where it can: what comes next is to have room. */
export const ENOUGH = 0.5;

/** One user while some steps work on them: between `Overlay.open` and `close`. */
export interface User {
  readonly userId: string;
  /** The row's. */
  readonly key: Buffer;
  /** The partition where the id's hash belongs. */
  readonly home: number;
  readonly state: UserState;
  /** The row has at most so many bytes: measured when it was read, and reckoned since. */
  readonly rowBytes: number;
}

/** States are immutable, so a savepoint is the reference to one. */
interface Opened extends User {
  state: UserState;
  readonly before: UserState;
  readonly dueBeforeMs: number | null;
  rowBytes: number;
}

export interface OverlayOptions {
  readonly codec: Codec;
  readonly topics: ProcessorTopics;
  readonly store: PartitionStore;
  readonly source: TopicPartition;
  /** Of the input topic. */
  readonly partitions: number;
  readonly cacheBytes: number;
}

/**
 * The transaction in work: changed users, armed timers and output, over what is committed. The store knows nothing of it until the commit; the timer queue knows it
 * as soon as a user is closed, since a tick later in the batch must see it.
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
  /** Users taken out of the timer queue, until they are closed. */
  readonly #taken = new Set<string>();

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.users = new Users(options);
    this.timers = new TimerQueue((from, limit) => this.#loadDue(from, limit));
    this.#outbox = new Outbox(options.codec, options.topics, { partition: options.source.partition, partitions: options.partitions });
  }

  /** How much of a transaction there is already: at 1 it is full. */
  get fill(): number {
    const { changedCount, changedBytes } = this.users;
    const { records, bytes } = this.#outbox;
    return Math.max((changedCount + records.length) / MAX_CHANGES, (changedBytes + bytes) / MAX_BYTES);
  }

  /** Begins with a user, one at a time; undefined where the row has to be loaded first. @throws StateLostError where the row cannot be read */
  open(userId: string): User | undefined {
    const row = this.users.row(userId);
    if (row === undefined) return undefined;
    const key = Buffer.from(userId, 'utf8');
    const home = partitionFor(key, this.#options.partitions);
    const state = row === null ? emptyState(userId) : decodeRow(row, userId);
    const opened: Opened = { userId, key, home, state, before: state, dueBeforeMs: nextDueMs(state), rowBytes: row?.length ?? 0 };
    return opened;
  }

  /** Loads a user's row, and those of others who come soon; then begins with the user. */
  async load(userId: string, others: readonly string[]): Promise<User> {
    await this.users.load(new Set([userId, ...others]));
    return this.open(userId)!;
  }

  /** A step caused by a record, which adds at most so many bytes to the row (`row-growth.ts`). */
  event(record: LogRecord, user: User, growthBytes: number, run: () => Step): void {
    const refusal = this.#try(user as Opened, run, growthBytes);
    if (refusal !== null) this.refuse(record, refusal);
  }

  /**
   * A step caused by a timer. One that fails is disarmed with its dead letter, or it would fail at every tick. Not one that fails only with others that are due with it: it then fires alone,
   * and each of them in its turn.
   */
  timer(record: LogRecord, user: User, timer: Timer, growthBytes: number, run: (isAlone: boolean) => Step): void {
    const fire = (isAlone: boolean) => (): Step => {
      const step = run(isAlone);
      if (timersOf(step.state).some(({ dueMs, id }) => dueMs === timer.dueMs && id === timer.id))
        throw new Error(`the timer ${timer.id} has fired and is still armed`);
      return step;
    };
    if (this.#try(user as Opened, fire(false), growthBytes) === null) return;
    const refusal = this.#try(user as Opened, fire(true), growthBytes);
    if (refusal === null) return;
    this.#apply(user as Opened, withoutTimer(user.state, timer));
    const { offset, timestampMs } = record;
    this.refuse({ offset, timestampMs, key: user.key, value: null }, { ...refusal, reason: `timer_${refusal.reason}` });
  }

  /** The user's turn is over. @throws RowError: roll back and go again carefully */
  close(user: User): void {
    const { userId, key, state, before, dueBeforeMs } = user as Opened;
    const dueMs = nextDueMs(state);
    if (state !== before) this.users.set({ userId, key, row: isEmpty(state) ? null : encodeRow(state), dueBeforeMs, dueMs });
    if (this.#taken.delete(userId) || dueMs !== dueBeforeMs) this.timers.move(userId, dueMs);
  }

  /** Takes a user out of the timer queue, who is opened later in the same transaction or not at all in it. */
  take(userId: string): void {
    this.timers.move(userId, null);
    this.#taken.add(userId);
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

  output(position: InputPosition): Output {
    const rows: Row[] = [];
    const derived: StoreOp[] = [];
    for (const { userId, key, row, dueBeforeMs, dueMs } of this.users.changed) {
      rows.push({ key, value: row });
      if (dueMs !== dueBeforeMs) derived.push(...indexOps(userId, dueBeforeMs, dueMs));
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
    this.#taken.clear();
    this.#outbox.clear();
    this.tally.clear();
  }

  #try(user: Opened, run: () => Step, growthBytes: number): Refusal | null {
    try {
      const { state, effects } = run();
      const records = effects === NO_EFFECTS ? [] : this.#outbox.encode(effects);
      for (const { topic, value } of records) {
        if ((value?.length ?? 0) > MAX_ROW_BYTES)
          throw new RowError('row_too_large', `it makes a record of ${value?.length ?? 0} bytes for ${topic}`);
      }
      let rowBytes = user.rowBytes + growthBytes;
      if (this.careful || rowBytes > MAX_ROW_BYTES) rowBytes = encodeRow(state).length;
      // First what can still throw (a due time that is no whole number has no key).
      this.#apply(user, state);
      user.rowBytes = rowBytes;
      this.#outbox.take(records);
      this.tally.effects(effects);
      return null;
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof ReservedEventError) return { reason: 'reserved_event', detail: error.message };
      return { reason: error instanceof RowError ? error.reason : 'step_failed', detail: error.message };
    }
  }

  #apply(user: Opened, state: UserState): void {
    const { state: before } = user;
    if (state === before) return;
    const dueMs = nextDueMs(state);
    if (dueMs !== null && !Number.isSafeInteger(dueMs)) throw new Error(`it arms a timer that is due at ${dueMs}`);
    user.state = state;
    this.tally.sessionsOpened += state.lifetime.sessions - before.lifetime.sessions;
  }

  /** The index as the batch sees it: the store's entries without changed users, and the changed users'. */
  async #loadDue(from: DueUser | null, limit: number): Promise<{ users: DueUser[]; last: DueUser | null }> {
    const range = from === null ? {} : { gte: keyBehind(dueKey(from)) };
    const entries = (await this.#options.store.scan(TIMER_TABLE, { ...range, limit })).map(({ key }) => parseDueKey(key));
    const last = entries.length < limit ? null : (entries.at(-1) ?? null);
    const users = entries.filter(({ userId }) => !this.users.isChanged(userId));
    for (const { userId, dueMs } of this.users.changed) {
      if (dueMs === null) continue;
      const user = { userId, dueMs };
      if ((from === null || compareDue(user, from) > 0) && (last === null || compareDue(user, last) <= 0)) users.push(user);
    }
    return { users, last };
  }
}
