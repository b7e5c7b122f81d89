import { commandHeaders, revocationHeaders } from '../../src/avro/dispatch-headers.ts';
import type { Codec } from '../../src/avro/codec.ts';
import { PoisonError } from '../../src/avro/errors.ts';
import type { ProductEvent } from '../../src/avro/records.ts';
import { newDates, type NewDate } from '../../src/core/attributes.ts';
import type { Event } from '../../src/core/event.ts';
import type { Effects } from '../../src/core/output.ts';
import type { TopologyInForce } from '../../src/avro/records.ts';
import { stillNeeded, withEarlier, type EarlierVersion } from '../../src/core/pinned.ts';
import type { Program } from '../../src/core/program.ts';
import { ReservedEventError } from '../../src/core/reserved.ts';
import { emptyState, isEmpty, onEvent, onTimer, onTopology, type Step } from '../../src/core/step.ts';
import type { Timer, UserState } from '../../src/core/state.ts';
import { timersOf, withoutTimer } from '../../src/core/timers.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Headers } from '../../src/log/port.ts';
import { encodeUserState } from '../../src/processor/user-state-codec.ts';
import type { JudgedRecord } from '../setup/read-committed.ts';

/** A record that a processor must have written. */
export interface ExpectedRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Headers;
}

export interface ReferenceOptions {
  /** Every program that a record may name. */
  readonly programs: ReadonlyMap<string, Program>;
  /** With which the partition began, before any record of one; its hash and its number. */
  readonly first: { readonly hash: string; readonly number: number };
  readonly codec: Codec;
  readonly topic: string;
  readonly partitions: number;
}

const MAX_BYTES = 256 * 1024;

/**
 * What the processors of one timeline partition must have made of its log, up to some offset: the pure core over the records in their order, and nothing
 * else. Time is a record, so the ticks that are in the log say when timers fire; batches, crashes and owners do not come into it.
 *
 * Written apart from `src/processor`: one user at a time, no batches, no cache, no timer index. A row's size is looked at after each step (the processor
 * does so only where a batch's last row is too large).
 */
export class Reference {
  readonly dispatch: ExpectedRecord[] = [];
  readonly decisions: ExpectedRecord[] = [];
  /** `offset reason key` of each. */
  readonly deadLetters: string[] = [];
  /** Offsets of events that stood on this partition and belong to another. */
  readonly forwards: number[] = [];
  readonly users = new Map<string, UserState>();
  nowMs = 0;
  events = 0;
  ticks = 0;
  /** In force, with what came before it; and by itself. */
  #program: Program;
  #own: Program;
  #number: number;
  /** The first record counts in any case. */
  #isInLog = false;
  #earlier: readonly EarlierVersion[] = [];
  readonly #options: ReferenceOptions;
  readonly #partition: number;

  constructor(options: ReferenceOptions, partition: number) {
    this.#options = options;
    this.#partition = partition;
    this.#number = options.first.number;
    this.#program = this.#own = this.#numbered(options.first);
  }

  /** The values' schemas must have been prepared. */
  take(record: JudgedRecord): void {
    this.nowMs = Math.max(this.nowMs, record.timestampMs);
    const reason = this.#take(record);
    if (reason !== null) this.#refuse(record.offset, reason, record.key);
  }

  #numbered({ hash, number }: { readonly hash: string; readonly number: number }): Program {
    const program = this.#options.programs.get(hash);
    if (program === undefined) throw new Error(`reference: nobody knows the topology ${hash}`);
    return { ...program, version: number };
  }

  #activate(topology: TopologyInForce, offset: number): void {
    if (this.#isInLog && topology.number <= this.#number) return;
    this.#number = topology.number;
    this.#isInLog = true;
    // The same text again changes nothing for whoever is under way.
    if (topology.hash === this.#own.hash) return;
    this.#earlier = stillNeeded([...this.#earlier, { program: this.#own, replacedAtMs: this.nowMs }], this.nowMs);
    const before = this.#own;
    this.#own = this.#numbered(topology);
    this.#program = withEarlier(
      this.#own,
      this.#earlier.map(({ program }) => program),
    );
    this.#learn(newDates(before, this.#own), offset);
  }

  /** Dates that users have already, of journeys that are new: user by user, in the order of their ids' bytes. */
  #learn(dates: readonly NewDate[], offset: number): void {
    if (dates.length === 0) return;
    const activation = { topic: this.#options.topic, partition: this.#partition, offset, number: this.#own.version, atMs: this.nowMs };
    const byId = [...this.users.values()].sort((a, b) => Buffer.compare(Buffer.from(a.userId), Buffer.from(b.userId)));
    for (const state of byId) {
      const reason = this.#step(() => onTopology(state, dates, activation, this.#program));
      if (reason !== null) this.#refuse(offset, reason, Buffer.from(state.userId));
    }
  }

  /** Why the record is refused, or null. */
  #take(record: JudgedRecord): string | null {
    const { value } = record;
    if (value === null) return 'null_value';
    let decoded;
    try {
      decoded = this.#options.codec.decode(value);
    } catch (error) {
      if (error instanceof PoisonError) return error.reason;
      throw error;
    }
    if (decoded.record === 'lull.v1.ProductEvent')
      return value.length > MAX_BYTES ? 'too_large' : this.#event(record, decoded.value, record.timestampMs);
    if (decoded.record !== 'lull.v1.Control') return 'unexpected_schema';
    const { tick, forward, ingested, topology } = decoded.value;
    if (topology !== null) {
      this.#activate(topology, record.offset);
      return null;
    }
    if (forward !== null) return this.#event(record, forward, forward.appendedAt);
    if (ingested !== null) {
      const appendedAtMs = Math.min(ingested.appendedAt ?? record.timestampMs, record.timestampMs);
      return this.#event(record, { ...ingested, sentAt: null, imported: false }, appendedAtMs);
    }
    if (tick === null) return 'unknown_control';
    this.#tick(record.offset, Math.min(this.nowMs, tick.upTo ?? Infinity), tick.maxTimers);
    return null;
  }

  #event(record: JudgedRecord, value: ProductEvent, appendedAtMs: number): string | null {
    const { offset, key } = record;
    const { topic, partitions } = this.#options;
    const user = Buffer.from(value.userId);
    if (key === null) return 'null_key';
    if (user.length === 0 || user.length > 256) return 'user_id_length';
    if (!key.equals(user)) return 'key_mismatch';
    if (partitionFor(key, partitions) !== this.#partition) {
      this.forwards.push(offset);
      return null;
    }
    this.events++;
    const event: Event = {
      ...{ topic, partition: this.#partition, offset, appendedAtMs },
      ...{ eventId: value.eventId, userId: value.userId, type: value.type, properties: value.properties, imported: value.imported },
      ...{ occurredAtMs: value.occurredAt, sentAtMs: value.sentAt },
      traceParent: record.headers['traceparent']?.toString() ?? null,
    };
    const before = this.users.get(event.userId) ?? emptyState(event.userId);
    return this.#step(() => onEvent(before, event, this.nowMs, this.#program));
  }

  /** In firing order. What a timer arms that is due too takes part, in its place; it arms none of somebody else, and may take others of its user away. */
  #tick(offset: number, dueMs: number, maxTimers: number): void {
    this.ticks++;
    const due = [...this.users.values()].flatMap((state) => dueOf(state, dueMs)).sort(byFiringOrder);
    for (let [next, fired] = [0, 0]; next < due.length && fired < maxTimers; next++) {
      const { userId, timer } = due[next]!;
      const before = this.users.get(userId)!;
      if (!timersOf(before).some((left) => isSame(left, timer))) continue;
      fired++;
      // What fails with all that is due at its millisecond is fired alone.
      const fire = (isAlone: boolean): string | null => this.#step(() => onTimer(before, timer, this.nowMs, this.#program, isAlone));
      const reason = fire(false) === null ? null : fire(true);
      if (reason !== null) {
        this.users.set(userId, withoutTimer(before, timer));
        this.#refuse(offset, `timer_${reason}`, Buffer.from(userId));
      }
      const after = this.users.get(userId)!;
      if (after === before) throw new Error(`reference: timer ${timer.id} of ${userId} fires without an end`);
      const armed = dueOf(after, dueMs).filter((other) => !timersOf(before).some((old) => isSame(old, other.timer)));
      for (const other of armed) insert(due, other, next + 1);
    }
  }

  /** Takes a step over, or says why it is refused: then nothing of it is there. */
  #step(run: () => Step): string | null {
    let step;
    try {
      step = run();
    } catch (error) {
      return error instanceof ReservedEventError ? 'reserved_event' : 'step_failed';
    }
    const { dispatch, decisions } = this.#encode(step.effects);
    const row = encodeUserState(step.state);
    if ([...dispatch, ...decisions].some(({ value }) => value.length > MAX_BYTES) || row.length > MAX_BYTES) return 'row_too_large';
    this.users.set(step.state.userId, step.state);
    this.dispatch.push(...dispatch);
    this.decisions.push(...decisions);
    return null;
  }

  #encode({ commands, revocations, decisions }: Effects): Pick<Reference, 'dispatch' | 'decisions'> {
    const { codec } = this.#options;
    return {
      dispatch: [
        ...revocations.map((revocation) => ({
          key: Buffer.from(revocation.userId),
          value: codec.encode('lull.v1.Revocation', revocation),
          headers: revocationHeaders(revocation),
        })),
        ...commands.map((command) => ({
          key: Buffer.from(command.userId),
          value: codec.encode('lull.v1.SendCommand', command),
          headers: commandHeaders(command),
        })),
      ],
      decisions: decisions.map((decision) => ({
        key: Buffer.from(decision.userId),
        value: codec.encode('lull.v1.Decision', decision),
        headers: {},
      })),
    };
  }

  #refuse(offset: number, reason: string, key: Buffer | null): void {
    this.deadLetters.push(`${offset} ${reason} ${key?.toString() ?? 'no key'}`);
  }

  /** The changelog's rows: users of whom something is kept. */
  rows(): ReadonlyMap<string, Buffer> {
    return new Map([...this.users].filter(([, state]) => !isEmpty(state)).map(([userId, state]) => [userId, encodeUserState(state)]));
  }
}

interface Due {
  readonly userId: string;
  readonly timer: Timer;
  readonly name: Buffer;
}

function dueOf(state: UserState, dueMs: number): Due[] {
  const { userId } = state;
  return timersOf(state)
    .filter((timer) => timer.dueMs <= dueMs)
    .map((timer) => ({ userId, timer, name: Buffer.from(`${userId}\0${timer.id}`) }));
}

function isSame(a: Timer, b: Timer): boolean {
  return a.id === b.id && a.dueMs === b.dueMs;
}

/** Due, user, timer id: by the bytes of their UTF-8. */
function byFiringOrder(a: Due, b: Due): number {
  return a.timer.dueMs - b.timer.dueMs || Buffer.compare(a.name, b.name);
}

/** Into what is left of a sorted list, from `from` on. */
function insert(due: Due[], item: Due, from: number): void {
  let [low, high] = [from, due.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byFiringOrder(due[middle]!, item) < 0) low = middle + 1;
    else high = middle;
  }
  due.splice(low, 0, item);
}
