import { mutant } from '../log/mutant.ts';
import type { FetchedBatch, Log, LogReader, TransactionalWriter } from '../log/port.ts';
import type { PartitionStore, Store } from '../store/port.ts';
import { pause } from './clock.ts';
import { Committer } from './commit.ts';
import { classify, toError, type TaskEnd } from './errors.ts';
import { committingEachSend, onceMore } from './mutants.ts';
import type { EngineObserver, TaskState } from './observer.ts';
import { restore } from './restore.ts';
import type { Clock, Commit, InputPosition, Stage, StageTask } from './stage.ts';
import { startPosition } from './start-position.ts';

export interface TaskOptions {
  readonly stage: Stage;
  readonly partition: number;
  readonly partitions: number;
  readonly log: Log;
  readonly store: Store;
  readonly groupId: string;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly fetchMaxBytes: number;
  readonly generationId: () => number;
  /** Historical input: end the task at the log's end as it is now. */
  readonly bounded: boolean;
  readonly clock: Clock;
  readonly observer: EngineObserver;
  /** Told of each changelog offset that the local store has reached; 0 when it was wiped. */
  readonly onStored?: (changelogOffset: number) => void;
}

/**
 * One partition of one stage, from birth to death:
 *
 *   created -> fencing -> restoring -> running -> closed
 *      any error: -> closed, with everything it held (producer, store handle, state in memory)
 *
 * - Fencing comes first: it finishes the predecessor's transaction, so that what restore and start position read is final.
 * - Nothing is ever repaired in place. A task that met an error is thrown away; `done` says what to do next (`TaskEnd`).
 * - While there is a backlog, the next fetch overlaps the batch in work; at most one batch waits in memory. At the end of the input it waits for
 *   the commit: it would have the few records that came first, and all others would stand behind those for a commit more.
 * - `stop` ends between batches, with everything that was begun committed. `abandon` ends now.
 */
export class Task {
  readonly partition: number;
  /** Resolves, never rejects, once everything that the task held is closed. */
  readonly done: Promise<TaskEnd>;
  readonly #options: TaskOptions;
  readonly #abort = new AbortController();
  readonly #stopping = new AbortController();
  /** Makes a waiting loop look again: a stop, or a moved wake time. Nothing to do where it does not wait. */
  #nudge = (): void => undefined;
  #stopWithinMs: number | undefined;
  #running = false;
  #committed = false;
  #writer: TransactionalWriter | undefined;

  constructor(options: TaskOptions) {
    this.partition = options.partition;
    this.#options = options;
    this.done = this.#live();
  }

  /** Whether anything was: a task that gets on and fails again is in another kind of trouble than one that never does. */
  get hasCommitted(): boolean {
    return this.#committed;
  }

  /** Ends between batches; a stage with work in flight has `deadlineMs` to finish it. A task that does not run yet ends at once. */
  stop(deadlineMs: number): Promise<TaskEnd> {
    this.#stopWithinMs ??= deadlineMs;
    this.#stopping.abort();
    if (!this.#running) this.#abort.abort(new Error('the task was stopped before it ran'));
    this.#nudge();
    return this.done;
  }

  /** Ends now, committing nothing more: what waits for the log fails. */
  abandon(): Promise<TaskEnd> {
    this.#abort.abort(new Error('the task was abandoned'));
    // A commit that waits for an unreachable coordinator ends with its connection.
    void this.#writer?.close().catch(() => undefined);
    return this.stop(0);
  }

  async #live(): Promise<TaskEnd> {
    const { log, stage, partition, observer } = this.#options;
    this.#enter('created');
    const writer = log.transactionalWriter({
      transactionalId: this.#options.transactionalId,
      transactionTimeoutMs: this.#options.transactionTimeoutMs,
    });
    this.#writer = writer;
    let store: PartitionStore | undefined;
    let stageTask: StageTask | undefined;
    let end: TaskEnd;
    try {
      this.#enter('fencing');
      await writer.fence(this.#abort.signal);
      this.#enter('restoring');
      store = await this.#options.store.open(partition);
      stageTask = this.#createStageTask(store);
      const position = await this.#restore(store, stageTask);
      // Where there was nothing to read, nothing has noticed a stop yet.
      this.#abort.signal.throwIfAborted();
      const committing = mutant('abort-skipped') ? committingEachSend(writer) : writer;
      const committer = new Committer(committing, store, this.#commitTarget(), this.#options.clock, position.offset);
      this.#enter('running');
      this.#running = true;
      end = await this.#run(stageTask, committer, position);
    } catch (thrown) {
      end = this.#abort.signal.aborted ? { kind: 'stopped' } : classify(toError(thrown));
      if (end.kind === 'state_lost')
        await store?.wipe().then(
          () => this.#onStored(0),
          (error: unknown) => observer.note('error', `partition ${partition}: ${String(error)}`),
        );
    }
    this.#abort.abort();
    stageTask?.close();
    // The producer closes before the partition's store does, and the store before `done`: whoever opens the partition next finds neither in use.
    await writer
      .close()
      .catch((error: unknown) => observer.note('warn', `${stage.name}-${partition}: closing the producer: ${String(error)}`));
    await store?.close();
    this.#enter('closed');
    return end;
  }

  #createStageTask(store: PartitionStore): StageTask {
    const { stage, partition, partitions, clock } = this.#options;
    const signals = { signal: this.#abort.signal, stopping: this.#stopping.signal };
    return stage.createTask({ partition, partitions, store, clock, ...signals, changed: () => this.#nudge() });
  }

  #commitTarget(): ConstructorParameters<typeof Committer>[2] {
    const { stage, partition, partitions, groupId, generationId } = this.#options;
    const onStored = this.#onStored;
    const { inputTopic, changelogTopic, stateVersion } = stage;
    return { partition, partitions, inputTopic, changelogTopic, groupId, stateVersion, rowTable: rowTable(stage), generationId, onStored };
  }

  async #restore(store: PartitionStore, stageTask: StageTask): Promise<InputPosition> {
    const { log, stage, partition, partitions, clock, observer, groupId } = this.#options;
    const { changelogTopic, inputTopic, stateVersion, oldestStateVersion = stateVersion } = stage;
    const signal = this.#abort.signal;
    const position = await restore({
      ...{ log, store, stageTask, partition, partitions, changelogTopic, stateVersion, clock, signal, observer },
      ...{ rowTable: rowTable(stage), oldestStateVersion, onStored: this.#onStored, inputMayGrow: stage.inputMayGrow ?? false },
    });
    return startPosition({ log, groupId, inputTopic, partition, position, sleep: (ms) => this.#sleep(ms) });
  }

  async #run(stageTask: StageTask, committer: Committer, position: InputPosition): Promise<TaskEnd> {
    const { log, stage, partition, bounded, fetchMaxBytes } = this.#options;
    const commit = this.#instrumented(committer);
    const end = bounded ? ((await log.admin.offsets(stage.inputTopic)).get(partition)?.end ?? 0) : Infinity;
    await stageTask.start(position, commit);
    const reader = log.reader({ topic: stage.inputTopic, partition, offset: position.offset, maxBytes: fetchMaxBytes });
    try {
      const finished = await this.#loop(stageTask, reader, { commit, committer, end });
      if (finished) await stageTask.finish?.(commit);
      await stageTask.stop(commit, this.#stopWithinMs ?? 0);
      return { kind: finished ? 'finished' : 'stopped' };
    } finally {
      await reader.close();
    }
  }

  /** True when bounded input was read to its end, false when asked to stop. */
  async #loop(
    stageTask: StageTask,
    reader: LogReader,
    run: { readonly commit: Commit; readonly committer: Committer; readonly end: number },
  ): Promise<boolean> {
    const { partition, observer, clock } = this.#options;
    let read = reader.position;
    let next: Promise<FetchedBatch> | undefined;
    while (this.#stopWithinMs === undefined) {
      if (read >= run.end) return true;
      next ??= this.#fetch(reader);
      const event = await this.#first(next, stageTask.nextWakeMs);
      if (event === 'nudge') continue;
      if (event === 'wake') {
        await stageTask.wake(run.commit);
        continue;
      }
      next = undefined;
      const batch = upTo(event, run.end);
      const reportLag = (): void => observer.lag(partition, Math.max(0, batch.lastStableOffset - run.committer.committedOffset));
      reportLag();
      const moved = batch.nextOffset > read;
      read = batch.nextOffset;
      if (batch.records.length > 0) {
        if (read < Math.min(run.end, batch.lastStableOffset)) next = this.#fetch(reader);
        const began = clock.nowMs();
        await stageTask.process(batch, run.commit);
        observer.batch(partition, batch.records.length, (clock.nowMs() - began) / 1000);
        reportLag();
      } else if (!moved && read > run.committer.committedOffset) {
        // Only markers were read since. Committed when the input idles, so that lag tools see the end; never once per marker.
        await stageTask.process(batch, run.commit);
        reportLag();
      }
    }
    return false;
  }

  #fetch(reader: LogReader): Promise<FetchedBatch> {
    const fetching = reader.fetch({ signal: this.#abort.signal });
    // The loop may leave by another error first; this one is then of no interest.
    fetching.catch(() => undefined);
    return fetching;
  }

  /** Whichever comes first: the batch, the stage's wake time, or a nudge. A due wake goes first, so that a busy input cannot starve it. */
  async #first(next: Promise<FetchedBatch>, wakeAtMs: number | null): Promise<FetchedBatch | 'wake' | 'nudge'> {
    const { clock } = this.#options;
    if (wakeAtMs !== null && wakeAtMs <= clock.nowMs()) return 'wake';
    let cancel = (): void => undefined;
    try {
      return await new Promise<FetchedBatch | 'wake' | 'nudge'>((resolve, reject) => {
        this.#nudge = () => resolve('nudge');
        if (wakeAtMs !== null) cancel = clock.at(wakeAtMs, () => resolve('wake'));
        next.then(resolve, reject);
      });
    } finally {
      cancel();
      this.#nudge = () => undefined;
    }
  }

  #instrumented(committer: Committer): Commit {
    const { clock, observer, partition } = this.#options;
    let busy = false;
    return async (output) => {
      if (busy) throw new Error('two commits of one task at once');
      busy = true;
      const began = clock.nowMs();
      await (mutant('producer-reused') ? onceMore(() => committer.commit(output)) : committer.commit(output));
      this.#committed = true;
      observer.transaction(partition, (clock.nowMs() - began) / 1000);
      busy = false;
    };
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#abort;
    await pause(this.#options.clock, ms, signal);
    signal.throwIfAborted();
  }

  readonly #onStored = (changelogOffset: number): void => this.#options.onStored?.(changelogOffset);

  #enter(state: TaskState): void {
    this.#options.observer.taskState(this.#options.partition, state);
  }
}

/** Without what was appended behind the end that was captured: a bounded run gives the same each time. */
function upTo(batch: FetchedBatch, end: number): FetchedBatch {
  if (batch.nextOffset <= end) return batch;
  return { ...batch, records: batch.records.filter(({ offset }) => offset < end), nextOffset: end };
}

/** The table that takes the changelog's rows as they are. */
export function rowTable(stage: Stage): string {
  const [first] = stage.tables;
  if (first === undefined) throw new Error(`stage ${stage.name} has no table`);
  return first;
}
