import type { Codec } from '../avro/codec.ts';
import { nextDueMs } from '../core/timers.ts';
import { FatalError, StateLostError, toError } from '../engine/errors.ts';
import type { Commit, InputPosition, Row, StageTask, TaskContext } from '../engine/stage.ts';
import type { LogRecord, LogRecords, TopicPartition } from '../log/port.ts';
import type { StoreOp } from '../store/port.ts';
import { Asks, type AskOptions } from './asks.ts';
import { DueUsers } from './due-users.ts';
import type { InForce } from './in-force.ts';
import { readInput, type Input } from './input.ts';
import type { ProcessorObserver } from './observer.ts';
import type { ProcessorTopics } from './outbox.ts';
import { ENOUGH, Overlay } from './overlay.ts';
import { PastTime } from './past-time.ts';
import { RowError } from './rows.ts';
import { Segment } from './segment.ts';
import { Sweeper } from './sweeper.ts';
import { indexOps } from './timer-index.ts';
import { SegmentTooLargeError, Turns } from './turns.ts';
import { decodeUserState } from './user-state-codec.ts';
import { PREFETCH_USERS } from './users.ts';

export interface ProcessorTaskOptions extends AskOptions {
  /** Of this partition, and of this task alone. */
  readonly inForce: InForce;
  readonly codec: Codec;
  readonly inputTopic: string;
  readonly topics: ProcessorTopics;
  readonly maxEventBytes: number;
  readonly cacheBytes: number;
  /** Set for historical input: record time is append time, due times are ticks of their own, nothing is written to the input. */
  readonly historical: Historical | null;
  readonly observer: ProcessorObserver;
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
 * - The topology is what the last record of one says (`in-force.ts`): from there on, whoever owns the partition.
 * - One batch, one commit, unless it grows too large; then it ends between two records.
 * - Between two ticks users are worked through one after the other (`segment.ts`): what comes out has each user's order.
 * - Rows are measured when they are encoded, at the end of a user's turn; a transaction with one that is too large is done again, carefully.
 */
export class ProcessorTask implements StageTask {
  readonly #options: ProcessorTaskOptions;
  readonly #context: TaskContext;
  readonly #source: TopicPartition;
  readonly #overlay: Overlay;
  readonly #asks: Asks;
  readonly #turns: Turns;
  readonly #due: DueUsers;
  readonly #pastTime: PastTime;
  readonly #sweeper: Sweeper;
  #unwatch = (): void => undefined;
  #nowMs = 0;
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
    const { maxEventBytes, historical } = options;
    this.#turns = new Turns({ codec, source: this.#source, maxEventBytes, isHistorical: historical !== null }, this.#overlay);
    this.#due = new DueUsers(this.#overlay);
    this.#pastTime = new PastTime(this.#overlay, this.#due, this.#turns);
    this.#sweeper = new Sweeper(store, this.#overlay, this.#turns);
    this.#asks = new Asks(context, options, () => this.#nowMs);
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

  async start(position: InputPosition, commit: Commit): Promise<void> {
    this.#committed = position;
    this.#nowMs = position.nowMs;
    const { inForce } = this.#options;
    await inForce.start(position.stage);
    this.#turns.use(inForce.program);
    this.#unwatch = inForce.watch(this.#context.changed);
    await this.#untilItFits(() => this.#sweep(commit));
    await this.#schedule();
  }

  get nextWakeMs(): number | null {
    return this.#options.historical === null ? this.#asks.nextWakeMs : null;
  }

  wake(): Promise<void> {
    return this.#asks.wake();
  }

  async process(batch: { readonly records: LogRecords; readonly nextOffset: number }, commit: Commit): Promise<void> {
    const { records, nextOffset } = batch;
    await this.#options.codec.prepare(valuesOf(records));
    await this.#untilItFits(async () => {
      await this.#sweep(commit);
      // The second time the batch's first part may be committed.
      let at = 0;
      while (at < records.length && records.at(at)!.offset < this.#committed.offset) at++;
      while (at < records.length) {
        at = await this.#takeSome(records, at, commit);
        if (this.#overlay.fill >= ENOUGH && at < records.length) await this.#commit(commit, records.at(at - 1)!.offset + 1);
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
    const { offset } = this.#committed;
    await this.#untilItFits(async () => {
      await this.#pastTime.passTo(untilMs, offset, this.#nowMs, () => this.#commit(commit, offset));
      await this.#commit(commit, offset);
    });
  }

  stop(): Promise<void> {
    // Nothing is ever in flight between two batches.
    return Promise.resolve();
  }

  close(): void {
    this.#unwatch();
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
        this.#options.inForce.rollback();
        this.#turns.use(this.#options.inForce.program);
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
      if (this.#options.inForce.sweep !== undefined) {
        await this.#commit(commit, record.offset + 1);
        await this.#sweep(commit);
      }
      return at + 1;
    }
    const time = { nowMs: this.#nowMs, allowedLatenessMs: historical?.allowedLatenessMs ?? 0 };
    const segment = new Segment(records, { from: at, most: this.#maxSegment, endsAtKeyless }, time);
    await this.#takeSegment(segment, commit);
    return segment.to;
  }

  async #takeSegment(segment: Segment, commit: Commit): Promise<void> {
    const { to, runs } = segment;
    if (this.#options.historical !== null) {
      const { offset } = segment.records.at(segment.from)!;
      await this.#pastTime.passSegment(segment, () => this.#commit(commit, offset));
    }
    for (const index of segment.keyless) {
      await this.#takeKeyless(segment.records.at(index)!);
      this.#turns.expectRoom(segment);
    }
    let taken = 0;
    for (const run of runs.values()) {
      const user = this.#overlay.open(run.userId) ?? (await this.#overlay.load(run.userId, segment.usersAhead(taken, PREFETCH_USERS)));
      this.#turns.take(segment, run, user);
      this.#overlay.close(user);
      taken++;
      if (taken < runs.size) this.#turns.expectRoom(segment);
    }
    this.#nowMs = Math.max(this.#nowMs, segment.nowMs(to - 1));
  }

  async #takeKeyless(record: LogRecord): Promise<void> {
    const { codec, historical, maxEventBytes } = this.#options;
    const input = readInput(codec, this.#source, record, maxEventBytes);
    if (input.kind === 'refused') this.#overlay.refuse(record, input.refusal);
    if (historical !== null) return;
    this.#nowMs = Math.max(this.#nowMs, record.timestampMs);
    if (input.kind === 'tick') await this.#takeTick(record, input);
    else if (input.kind === 'topology') await this.#takeTopology(record, input);
  }

  async #takeTopology(record: LogRecord, { topology }: Extract<Input, { kind: 'topology' }>): Promise<void> {
    const { inForce } = this.#options;
    if (!(await inForce.activate(record.offset, topology, this.#nowMs))) return;
    this.#turns.use(inForce.program);
    this.#asks.replaced();
  }

  /** Whatever is left of it, in as many transactions as it takes. */
  async #sweep(commit: Commit): Promise<void> {
    const { inForce } = this.#options;
    for (let { sweep } = inForce; sweep !== undefined; { sweep } = inForce) {
      inForce.swept(await this.#sweeper.some(sweep, inForce.program, this.#nowMs));
      await this.#commit(commit, this.#committed.offset);
    }
  }

  /** Fires up to `maxTimers` timers, in the order of their due times; those armed meanwhile take part. */
  async #takeTick(record: LogRecord, { maxTimers, upToMs }: Extract<Input, { kind: 'tick' }>): Promise<void> {
    const { tally } = this.#overlay;
    const dueMs = Math.min(this.#nowMs, upToMs ?? Infinity);
    tally.ticks++;
    for (let fired = 0; fired < maxTimers; fired++) {
      const due = await this.#due.next(dueMs);
      if (due === undefined) break;
      const { user, timer } = due;
      tally.timerFired((this.#nowMs - timer.dueMs) / 1000);
      this.#turns.fire(record, user, timer, this.#nowMs);
      this.#overlay.close(user);
    }
    await this.#schedule();
    this.#asks.ticker.read(record.timestampMs);
  }

  async #commit(commit: Commit, offset: number): Promise<void> {
    const { text: stage } = this.#options.inForce;
    const position = { offset, nowMs: this.#nowMs, ...(stage === undefined ? {} : { stage }) };
    await commit(this.#overlay.output(position));
    this.#committed = position;
    this.#options.inForce.committed();
    this.#overlay.tally.report(this.#options.observer, this.#context.clock.nowMs());
    this.#overlay.committed();
  }

  async #schedule(): Promise<void> {
    const { timers } = this.#overlay;
    await timers.load();
    this.#asks.ticker.schedule(timers.peek()?.dueMs ?? null, this.#nowMs);
  }
}

/** One at a time: none is kept for the others' sake. */
function* valuesOf(records: LogRecords): Generator<Buffer | null> {
  for (const { value } of records) yield value;
}
