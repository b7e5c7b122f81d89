import { pause } from './clock.ts';
import { FatalError, toError, type TaskEnd } from './errors.ts';
import type { EngineObserver } from './observer.ts';
import type { Clock } from './stage.ts';
import type { Task } from './task.ts';

export interface KeeperOptions {
  readonly stageName: string;
  readonly partition: number;
  readonly groupId: string;
  readonly createTask: () => Pick<Task, 'done' | 'hasCommitted' | 'stop' | 'abandon'>;
  /** Whether this process is a member of the group in good standing. */
  readonly isMember: () => boolean;
  /** Going on cannot help: the whole process ends with it. */
  readonly onFatal: (error: Error) => void;
  readonly clock: Clock;
  readonly observer: EngineObserver;
  /** How long a graceful stop may take. */
  readonly drainMs: number;
}

/** Fencings, or losses of local state, within a minute: then somebody must look. */
const MAX_REPEATS = 3;
const REPEAT_WINDOW_MS = 60_000;
const FIRST_BACKOFF_MS = 500;
/** So soon after an outage everybody is back, and while it lasts nobody asks more often. */
const MAX_BACKOFF_MS = 5_000;

/** Keeps a task running on one partition while this process owns it: starts a new one, after a back-off, when one ended by an error. */
export class Keeper {
  readonly partition: number;
  /** Once nothing of the partition is open any more: true when bounded input was read to its end. Never rejects. */
  readonly done: Promise<boolean>;
  readonly #options: KeeperOptions;
  readonly #over = new AbortController();
  #task: ReturnType<KeeperOptions['createTask']> | undefined;

  /** `after`: the partition's last task here. Fenced before it has ended, it could not commit what it has begun. */
  constructor(options: KeeperOptions, after: Promise<unknown>) {
    this.partition = options.partition;
    this.#options = options;
    this.done = after
      .then(() => this.#keep())
      .catch((thrown: unknown) => {
        // A task never rejects: this is a defect, and must not leave a partition without a keeper.
        this.#fatal(toError(thrown));
        return false;
      });
  }

  /** Gracefully, but not for longer than the drain time: what holds it then (an unreachable broker) may hold it for ever. */
  async stop(): Promise<void> {
    this.#over.abort();
    const task = this.#task;
    if (task !== undefined) {
      const { clock, observer, drainMs } = this.#options;
      const cancel = clock.at(clock.nowMs() + drainMs, () => {
        observer.note('warn', `${this.#where}: not done within ${drainMs} ms; what is not committed is done again`);
        void task.abandon();
      });
      await task.stop(drainMs);
      cancel();
    }
    await this.done;
  }

  async #keep(): Promise<boolean> {
    const { clock } = this.#options;
    const endings = { fenced: [] as number[], state_lost: [] as number[] };
    let backoffMs = FIRST_BACKOFF_MS;
    while (!this.#isOver()) {
      this.#task = this.#options.createTask();
      const end = await this.#task.done;
      if (end.kind === 'finished') return true;
      if (end.kind === 'stopped') continue;
      if (!this.#mayGoOn(end, endings)) return false;
      if (this.#task.hasCommitted) backoffMs = FIRST_BACKOFF_MS;
      await pause(clock, backoffMs, this.#over.signal);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      // A fenced or failed task comes back only while this process is a member in good standing; else the next generation decides.
      while (!this.#isOver() && !this.#options.isMember()) await pause(clock, FIRST_BACKOFF_MS, this.#over.signal);
    }
    return false;
  }

  #mayGoOn(end: Exclude<TaskEnd, { kind: 'stopped' | 'finished' }>, endings: Record<'fenced' | 'state_lost', number[]>): boolean {
    const { observer, clock, partition, groupId } = this.#options;
    if (end.kind === 'fatal') {
      this.#fatal(end.error);
      return false;
    }
    // The one that owns the partition now has taken over before this task was told: as it should be.
    if (end.kind === 'fenced' && this.#isOver()) return false;
    observer.note('warn', `${this.#where}: ${end.error.message}; the task starts again`);
    if (end.kind === 'failed') return true;
    if (end.kind === 'fenced') observer.fenced(partition);
    const atMs = clock.nowMs();
    const recent = [...endings[end.kind].filter((before) => atMs - before <= REPEAT_WINDOW_MS), atMs];
    endings[end.kind] = recent;
    if (recent.length < MAX_REPEATS) return true;
    const why =
      end.kind === 'fenced'
        ? `fenced ${MAX_REPEATS} times within a minute while it owned the partition: another process uses the same --prefix outside of group ${groupId}`
        : `without usable local state ${MAX_REPEATS} times within a minute: look at the disk. The last reason: ${end.error.message}`;
    this.#fatal(new FatalError(`${this.#where} was ${why}`));
    return false;
  }

  #fatal(error: Error): void {
    // Where the worker has another end already, this is the only place that says it.
    if (this.#isOver()) this.#options.observer.note('error', `${this.#where}: ${error.message}`);
    this.#options.onFatal(error);
  }

  #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  get #where(): string {
    return `${this.#options.stageName}: partition ${this.partition}`;
  }
}
