import type { Codec } from '../avro/codec.ts';
import type { Program } from '../core/program.ts';
import { onEvent, onTimer } from '../core/step.ts';
import { nextDueMs, nextTimer } from '../core/timers.ts';
import { FatalError, StateLostError, toError } from '../engine/errors.ts';
import type { Commit, InputPosition, Row, StageTask, TaskContext } from '../engine/stage.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';
import type { StoreOp } from '../store/port.ts';
import { readInput, type Input } from './input.ts';
import type { ProcessorObserver } from './observer.ts';
import type { ProcessorTopics } from './outbox.ts';
import { Overlay, RowError } from './overlay.ts';
import { rowGrowthOf } from './row-growth.ts';
import { Ticker } from './ticker.ts';
import { indexOps } from './timer-index.ts';
import { decodeUserState } from './user-state-codec.ts';
import type { User } from './users.ts';

/** Users loaded ahead of their timers, which fire next. */
const PREFETCH_USERS = 256;
/** Historical input: timers that fire between two looks at the transaction's size. */
const MAX_FIRED_AT_ONCE = 256;

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

/** The users of a batch's records, which are to be used while no others were dropped. */
interface Ahead {
  readonly users: readonly User[];
  readonly turnOvers: number;
}

export interface Historical {
  /** How far behind the largest record time a record may be: due times wait for it. */
  readonly allowedLatenessMs: number;
  /** Timers due at or before this fire at the end of the input; null = none. */
  readonly untilMs: number | null;
}

/**
 * Runs the core over one partition of the timeline.
 *
 * - `now` is the largest append time seen, never the wall clock. Only a tick fires timers (live), or a due time that the input has passed
 *   (historical).
 * - One batch, one commit, unless it grows too large; then it ends between two records.
 * - Rows are measured when they are encoded, at the commit; a batch with a row that is too large is done again, carefully.
 */
export class ProcessorTask implements StageTask {
  readonly #options: ProcessorTaskOptions;
  readonly #context: TaskContext;
  readonly #source: TopicPartition;
  readonly #overlay: Overlay;
  readonly #ticker: Ticker;
  #nowMs = 0;
  /** A tick could not be appended: the next `wake` ends the task with it. */
  #tickError: Error | undefined;
  /** The last commit: where a batch that must be done again begins. */
  #committed: InputPosition = { offset: 0, nowMs: 0 };

  constructor(options: ProcessorTaskOptions, context: TaskContext) {
    this.#options = options;
    this.#context = context;
    this.#source = { topic: options.inputTopic, partition: context.partition };
    const { codec, topics, cacheBytes } = options;
    const { store, partitions } = context;
    const rowGrowth = rowGrowthOf(options.program);
    this.#overlay = new Overlay({ codec, topics, cacheBytes, partitions, store, source: this.#source, rowGrowth });
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

  async process(batch: { readonly records: readonly LogRecord[]; readonly nextOffset: number }, commit: Commit): Promise<void> {
    const { records, nextOffset } = batch;
    await this.#options.codec.prepare(valuesOf(records));
    // A key is its user's id, or the record is refused.
    const { users } = this.#overlay;
    const userIds = records.map(({ key }) => (key === null ? '' : key.toString('utf8')));
    const ahead = { users: await users.load(userIds), turnOvers: users.turnOvers };
    await this.#orCarefully(() => this.#takeAll(records, ahead, nextOffset, commit));
    users.forget();
    await this.#schedule();
  }

  async finish(commit: Commit): Promise<void> {
    const untilMs = this.#options.historical?.untilMs ?? null;
    if (untilMs === null) return;
    const end = { offset: this.#committed.offset, timestampMs: untilMs, key: null, value: null };
    await this.#orCarefully(async () => {
      await this.#passTime(end, untilMs + 1, commit);
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

  /** Each record is decoded when its turn comes, and forgotten behind it: what all of a batch's events hold would outlive a garbage collection or two. */
  async #takeAll(records: readonly LogRecord[], ahead: Ahead, nextOffset: number, commit: Commit): Promise<void> {
    const { historical, codec, maxEventBytes } = this.#options;
    // The second time (see `#orCarefully`) the batch's first part may be committed.
    const from = this.#committed.offset;
    const { users } = this.#overlay;
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      if (record.offset < from) continue;
      if (historical !== null) {
        const horizonMs = record.timestampMs - historical.allowedLatenessMs;
        if (this.#overlay.timers.mayBeDueBefore(horizonMs)) await this.#passTime(record, horizonMs, commit);
      }
      this.#nowMs = Math.max(this.#nowMs, record.timestampMs);
      const input = readInput(codec, this.#source, record, maxEventBytes);
      if (input.kind === 'event') {
        if (historical !== null && input.forwarded) continue;
        // Loaded with the batch, and perhaps dropped again when the batch took more than one commit.
        const user = users.turnOvers === ahead.turnOvers ? ahead.users[i]! : await users.loaded(input.event.userId);
        this.#takeEvent(record, user, input);
      } else if (input.kind === 'refused') this.#overlay.refuse(record, input.refusal);
      else if (historical === null) await this.#takeTick(record, input);
      if (this.#overlay.full) await this.#commit(commit, record.offset + 1);
    }
    await this.#commit(commit, nextOffset);
  }

  /** Again from the last commit where a row cannot be kept, finding the step that did it. */
  async #orCarefully(take: () => Promise<void>): Promise<void> {
    try {
      await take();
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      this.#overlay.rollback();
      this.#nowMs = this.#committed.nowMs;
      this.#overlay.careful = true;
      await take();
      this.#overlay.careful = false;
    }
  }

  #takeEvent(record: LogRecord, user: User, { event, bytes }: Extract<Input, { kind: 'event' }>): void {
    const { program, historical } = this.#options;
    const { tally } = this.#overlay;
    if (user.home !== this.#context.partition) {
      if (historical === null) {
        this.#overlay.forward(record, event, user.home);
        return;
      }
      tally.wrongPartition++;
    }
    tally.event(program.eventTypes.has(event.type) || event.type.startsWith('$') ? event.type : 'other');
    this.#overlay.event(record, user, bytes, () => onEvent(user.state, event, this.#nowMs, program));
  }

  async #takeTick(record: LogRecord, tick: Extract<Input, { kind: 'tick' }>): Promise<void> {
    this.#overlay.tally.ticks++;
    await this.#fire(record, Math.min(this.#nowMs, tick.upToMs ?? Infinity), tick.maxTimers, this.#nowMs);
    await this.#schedule();
    this.#ticker.read(record.timestampMs);
  }

  /** Historical input: one tick per due time before the horizon, each at that due time. Many timers of one due time may take several transactions. */
  async #passTime(record: LogRecord, horizonMs: number, commit: Commit): Promise<void> {
    const { timers } = this.#overlay;
    for (;;) {
      if (timers.needsLoad) await timers.load();
      const next = timers.peek();
      if (next === undefined || next.dueMs >= horizonMs) return;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      await this.#fire(record, next.dueMs, MAX_FIRED_AT_ONCE, next.dueMs);
      if (this.#overlay.full) await this.#commit(commit, record.offset);
    }
  }

  /** Fires up to `max` timers due at or before `dueMs`, in firing order and at `nowMs`; those armed meanwhile take part. */
  async #fire(record: LogRecord, dueMs: number, max: number, nowMs: number): Promise<void> {
    const { users, timers, tally } = this.#overlay;
    const { program, historical } = this.#options;
    for (let fired = 0; fired < max; fired++) {
      if (timers.needsLoad) await timers.load();
      const next = timers.peek();
      if (next === undefined || next.dueMs > dueMs) return;
      if (users.get(next.userId) === undefined) await users.load(timers.ahead(dueMs, PREFETCH_USERS).map(({ userId }) => userId));
      const user = users.get(next.userId) ?? (await users.loaded(next.userId));
      const timer = nextTimer(user.state);
      if (timer?.dueMs !== next.dueMs)
        throw new StateLostError(
          `the local store's timer index has a user at ${next.dueMs} whose first timer is due at ${timer?.dueMs ?? 'no time'}`,
        );
      if (historical === null) tally.timerFired((nowMs - timer.dueMs) / 1000);
      this.#overlay.timer(record, user, timer, () => onTimer(user.state, timer, nowMs, program));
    }
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
function* valuesOf(records: readonly LogRecord[]): Generator<Buffer | null> {
  for (const { value } of records) yield value;
}
