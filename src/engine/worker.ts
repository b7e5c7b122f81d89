import type { Generation, GroupMembership, Log } from '../log/port.ts';
import type { Store } from '../store/port.ts';
import { pause } from './clock.ts';
import { FatalError, toError, type TaskEnd } from './errors.ts';
import type { EngineObserver } from './observer.ts';
import type { Clock, Stage } from './stage.ts';
import { Task } from './task.ts';

export interface WorkerOptions {
  readonly stage: Stage;
  readonly log: Log;
  readonly store: Store;
  /** Names the group `<prefix>-<stage>` and the transactional ids `<prefix>-<stage>-<input topic>-<partition>`. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly observer: EngineObserver;
  /** Default 10,000. */
  readonly transactionTimeoutMs?: number;
  /** Default 1 MiB. */
  readonly fetchMaxBytes?: number;
  /** Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** How long a graceful stop may take per task. Default 10,000. */
  readonly drainMs?: number;
  /** Historical input: every task ends at the log's end as it was when the task began. Default false. */
  readonly bounded?: boolean;
}

/** Fencings, or losses of local state, of one partition within a minute and one generation: then somebody must look. */
const MAX_REPEATS = 3;
const REPEAT_WINDOW_MS = 60_000;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;

/** When a partition's tasks ended so, by the wall clock. */
type Endings = Record<'fenced' | 'state_lost', number[]>;

export function groupIdOf(prefix: string, stageName: string): string {
  return `${prefix}-${stageName}`;
}

/**
 * One process's part of a stage: a member of the group, and a task for every partition that a generation assigns to it.
 *
 * Every new generation closes all tasks, also those that stay, and starts the assigned ones at fencing: between two generations another
 * member may have owned them. Between generations each partition has a keeper, which starts a new task when one ended by an error.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #membership: GroupMembership;
  readonly #groupId: string;
  readonly #ended = Promise.withResolvers<undefined>();
  readonly #tasks = new Map<number, Task>();
  #partitions = 0;
  /** Aborted when its generation is over. */
  #generation = { id: -1, over: new AbortController(), keepers: [] as Promise<unknown>[] };
  /** Generations are taken one after the other; only the newest of those that wait is. */
  #waiting: Generation | undefined;
  #switching: Promise<void> | undefined;
  #stopping = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#groupId = groupIdOf(options.prefix, options.stage.name);
    this.#membership = options.log.membership({
      groupId: this.#groupId,
      topic: options.stage.inputTopic,
      ...(options.sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs: options.sessionTimeoutMs }),
    });
  }

  /**
   * Joins and works until `signal` (graceful: batches and calls in flight are committed), until bounded input is read, or until a fatal
   * error, with which it rejects. Everything is closed when it settles.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#ended.resolve(undefined);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      // A cluster out of reach may hold the beginning for long: a stop does not wait for it. Leaving the group ends what is left of it. The race is also
      // what hears of an error that comes when `run` has another end already: without it, Node would end the process.
      await Promise.race([this.#begin(), this.#ended.promise]);
      await this.#ended.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#stopping = true;
      await this.#switching;
      await this.#endGeneration();
      await this.#membership.leave();
    }
  }

  async #begin(): Promise<void> {
    this.#partitions = await this.#inputPartitions();
    // Nobody would leave a group that is joined from here on.
    if (this.#stopping) return;
    await this.#membership.join({
      onGeneration: (generation) => this.#onGeneration(generation),
      onFatal: (error) => this.#ended.reject(error),
    });
  }

  async #inputPartitions(): Promise<number> {
    const { inputTopic, changelogTopic } = this.#options.stage;
    const { admin } = this.#options.log;
    const [input, changelog] = await Promise.all([admin.partitions(inputTopic), admin.partitions(changelogTopic)]);
    if (input === undefined) throw new FatalError(`topic ${inputTopic} does not exist; run "lull topics create"`);
    if (changelog === undefined) throw new FatalError(`topic ${changelogTopic} does not exist; run "lull topics create"`);
    if (input !== changelog) {
      throw new FatalError(
        `${inputTopic} has ${input} partitions and ${changelogTopic} ${changelog}: they must be the same; "lull topics check" says more`,
      );
    }
    return input;
  }

  #onGeneration(generation: Generation): void {
    this.#waiting = generation;
    this.#switching ??= this.#switch();
  }

  async #switch(): Promise<void> {
    while (this.#waiting !== undefined && !this.#stopping) {
      await this.#endGeneration();
      // Looked at only now: while the tasks closed, a newer one may have come, or the end.
      const generation = this.#waiting;
      this.#waiting = undefined;
      this.#startGeneration(generation);
    }
    // In the same turn as the last look at `#waiting`: one that comes later starts a switch of its own.
    this.#switching = undefined;
  }

  #startGeneration({ generationId, partitions }: Generation): void {
    if (this.#stopping) return;
    const { observer, stage, bounded } = this.#options;
    observer.note('info', `${stage.name}: generation ${generationId}, partitions ${partitions.join(', ') || 'none'}`);
    observer.assigned(partitions);
    const over = new AbortController();
    this.#generation = { id: generationId, over, keepers: [] };
    const keepers = partitions.map((partition) =>
      this.#keep(partition, over.signal).catch((thrown: unknown) => {
        // A task never rejects: this is a defect, and must not leave a partition without a keeper.
        this.#ended.reject(toError(thrown));
        return false;
      }),
    );
    this.#generation.keepers = keepers;
    if (bounded === true) this.#endWhenAllFinished(keepers, over.signal);
  }

  #endWhenAllFinished(keepers: readonly Promise<boolean>[], over: AbortSignal): void {
    void Promise.all(keepers).then((finished) => {
      if (!over.aborted && finished.every(Boolean)) this.#ended.resolve(undefined);
    });
  }

  async #endGeneration(): Promise<void> {
    const { over, keepers } = this.#generation;
    over.abort();
    await Promise.all([...this.#tasks.values()].map((task) => this.#stopTask(task)));
    await Promise.all(keepers);
  }

  /** Gracefully, but not for longer than the drain time: what holds it then (an unreachable broker) may hold it for ever. */
  async #stopTask(task: Task): Promise<void> {
    const { clock, observer, stage, drainMs = 10_000 } = this.#options;
    const cancel = clock.at(clock.nowMs() + drainMs, () => {
      observer.note(
        'warn',
        `${stage.name}: partition ${task.partition}: not done within ${drainMs} ms; what is not committed is done again`,
      );
      void task.abandon();
    });
    await task.stop(drainMs);
    cancel();
  }

  /** Keeps a task running on the partition while its generation lasts. True when bounded input was read to its end. */
  async #keep(partition: number, over: AbortSignal): Promise<boolean> {
    const endings: Endings = { fenced: [], state_lost: [] };
    let backoffMs = FIRST_BACKOFF_MS;
    while (!over.aborted) {
      const beganMs = this.#options.clock.nowMs();
      const task = this.#start(partition);
      const end = await task.done;
      this.#tasks.delete(partition);
      if (end.kind === 'finished') return true;
      if (end.kind === 'stopped') continue;
      if (!this.#mayGoOn(partition, end, endings)) return false;
      const ranMs = this.#options.clock.nowMs() - beganMs;
      backoffMs = ranMs > REPEAT_WINDOW_MS ? FIRST_BACKOFF_MS : backoffMs;
      await pause(this.#options.clock, backoffMs, over);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      await this.#heartbeats(over);
    }
    return false;
  }

  #start(partition: number): Task {
    const { stage, log, store, prefix, clock, observer, transactionTimeoutMs, fetchMaxBytes, bounded } = this.#options;
    const task = new Task({
      ...{ stage, partition, partitions: this.#partitions, log, store, clock, observer, groupId: this.#groupId },
      transactionalId: `${prefix}-${stage.name}-${stage.inputTopic}-${partition}`,
      transactionTimeoutMs: transactionTimeoutMs ?? 10_000,
      fetchMaxBytes: fetchMaxBytes ?? 1024 * 1024,
      generationId: () => this.#generation.id,
      bounded: bounded ?? false,
    });
    this.#tasks.set(partition, task);
    return task;
  }

  #mayGoOn(partition: number, end: Exclude<TaskEnd, { kind: 'stopped' | 'finished' }>, endings: Endings): boolean {
    const { observer, clock, stage } = this.#options;
    const where = `${stage.name}: partition ${partition}`;
    if (end.kind === 'fatal') {
      // Where `run` has another end already, this is the only place that says it.
      if (this.#stopping) observer.note('error', `${where}: ${end.error.message}`);
      this.#ended.reject(end.error);
      return false;
    }
    observer.note('warn', `${where}: ${end.error.message}; the task starts again`);
    if (end.kind === 'failed') return true;
    if (end.kind === 'fenced') observer.fenced(partition);
    const atMs = clock.nowMs();
    const recent = [...endings[end.kind].filter((before) => atMs - before <= REPEAT_WINDOW_MS), atMs];
    endings[end.kind] = recent;
    if (recent.length < MAX_REPEATS) return true;
    const why =
      end.kind === 'fenced'
        ? `fenced ${MAX_REPEATS} times within a minute without a new group generation: another process uses the same --prefix outside of group ${this.#groupId}`
        : `without usable local state ${MAX_REPEATS} times within a minute: look at the disk. The last reason: ${end.error.message}`;
    this.#ended.reject(new FatalError(`${where} was ${why}`));
    return false;
  }

  /** A fenced or failed task comes back only while this process is a member in good standing; else the next generation decides. */
  async #heartbeats(over: AbortSignal): Promise<void> {
    while (!over.aborted && this.#membership.current() === undefined) await pause(this.#options.clock, FIRST_BACKOFF_MS, over);
  }
}
