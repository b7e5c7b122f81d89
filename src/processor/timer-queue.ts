import { Heap } from './heap.ts';
import { isSameTimer } from '../core/timers.ts';
import { compareTimers, type UserTimer } from './timer-index.ts';

/**
 * Reads timers behind `from` (null = from the first), in order, at most `limit` of the index. `last` is the timer up to which the answer is complete; null = there are no
 * more. The answer holds what the batch in work has armed and not what it has disarmed: the store does not know of either yet.
 */
export type LoadTimers = (
  from: UserTimer | null,
  limit: number,
) => Promise<{ readonly timers: readonly UserTimer[]; readonly last: UserTimer | null }>;

const DEFAULT_MAX = 50_000;
const DEFAULT_LOAD = 5_000;

interface Queued extends UserTimer {
  /** A disarmed timer stays in the heap until it surfaces. */
  armed: boolean;
}

/**
 * The next timers of a partition, in firing order, in bounded memory. A heap holds every timer up to the horizon; what is behind it is only
 * in the store and is loaded when the heap runs empty.
 */
export class TimerQueue {
  readonly #load: LoadTimers;
  readonly #max: number;
  readonly #loadLimit: number;
  readonly #heap = new Heap<Queued>(compareTimers);
  /** What the heap holds, to find a timer that is armed again or disarmed. */
  readonly #byUser = new Map<string, Queued[]>();
  /** Timers up to this one are in the heap. null = none was loaded yet. */
  #horizon: UserTimer | null = null;
  /** Nothing lies behind the horizon. */
  #complete = false;

  /** `max` timers are held in memory at most, `loadLimit` are read from the index at once. */
  constructor(load: LoadTimers, max: number = DEFAULT_MAX, loadLimit: number = DEFAULT_LOAD) {
    this.#load = load;
    this.#max = max;
    this.#loadLimit = loadLimit;
  }

  arm(timer: UserTimer): void {
    const queued = this.#find(timer);
    if (queued !== undefined) {
      queued.armed = true;
      return;
    }
    if (!this.#complete && (this.#horizon === null || compareTimers(timer, this.#horizon) > 0)) return;
    this.#push(timer);
    if (this.#heap.size > this.#max) this.#shrink();
  }

  disarm(timer: UserTimer): void {
    const queued = this.#find(timer);
    if (queued !== undefined) queued.armed = false;
  }

  /** The next timer, without a look at the store; undefined also where the store has to be asked (`needsLoad`). */
  peek(): UserTimer | undefined {
    for (let top = this.#heap.peek(); top !== undefined; top = this.#heap.peek()) {
      if (top.armed) return top;
      this.#take();
    }
    return undefined;
  }

  get needsLoad(): boolean {
    return !this.#complete && this.peek() === undefined;
  }

  /** False only where no timer is due before this. */
  mayBeDueBefore(ms: number): boolean {
    const next = this.peek();
    return next === undefined ? !this.#complete : next.dueMs < ms;
  }

  /** Makes `peek` complete: afterwards it gives the partition's next timer, or there is none. */
  async load(): Promise<void> {
    while (this.needsLoad) {
      const { timers, last } = await this.#load(this.#horizon, this.#loadLimit);
      for (const timer of timers) this.#push(timer);
      this.#complete = last === null;
      this.#horizon = last ?? this.#horizon;
    }
  }

  pop(): UserTimer | undefined {
    return this.peek() === undefined ? undefined : this.#take();
  }

  /** Up to `count` of the next timers due at or before `dueMs`, in order; they stay in the queue. */
  ahead(dueMs: number, count: number): UserTimer[] {
    const taken: Queued[] = [];
    while (taken.length < count) {
      const top = this.peek();
      if (top === undefined || top.dueMs > dueMs) break;
      taken.push(this.#heap.pop() as Queued);
    }
    for (const timer of taken) this.#heap.push(timer);
    return taken;
  }

  /** Forgets everything; the next `load` reads from the start. After a rollback of the batch. */
  reset(): void {
    this.#heap.drain();
    this.#byUser.clear();
    this.#horizon = null;
    this.#complete = false;
  }

  #find(timer: UserTimer): Queued | undefined {
    return this.#byUser.get(timer.userId)?.find((queued) => isSameTimer(queued, timer));
  }

  #push({ userId, dueMs, id }: UserTimer): void {
    const queued = { userId, dueMs, id, armed: true };
    this.#heap.push(queued);
    const others = this.#byUser.get(userId);
    if (others === undefined) this.#byUser.set(userId, [queued]);
    else others.push(queued);
  }

  #take(): Queued | undefined {
    const top = this.#heap.pop();
    if (top === undefined) return undefined;
    const others = this.#byUser.get(top.userId) ?? [];
    if (others.length > 1) others.splice(others.indexOf(top), 1);
    else this.#byUser.delete(top.userId);
    return top;
  }

  /** Keeps the nearer half; the rest is in the store, or in the batch in work, which `load` knows. */
  #shrink(): void {
    const live = this.#heap.drain().filter((timer) => timer.armed);
    this.#byUser.clear();
    live.sort(compareTimers);
    const keep = live.slice(0, this.#max >> 1);
    for (const timer of keep) this.#push(timer);
    if (keep.length === live.length) return;
    this.#horizon = keep.at(-1) ?? null;
    this.#complete = false;
  }
}
