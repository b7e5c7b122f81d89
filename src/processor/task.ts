import type { Codec } from '../avro/codec.ts';
import type { Program } from '../core/program.ts';
import type { Timer } from '../core/state.ts';
import { onEvent, onTimer } from '../core/step.ts';
import { nextDueMs, nextTimer } from '../core/timers.ts';
import { FatalError, StateLostError, toError } from '../engine/errors.ts';
import type { Commit, InputPosition, Row, StageTask, TaskContext } from '../engine/stage.ts';
import type { LogRecord, LogRecords, TopicPartition } from '../log/port.ts';
import type { StoreOp } from '../store/port.ts';
import { readInput, type Input } from './input.ts';
import type { ProcessorObserver } from './observer.ts';
import type { ProcessorTopics } from './outbox.ts';
import { Overlay, RowError, type User } from './overlay.ts';
import { rowGrowthOf } from './row-growth.ts';
import { Segment, type Run } from './segment.ts';
import { Ticker } from './ticker.ts';
import { indexOps } from './timer-index.ts';
import { decodeUserState } from './user-state-codec.ts';

/** Users whose rows are read from the store together. */
const PREFETCH_USERS = 512;

export interface ProcessorTaskOptions {
  readonly program: Program;
  readonly codec: Codec;
  readonly inputTopic: string;
  readonly topics: ProcessorTopics;
  readonly maxEventBytes: number;
  readonly tickTimeoutMs: number;
  readonly cacheBytes: number;
  /** Set for historical input: record time is append time, due times are ticks of their own, nothing is written to the input. */
  readonly historical: Historical | null;
  /** Appends a tick to this partition of the input. */
  readonly appendTick: (partition: number) => Promise<void>;
  readonly observer: ProcessorObserver;
}

export interface Historical {
  /** How far behind the largest record time a record may be: due times wait for it. */
  readonly allowedLatenessMs: number;
  /** Timers due at or before this fire at the end of the input; null = none. */
  readonly untilMs: number | null;
}

/** The transaction is full before its segment is done: it can only end behind a segment. */
class SegmentTooLargeError extends Error {
  override readonly name = 'SegmentTooLargeError';
  readonly records: number;

  constructor(records: number) {
    super(`${records} records do not fit into one transaction`);
    this.records = records;
  }
}

/**
 * Runs the core over one partition of the timeline.
 *
 * - `now` is the largest append time seen, never the wall clock. Only a tick fires timers (live), or a due time that the input has passed
 *   (historical).
 * - One batch, one commit, unless it grows too large; then it ends between two records.
 * - Between two ticks users are worked through one after the other (`segment.ts`): what comes out has each user's order.
 * - Rows are measured when they are encoded, at the end of a user's turn; a transaction with one that is too large is done again, carefully.
 */
export class ProcessorTask implements StageTask {
  readonly #options: ProcessorTaskOptions;
  readonly #context: TaskContext;
  readonly #source: TopicPartition;
  readonly #overlay: Overlay;
  readonly #ticker: Ticker;
  readonly #rowGrowth: ReturnType<typeof rowGrowthOf>;
  #nowMs = 0;
  /** A tick could not be appended: the next `wake` ends the task with it. */
  #tickError: Error | undefined;
  /** The last commit: where a batch that must be done again begins. */
  #committed: InputPosition = { offset: 0, nowMs: 0 };
  /** Records of a segment, where so much was made of them lately that they have to be fewer. */
  #maxSegment = Infinity;

  constructor(options: ProcessorTaskOptions, context: TaskContext) {
    this.#options = options;
    this.#context = context;
    this.#source = { topic: options.inputTopic, partition: context.partition };
    const { codec, topics, cacheBytes } = options;
    const { store, partitions } = context;
    this.#overlay = new Overlay({ codec, topics, cacheBytes, partitions, store, source: this.#source });
    this.#rowGrowth = rowGrowthOf(options.program);
    this.#ticker = new Ticker(context.clock, options.tickTimeoutMs);
  }

  restored(rows: readonly Row[], previous: readonly (Buffer | null)[]): readonly StoreOp[] {
    const { topics } = this.#options;
    return rows.flatMap(({ key, value }, i) => {
      const userId = key.toString('utf8');
      const dueOf = (row: Buffer | null): number | null => (row === null ? null : nextDueMs(decodeUserState(row, userId)));
      let beforeMs: number | null;
      try {
        beforeMs = dueOf(previous[i] ?? null);
      } catch (cause) {
        throw new StateLostError(`the local store has ${toError(cause).message}`, { cause });
      }
      try {
        return indexOps(userId, beforeMs, dueOf(value));
      } catch (cause) {
        throw new FatalError(`${topics.state}-${this.#context.partition} has ${toError(cause).message}`, { cause });
      }
    });
  }

  async start(position: InputPosition): Promise<void> {
    this.#committed = position;
    this.#nowMs = position.nowMs;
    await this.#schedule();
  }

  get nextWakeMs(): number | null {
    if (this.#tickError !== undefined) return 0;
    return this.#options.historical === null ? this.#ticker.wakeMs : null;
  }

  /**
   * Asks for a tick and does not wait until the log has it: appends of all partitions queue up behind each other, and one whose leader is out
   * of reach would hold them all, and a stop with them.
   */
  wake(): Promise<void> {
    if (this.#tickError !== undefined) return Promise.reject(this.#tickError);
    this.#ticker.asked();
    this.#options.appendTick(this.#context.partition).catch((thrown: unknown) => {
      this.#tickError = toError(thrown);
      this.#context.changed();
    });
    return Promise.resolve();
  }

  async process(batch: { readonly records: LogRecords; readonly nextOffset: number }, commit: Commit): Promise<void> {
    const { records, nextOffset } = batch;
    await this.#options.codec.prepare(valuesOf(records));
    await this.#untilItFits(async () => {
      // The second time the batch's first part may be committed.
      let at = 0;
      while (at < records.length && records.at(at)!.offset < this.#committed.offset) at++;
      while (at < records.length) {
        at = await this.#takeSome(records, at, commit);
        // The next segment is to have room.
        if (this.#overlay.fill >= 0.5 && at < records.length) await this.#commit(commit, records.at(at - 1)!.offset + 1);
      }
      await this.#commit(commit, nextOffset);
    });
    // What was too large once is likely to be so again: slowly back.
    this.#maxSegment = Math.ceil(1.1 * this.#maxSegment);
    await this.#schedule();
  }

  async finish(commit: Commit): Promise<void> {
    const untilMs = this.#options.historical?.untilMs ?? null;
    if (untilMs === null) return;
    const end = { offset: this.#committed.offset, timestampMs: untilMs, key: null, value: null };
    await this.#untilItFits(async () => {
      await this.#passTime(untilMs + 1, commit, end.offset, (user) => {
        for (let timer = nextTimer(user.state); timer !== null && timer.dueMs <= untilMs; timer = nextTimer(user.state)) {
          this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
          this.#fireTimer(end, user, timer, timer.dueMs);
        }
      });
      await this.#commit(commit, end.offset);
    });
  }

  stop(): Promise<void> {
    // Nothing is ever in flight between two batches.
    return Promise.resolve();
  }

  close(): void {
    this.#overlay.rollback();
  }

  /** Again from the last commit where a row cannot be kept, finding the step that did it; and where a segment is too large for a transaction, in smaller ones. */
  async #untilItFits(take: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await take();
        this.#overlay.careful = false;
        return;
      } catch (error) {
        if (error instanceof SegmentTooLargeError) this.#maxSegment = error.records >> 1;
        else if (error instanceof RowError && !this.#overlay.careful) this.#overlay.careful = true;
        else throw error;
        this.#overlay.rollback();
        this.#nowMs = this.#committed.nowMs;
      }
    }
  }

  /** The next record that is nobody's, or the next segment. Returns the index behind it. */
  async #takeSome(records: LogRecords, at: number, commit: Commit): Promise<number> {
    const { historical } = this.#options;
    // Historical input has no ticks, or none that count.
    const endsAtKeyless = historical === null;
    const record = records.at(at)!;
    if (endsAtKeyless && record.key === null) {
      await this.#takeKeyless(record);
      return at + 1;
    }
    const time = { nowMs: this.#nowMs, allowedLatenessMs: historical?.allowedLatenessMs ?? 0 };
    const segment = new Segment(records, { from: at, most: this.#maxSegment, endsAtKeyless }, time);
    await this.#takeSegment(segment, commit);
    return segment.to;
  }

  async #takeSegment(segment: Segment, commit: Commit): Promise<void> {
    const { to, runs } = segment;
    if (this.#options.historical !== null) await this.#passSegmentsTime(segment, commit);
    for (const index of segment.keyless) {
      await this.#takeKeyless(segment.records.at(index)!);
      this.#expectRoom(segment);
    }
    let taken = 0;
    for (const run of runs.values()) {
      const user = this.#overlay.open(run.userId) ?? (await this.#overlay.load(usersAhead(segment, taken)));
      this.#takeRun(segment, run, user);
      taken++;
      if (taken < runs.size) this.#expectRoom(segment);
    }
    this.#nowMs = Math.max(this.#nowMs, segment.nowMs(to - 1));
  }

  /** One record always fits: its output is bounded by the program. */
  #expectRoom({ from, to }: Segment): void {
    if (this.#overlay.fill >= 1 && to - from > 1) throw new SegmentTooLargeError(to - from);
  }

  /** Historical input: fires what is due within the segment of all who have no record in it. */
  async #passSegmentsTime(segment: Segment, commit: Commit): Promise<void> {
    const { from, to, runs, horizonMs } = segment;
    if (!this.#overlay.timers.mayBeDueBefore(horizonMs)) return;
    const offset = segment.records.at(from)!.offset;
    await this.#passTime(
      horizonMs,
      commit,
      offset,
      (user) => {
        this.#fireUntil(segment, user, from, to - 1);
      },
      runs,
    );
  }

  /** One user's records, and with historical input the timers that come due meanwhile. */
  #takeRun(segment: Segment, { first }: Run, user: User): void {
    const { codec, historical, maxEventBytes } = this.#options;
    let passed = segment.from;
    for (let at = first; at >= 0; at = segment.next(at)) {
      if (historical !== null) {
        this.#fireUntil(segment, user, passed, at);
        passed = at + 1;
      }
      const record = segment.records.at(at)!;
      const input = readInput(codec, this.#source, record, maxEventBytes);
      if (input.kind === 'event') this.#takeEvent(record, user, input, segment.nowMs(at));
      else if (input.kind === 'refused') this.#overlay.refuse(record, input.refusal);
      this.#expectRoom(segment);
    }
    if (historical !== null) this.#fireUntil(segment, user, passed, segment.to - 1);
    this.#overlay.close(user);
  }

  /** Historical input: one tick per due time that the records from `from` to `until` have passed, each at that due time. */
  #fireUntil(segment: Segment, user: User, from: number, until: number): void {
    // Asked for every event: without making anything where nothing is due.
    for (let dueMs = nextDueMs(user.state); dueMs !== null; dueMs = nextDueMs(user.state)) {
      const passing = segment.passing(dueMs, from, until);
      if (passing < 0) return;
      from = passing;
      this.#fireTimer(segment.records.at(passing)!, user, nextTimer(user.state)!, dueMs);
    }
  }

  #takeEvent(record: LogRecord, user: User, { event, forwarded, bytes }: Extract<Input, { kind: 'event' }>, nowMs: number): void {
    const { program, historical } = this.#options;
    const { tally } = this.#overlay;
    if (historical !== null && forwarded) return;
    if (user.home !== this.#context.partition) {
      if (historical === null) {
        this.#overlay.forward(record, event, user.home);
        return;
      }
      tally.wrongPartition++;
    }
    tally.event(program.eventTypes.has(event.type) || event.type.startsWith('$') ? event.type : 'other');
    this.#overlay.event(record, user, this.#rowGrowth(user.rowBytes, bytes, event.type), () => onEvent(user.state, event, nowMs, program));
  }

  async #takeKeyless(record: LogRecord): Promise<void> {
    const { codec, historical, maxEventBytes } = this.#options;
    const input = readInput(codec, this.#source, record, maxEventBytes);
    if (input.kind === 'refused') this.#overlay.refuse(record, input.refusal);
    if (historical !== null) return;
    this.#nowMs = Math.max(this.#nowMs, record.timestampMs);
    if (input.kind === 'tick') await this.#takeTick(record, input);
  }

  /** Fires up to `maxTimers` timers, in the order of their due times; those armed meanwhile take part. */
  async #takeTick(record: LogRecord, { maxTimers, upToMs }: Extract<Input, { kind: 'tick' }>): Promise<void> {
    const { tally } = this.#overlay;
    const dueMs = Math.min(this.#nowMs, upToMs ?? Infinity);
    tally.ticks++;
    for (let fired = 0; fired < maxTimers; fired++) {
      const userId = await this.#nextDue(dueMs);
      if (userId === undefined) break;
      const user = await this.#openDue(userId, dueMs);
      const timer = this.#firstTimer(user);
      tally.timerFired((this.#nowMs - timer.dueMs) / 1000);
      this.#fireTimer(record, user, timer, this.#nowMs);
      this.#overlay.close(user);
    }
    await this.#schedule();
    this.#ticker.read(record.timestampMs);
  }

  /** Historical input: lets `fire` fire what is due before the horizon, user by user, but for those in `later`. Many of them may take several transactions. */
  async #passTime(
    horizonMs: number,
    commit: Commit,
    offset: number,
    fire: (user: User) => void,
    later?: ReadonlyMap<string, unknown>,
  ): Promise<void> {
    for (;;) {
      const userId = await this.#nextDue(horizonMs - 1);
      if (userId === undefined) return;
      if (later?.has(userId) === true) {
        this.#overlay.take(userId);
        continue;
      }
      const user = await this.#openDue(userId, horizonMs - 1);
      this.#firstTimer(user);
      fire(user);
      this.#overlay.close(user);
      if (this.#overlay.fill >= 0.5) await this.#commit(commit, offset);
    }
  }

  /** Who has the next timer due at or before `dueMs`. */
  async #nextDue(dueMs: number): Promise<string | undefined> {
    const { timers } = this.#overlay;
    if (timers.needsLoad) await timers.load();
    const next = timers.peek();
    return next === undefined || next.dueMs > dueMs ? undefined : next.userId;
  }

  /** That user; with those who come next, where the store has to be asked. */
  async #openDue(userId: string, dueMs: number): Promise<User> {
    const ahead = (): string[] => this.#overlay.timers.ahead(dueMs, PREFETCH_USERS).map((next) => next.userId);
    return this.#overlay.open(userId) ?? (await this.#overlay.load([userId, ...ahead()]));
  }

  /** The timer for which the index has the user. */
  #firstTimer({ userId, state }: User): Timer {
    const due = this.#overlay.timers.peek();
    const timer = nextTimer(state);
    if (timer === null || due?.userId !== userId || timer.dueMs !== due.dueMs)
      throw new StateLostError(
        `the local store's timer index has a user at ${due?.dueMs} whose first timer is due at ${timer?.dueMs ?? 'no time'}`,
      );
    return timer;
  }

  #fireTimer(record: LogRecord, user: User, timer: Timer, nowMs: number): void {
    const { program } = this.#options;
    this.#overlay.timer(record, user, timer, this.#rowGrowth(user.rowBytes, 0, null), () => onTimer(user.state, timer, nowMs, program));
  }

  async #commit(commit: Commit, offset: number): Promise<void> {
    const position = { offset, nowMs: this.#nowMs };
    await commit(this.#overlay.output(position));
    this.#committed = position;
    this.#overlay.tally.report(this.#options.observer, this.#context.clock.nowMs());
    this.#overlay.committed();
  }

  async #schedule(): Promise<void> {
    const { timers } = this.#overlay;
    await timers.load();
    this.#ticker.schedule(timers.peek()?.dueMs ?? null, this.#nowMs);
  }
}

/** One at a time: none is kept for the others' sake. */
function* valuesOf(records: LogRecords): Generator<Buffer | null> {
  for (const { value } of records) yield value;
}

/** Users of a segment from the run that comes next on, and of the records behind it: where ticks stand close, a segment has few. */
function usersAhead({ runs, records, to }: Segment, taken: number): [string, ...string[]] {
  const users = new Set([...runs.keys()].slice(taken, taken + PREFETCH_USERS));
  for (let at = to; at < records.length && users.size < PREFETCH_USERS; at++) {
    const { key } = records.at(at)!;
    if (key !== null) users.add(key.toString('utf8'));
  }
  return [...users] as [string, ...string[]];
}
