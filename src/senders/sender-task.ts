import type { Codec } from '../avro/codec.ts';
import { deadLetter } from '../engine/dead-letter.ts';
import { FatalError } from '../engine/errors.ts';
import type { Commit, InputPosition, Row, StageTask, TaskContext } from '../engine/stage.ts';
import type { Log, LogRecord, LogRecords } from '../log/port.ts';
import type { StoreOp } from '../store/port.ts';
import { Admission } from './admission.ts';
import { Batch } from './batch.ts';
import { Book } from './book.ts';
import { Calls } from './calls.ts';
import { decodeRow } from './command-row.ts';
import { Feedback } from './feedback.ts';
import type { SenderObserver } from './observer.ts';
import type { Provider } from './provider.ts';
import { countWaiting, indexOps, nextDueMs } from './row-index.ts';
import { afterAnswer, type RetryPolicy } from './unit-rules.ts';
import { Withdrawals } from './withdrawals.ts';

export interface SenderTaskOptions {
  readonly provider: Provider;
  readonly codec: Codec;
  readonly log: Log;
  readonly topics: SenderTopics;
  readonly concurrency: number;
  readonly maxWaiting: number;
  readonly retry: RetryPolicy;
  readonly observer: SenderObserver;
}

export interface SenderTopics {
  readonly dispatch: string;
  readonly outcomes: string;
  readonly timeline: string;
  readonly deadLetters: string;
}

/** Of the drain time: what is left is for the commit. */
const DRAIN_SHARE = 0.7;

/**
 * One partition of a sender. Its unit is (command, device, attempt), and its invariant: behind the input position every command has all its final
 * outcomes written, or a row that says where each of its units stands (`command-row.ts`).
 *
 * One loop (`#pump`) turns, in this order, each step leaving to the commit what must be in one transaction:
 *   1. take answers that have come: outcomes, feedback events, waits;
 *   2. admit units while there are free places: those that wait and are due, then the batch;
 *   3. commit all of it, with the position;
 *   4. only now call for what was claimed. (`at_least_once` is called in step 2: its promise is the other order.)
 * Calls stay in flight between batches: one that hangs holds its place, not the partition. Nothing sleeps in the loop; a unit that has to wait is
 * a row with a due time.
 */
export class SenderTask implements StageTask {
  readonly #options: SenderTaskOptions;
  readonly #context: TaskContext;
  readonly #book: Book;
  readonly #calls: Calls;
  readonly #withdrawals: Withdrawals;
  readonly #admission: Admission;
  #batch: Batch | null = null;
  #position: InputPosition = { offset: 0, nowMs: 0 };
  #committedOffset = 0;
  #nextDueMs: number | null = null;
  /** The code of an answer that means: stop, it is us. */
  #halt: string | null = null;
  #draining = false;
  /** Ends the pump's wait. */
  #nudge: () => void = () => undefined;

  constructor(options: SenderTaskOptions, context: TaskContext) {
    const { provider, codec, topics, observer, concurrency } = options;
    const { partition, store, clock } = context;
    this.#options = options;
    this.#context = context;
    this.#book = new Book(store, codec, new Feedback(codec, topics, provider.name, partition), observer, provider.name);
    this.#calls = new Calls({ provider, concurrency, clock, observer, onAnswer: () => this.#onAnswer() });
    this.#withdrawals = new Withdrawals(store, provider.name);
    this.#admission = new Admission({
      ...{ book: this.#book, calls: this.#calls, withdrawals: this.#withdrawals, codec, store, clock },
      refuse: (record, reason, detail) => this.#refuse(record, reason, detail),
    });
    context.signal.addEventListener('abort', this.#onAbort);
    context.stopping?.addEventListener('abort', this.#onStopping);
  }

  restored(rows: readonly Row[], previous: readonly (Buffer | null)[]): readonly StoreOp[] {
    return rows.flatMap(({ key, value }, index) => {
      const before = previous[index];
      return indexOps(key.toString('utf8'), before ? decodeRow(before) : null, value && decodeRow(value));
    });
  }

  /** Before the first call: what was taken back meanwhile, and what a former task left in flight. */
  async start(position: InputPosition, commit: Commit): Promise<void> {
    const { log, topics, maxWaiting } = this.#options;
    const { store, signal } = this.#context;
    this.#position = position;
    this.#committedOffset = position.offset;
    this.#book.waiting = await countWaiting(store, maxWaiting + this.#options.concurrency);
    this.#nextDueMs = await nextDueMs(store);
    await this.#withdrawals.scan(log, topics.dispatch, position.offset, signal);
    await this.#admission.settleLeftovers(() => this.#flush(commit));
  }

  async process(batch: { readonly records: LogRecords; readonly nextOffset: number }, commit: Commit): Promise<void> {
    this.#batch = new Batch(batch.records, batch.nextOffset, this.#options.provider.name, this.#position.nowMs);
    await this.#admission.overtake(this.#batch);
    await this.#pump(commit, () => this.#batch?.done ?? true);
  }

  get nextWakeMs(): number | null {
    if (this.#draining) return null;
    if (this.#calls.hasAnswers || this.#book.dirty || this.#halt !== null) return 0;
    if (this.#calls.free <= 0) return null;
    return this.#admission.hasReady ? 0 : this.#nextDueMs;
  }

  async wake(commit: Commit): Promise<void> {
    await this.#pump(commit, () => true);
  }

  async stop(commit: Commit, deadlineMs: number): Promise<void> {
    const { clock } = this.#context;
    this.#draining = true;
    const cancel = clock.at(clock.nowMs() + deadlineMs * DRAIN_SHARE, () => this.#calls.abort());
    try {
      // What is halted is halted at the next start too: here it is only about what is in flight.
      while (this.#calls.inFlight > 0 || this.#calls.hasAnswers || this.#book.dirty) {
        this.#takeAnswers();
        if (this.#book.dirty) await this.#flush(commit);
        else await this.#event();
      }
    } finally {
      cancel();
    }
  }

  close(): void {
    this.#context.signal.removeEventListener('abort', this.#onAbort);
    this.#context.stopping?.removeEventListener('abort', this.#onStopping);
    this.#calls.abort();
  }

  /** Turns until `done` and nothing is left to write; also ends, with the batch unfinished, when the task is asked to stop. */
  async #pump(commit: Commit, done: () => boolean): Promise<void> {
    for (;;) {
      this.#takeAnswers();
      if (this.#halt === null && !this.#draining) await this.#admit();
      if (this.#batch !== null) this.#position = this.#batch.position;
      if (this.#batch?.done === true) this.#batch = null;
      if (this.#book.dirty || (this.#batch === null && this.#position.offset > this.#committedOffset)) {
        await this.#flush(commit);
        continue;
      }
      if (this.#halt !== null && this.#calls.inFlight === 0) throw halted(this.#options.provider.name, this.#halt);
      if (this.#halt === null && (this.#draining || done())) return;
      await this.#event();
    }
  }

  async #admit(): Promise<void> {
    const nowMs = this.#context.clock.nowMs();
    if (this.#nextDueMs !== null && this.#nextDueMs <= nowMs) await this.#admission.admitDue(nowMs);
    await this.#admission.admitReady(this.#position.offset);
    // Past the cap, dispatch is the queue: nothing more is taken from it until some of those that wait are done.
    while (
      this.#batch !== null &&
      !this.#batch.done &&
      this.#calls.free > this.#admission.claims &&
      this.#book.waiting < this.#options.maxWaiting
    ) {
      const entry = this.#batch.take();
      if (entry !== undefined) await this.#admission.admitEntry(entry, this.#position.offset);
    }
  }

  #takeAnswers(): void {
    const { clock } = this.#context;
    for (const { ref, answer, sentAtMs } of this.#calls.take()) {
      const nowMs = clock.nowMs();
      const live = this.#book.get(ref.commandId);
      const next = afterAnswer(live.command, live.unit(ref.index), answer, nowMs, this.#options.retry);
      if (next.kind === 'final') {
        this.#book.end(ref, next.ending, { nowMs, sentAtMs, providerMessageId: answer.providerMessageId });
        continue;
      }
      this.#book.tell(ref, answer, nowMs);
      if (next.kind === 'wait') this.#book.wait(ref, next.dueMs, next.doubt);
      else {
        this.#halt ??= answer.code;
        this.#book.ready(ref);
      }
    }
  }

  async #flush(commit: Commit): Promise<void> {
    const { store, partition } = this.#context;
    await commit({ ...this.#book.pages(), position: this.#position });
    this.#book.committed();
    this.#committedOffset = this.#position.offset;
    this.#admission.startClaimed();
    this.#nextDueMs = await nextDueMs(store);
    await this.#withdrawals.tidy(this.#position.offset);
    const { observer, provider } = this.#options;
    observer.load(provider.name, partition, this.#calls.inFlight, this.#book.waiting);
  }

  #refuse(record: LogRecord, reason: string, detail: string): void {
    const { topics, observer, provider } = this.#options;
    const source = { topic: topics.dispatch, partition: this.#context.partition };
    this.#book.write(deadLetter(topics.deadLetters, source, record, { reason, detail }));
    observer.deadLetter(provider.name, reason);
  }

  /** Waits for an answer, a due time, or a stop. */
  async #event(): Promise<void> {
    const { clock, signal } = this.#context;
    signal.throwIfAborted();
    if (this.#calls.hasAnswers) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#nudge = () => resolve(undefined);
    const cancel = this.#nextDueMs === null || this.#calls.free <= 0 ? undefined : clock.at(this.#nextDueMs, this.#nudge);
    await promise;
    cancel?.();
    signal.throwIfAborted();
  }

  #onAnswer(): void {
    this.#nudge();
    this.#context.changed();
  }

  readonly #onAbort = (): void => {
    this.#calls.abort();
    this.#nudge();
  };

  readonly #onStopping = (): void => {
    this.#draining = true;
    this.#nudge();
  };
}

function halted(provider: string, code: string): FatalError {
  return new FatalError(
    `sender ${provider}: the provider refuses us, not the message (${code}): check its credentials and project, then start again; nothing was skipped`,
  );
}
