import type { Codec } from '../avro/codec.ts';
import type { NewDate } from '../core/attributes.ts';
import type { Event } from '../core/event.ts';
import type { Program } from '../core/program.ts';
import type { Timer, UserState } from '../core/state.ts';
import { onEvent, onTimer, onTopology } from '../core/step.ts';
import { nextDueMs, nextTimer } from '../core/timers.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';
import { readInput, type Input } from './input.ts';
import type { Overlay, User } from './overlay.ts';
import { rowGrowthOf } from './row-growth.ts';
import type { Run, Segment } from './segment.ts';

/** The transaction is full before its segment is done: it can only end behind a segment. */
export class SegmentTooLargeError extends Error {
  override readonly name = 'SegmentTooLargeError';
  readonly records: number;

  constructor(records: number) {
    super(`${records} records do not fit into one transaction`);
    this.records = records;
  }
}

export interface TurnsOptions {
  readonly codec: Codec;
  readonly source: TopicPartition;
  readonly maxEventBytes: number;
  readonly isHistorical: boolean;
}

/** What happens while one user is open: their events and timers through the core, in that user's order. Nothing in here waits, and no two users meet. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #overlay: Overlay;
  #program!: Program;
  #rowGrowth!: ReturnType<typeof rowGrowthOf>;

  constructor(options: TurnsOptions, overlay: Overlay) {
    this.#options = options;
    this.#overlay = overlay;
  }

  /** From now on; once at least before anything is taken. */
  use(program: Program): void {
    if (program === this.#program) return;
    this.#program = program;
    this.#rowGrowth = rowGrowthOf(program);
  }

  /** One user's records, and with historical input the timers that come due meanwhile. @throws SegmentTooLargeError */
  take(segment: Segment, { first }: Run, user: User): void {
    const { codec, source, isHistorical, maxEventBytes } = this.#options;
    let passed = segment.from;
    for (let at = first; at >= 0; at = segment.next(at)) {
      if (isHistorical) {
        this.fireUntil(segment, user, passed, at);
        passed = at + 1;
      }
      const record = segment.records.at(at)!;
      const input = readInput(codec, source, record, maxEventBytes);
      if (input.kind === 'event') this.#takeEvent(record, user, input, segment.nowMs(at));
      else if (input.kind === 'refused') this.#overlay.refuse(record, input.refusal);
      this.expectRoom(segment);
    }
    if (isHistorical) this.fireUntil(segment, user, passed, segment.to - 1);
  }

  /**
   * Historical input: one tick per due time that the records from `from` to `until` have passed, each at that due time. As with any record, `now` may be further: what is
   * overdue when it is armed (its event came late) is not decided before its event was appended.
   */
  fireUntil(segment: Segment, user: User, from: number, until: number): void {
    // Asked for every event: without making anything where nothing is due.
    for (let dueMs = nextDueMs(user.state); dueMs !== null; dueMs = nextDueMs(user.state)) {
      const passing = segment.passing(dueMs, from, until);
      if (passing < 0) return;
      from = passing;
      this.fire(segment.records.at(passing)!, user, nextTimer(user.state)!, Math.max(dueMs, segment.nowBefore(passing)));
    }
  }

  /** One timer, because of that record. */
  fire(record: LogRecord, user: User, timer: Timer, nowMs: number): void {
    const program = this.#program;
    const growthBytes = this.#rowGrowth(user.rowBytes, 0, null, dueWith(user.state, timer, program));
    this.#overlay.timer(record, user, timer, growthBytes, (isAlone) => onTimer(user.state, timer, nowMs, program, isAlone));
  }

  /** A topology that is in force now, because of that record. */
  learn(record: LogRecord, user: User, dates: readonly NewDate[], nowMs: number): void {
    const program = this.#program;
    const { topic, partition } = this.#options.source;
    const activation = { topic, partition, offset: record.offset, number: program.version, atMs: nowMs };
    // What hangs on a profile can be set anew by one.
    const growth = this.#rowGrowth(user.rowBytes, 0, '$profile');
    this.#overlay.event(record, user, growth, () => onTopology(user.state, dates, activation, program));
  }

  /** One record always fits: its output is bounded by the program. @throws SegmentTooLargeError */
  expectRoom({ from, to }: Segment): void {
    if (this.#overlay.fill >= 1 && to - from > 1) throw new SegmentTooLargeError(to - from);
  }

  #takeEvent(record: LogRecord, user: User, input: Extract<Input, { kind: 'event' }>, nowMs: number): void {
    const { isHistorical, source } = this.#options;
    const program = this.#program;
    const { forwarded, bytes } = input;
    const event = withItem(program, input);
    const { tally } = this.#overlay;
    if (isHistorical && forwarded) return;
    if (user.home !== source.partition) {
      if (!isHistorical) {
        this.#overlay.forward(record, event, user.home);
        return;
      }
      tally.wrongPartition++;
    }
    tally.event(program.eventTypes.has(event.type) || event.type.startsWith('$') ? event.type : 'other');
    this.#overlay.event(record, user, this.#rowGrowth(user.rowBytes, bytes, event.type), () => onEvent(user.state, event, nowMs, program));
  }
}

/** How many runs may go on with a timer: where one comes to a message of a priority, all that is due at that millisecond does, also by the session's end. */
export function dueWith({ matches, session }: UserState, { dueMs }: Timer, { journeys }: Program): number {
  const ended = session?.closeTimerMs === dueMs ? journeys.length : 0;
  return Math.max(
    1,
    matches.reduce((count, match) => count + Number(match.dueMs === dueMs), ended),
  );
}

/** The change of an item names it in the property that events.yaml says: for the core it is an event like any other. */
function withItem({ eventTypes }: Program, { event, itemId }: Extract<Input, { kind: 'event' }>): Event {
  const property = itemId === null ? undefined : eventTypes.get(event.type)?.item;
  return property === undefined ? event : { ...event, properties: { ...event.properties, [property]: itemId } };
}
