import { Heap } from './heap.ts';
import { compareDue, type DueUser } from './timer-index.ts';

/**
 * Reads the index behind `from` (null = from the first), in order, at most `limit` entries. `last` is the entry up to which the answer is complete; null = there are no
 * more. The answer has users whom the batch in work has changed where they are now: the store does not know of it yet.
 */
export type LoadDue = (
  from: DueUser | null,
  limit: number,
) => Promise<{ readonly users: readonly DueUser[]; readonly last: DueUser | null }>;

const DEFAULT_MAX = 50_000;
const DEFAULT_LOAD = 5_000;

interface Queued extends DueUser {
  /** An entry that was moved away stays in the heap until it surfaces. */
  isCurrent: boolean;
}

/**
 * The users of a partition whose timers are due next, in firing order, in bounded memory. A heap holds every entry of the index up to the horizon; what is behind it is
 * only in the store and is loaded when the heap runs empty.
 */
export class TimerQueue {
  readonly #load: LoadDue;
  readonly #max: number;
  readonly #loadLimit: number;
  readonly #heap = new Heap<Queued>(compareDue);
  /** Each user's current entry in the heap. */
  readonly #byUser = new Map<string, Queued>();
  /** Entries up to this one are in the heap. null = none was loaded yet. */
  #horizon: DueUser | null = null;
  /** Nothing lies behind the horizon. */
  #complete = false;

  /** `max` entries are held in memory at most, `loadLimit` are read from the index at once. */
  constructor(load: LoadDue, max: number = DEFAULT_MAX, loadLimit: number = DEFAULT_LOAD) {
    this.#load = load;
    this.#max = max;
    this.#loadLimit = loadLimit;
  }

  /** The user's first timer is due at another time than before; null = there is none. */
  move(userId: string, dueMs: number | null): void {
    const queued = this.#byUser.get(userId);
    if (queued !== undefined) {
      queued.isCurrent = false;
      this.#byUser.delete(userId);
    }
    if (dueMs === null) return;
    const entry = { userId, dueMs, isCurrent: true };
    if (!this.#complete && (this.#horizon === null || compareDue(entry, this.#horizon) > 0)) return;
    this.#push(entry);
    if (this.#heap.size > this.#max) this.#shrink();
  }

  /** The next user, without a look at the store; undefined also where the store has to be asked (`needsLoad`). Stays until it is moved. */
  peek(): DueUser | undefined {
    for (let top = this.#heap.peek(); top !== undefined; top = this.#heap.peek()) {
      if (top.isCurrent) return top;
      this.#heap.pop();
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

  /** Makes `peek` complete: afterwards it gives the partition's next user, or there is none. */
  async load(): Promise<void> {
    while (this.needsLoad) {
      const { users, last } = await this.#load(this.#horizon, this.#loadLimit);
      for (const { userId, dueMs } of users) this.#push({ userId, dueMs, isCurrent: true });
      this.#complete = last === null;
      this.#horizon = last ?? this.#horizon;
    }
  }

  /** Up to `count` of the next users with a timer due at or before `dueMs`, in order; they stay in the queue. */
  ahead(dueMs: number, count: number): DueUser[] {
    const taken: Queued[] = [];
    while (taken.length < count) {
      const top = this.peek();
      if (top === undefined || top.dueMs > dueMs) break;
      taken.push(this.#heap.pop() as Queued);
    }
    for (const entry of taken) this.#heap.push(entry);
    return taken;
  }

  /** Forgets everything; the next `load` reads from the start. After a rollback of the batch. */
  reset(): void {
    this.#heap.drain();
    this.#byUser.clear();
    this.#horizon = null;
    this.#complete = false;
  }

  #push(entry: Queued): void {
    this.#heap.push(entry);
    this.#byUser.set(entry.userId, entry);
  }

  /** Keeps the nearer half; the rest is in the store, or in the batch in work, which `load` knows. */
  #shrink(): void {
    const current = this.#heap.drain().filter(({ isCurrent }) => isCurrent);
    this.#byUser.clear();
    current.sort(compareDue);
    const keep = current.slice(0, this.#max >> 1);
    for (const entry of keep) this.#push(entry);
    if (keep.length === current.length) return;
    this.#horizon = keep.at(-1) ?? null;
    this.#complete = false;
  }
}
