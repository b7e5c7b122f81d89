import { Heap } from './heap.ts';
import { compareTimers, type IndexedTimer } from './timer-index.ts';

/**
 * Reads timers at or behind `from` (null = the first), in order, at most `limit` of the index. `last` is the key up to which the answer is complete; null = there are no more.
 * The answer holds what the batch in work has armed and not what it has disarmed: the store does not know of either yet.
 */
export type LoadTimers = (
  from: Buffer | null,
  limit: number,
) => Promise<{ readonly timers: readonly IndexedTimer[]; readonly last: Buffer | null }>;

const DEFAULT_MAX = 50_000;
const DEFAULT_LOAD = 5_000;

/**
 * The next timers of a partition, in firing order, in bounded memory. A heap holds every timer up to the horizon; what is behind it is only
 * in the store and is loaded when the heap runs empty. Disarmed timers stay in the heap, marked, until they surface.
 */
export class TimerQueue {
  readonly #load: LoadTimers;
  readonly #max: number;
  readonly #loadLimit: number;
  readonly #heap = new Heap<IndexedTimer>(compareTimers);
  readonly #disarmed = new Set<string>();
  /** Timers with a key up to this one are in the heap. null = none was loaded yet. */
  #horizon: Buffer | null = null;
  /** Nothing lies behind the horizon. */
  #complete = false;

  /** `max` timers are held in memory at most, `loadLimit` are read from the index at once. */
  constructor(load: LoadTimers, max: number = DEFAULT_MAX, loadLimit: number = DEFAULT_LOAD) {
    this.#load = load;
    this.#max = max;
    this.#loadLimit = loadLimit;
  }

  arm(timer: IndexedTimer): void {
    if (this.#disarmed.delete(mark(timer))) return;
    if (!this.#within(timer)) return;
    this.#heap.push(timer);
    if (this.#heap.size > this.#max) this.#shrink();
  }

  disarm(timer: IndexedTimer): void {
    if (this.#within(timer)) this.#disarmed.add(mark(timer));
  }

  /** The next timer, without a look at the store; undefined also where the store has to be asked (`needsLoad`). */
  peek(): IndexedTimer | undefined {
    for (let top = this.#heap.peek(); top !== undefined; top = this.#heap.peek()) {
      if (!this.#disarmed.delete(mark(top))) return top;
      this.#heap.pop();
    }
    return undefined;
  }

  get needsLoad(): boolean {
    return !this.#complete && this.peek() === undefined;
  }

  /** Makes `peek` complete: afterwards it gives the partition's next timer, or there is none. */
  async load(): Promise<void> {
    while (this.needsLoad) {
      const from = this.#horizon === null ? null : behind(this.#horizon);
      const { timers, last } = await this.#load(from, this.#loadLimit);
      for (const timer of timers) this.#heap.push(timer);
      this.#complete = last === null;
      this.#horizon = last ?? this.#horizon;
    }
  }

  pop(): IndexedTimer | undefined {
    return this.peek() === undefined ? undefined : this.#heap.pop();
  }

  /** Up to `count` of the next timers due at or before `dueMs`, in order; they stay in the queue. */
  ahead(dueMs: number, count: number): IndexedTimer[] {
    const taken: IndexedTimer[] = [];
    while (taken.length < count) {
      const top = this.peek();
      if (top === undefined || top.dueMs > dueMs) break;
      taken.push(top);
      this.#heap.pop();
    }
    for (const timer of taken) this.#heap.push(timer);
    return taken;
  }

  /** Forgets everything; the next `load` reads from the start. After a rollback of the batch. */
  reset(): void {
    this.#heap.drain();
    this.#disarmed.clear();
    this.#horizon = null;
    this.#complete = false;
  }

  #within(timer: IndexedTimer): boolean {
    return this.#complete || (this.#horizon !== null && Buffer.compare(timer.key, this.#horizon) <= 0);
  }

  /** Keeps the nearer half; the rest is in the store, or in the batch in work, which `load` knows. */
  #shrink(): void {
    const live = this.#heap.drain().filter((timer) => !this.#disarmed.has(mark(timer)));
    this.#disarmed.clear();
    live.sort(compareTimers);
    const keep = live.slice(0, this.#max >> 1);
    for (const timer of keep) this.#heap.push(timer);
    if (keep.length === live.length) return;
    this.#horizon = keep.at(-1)?.key ?? null;
    this.#complete = false;
  }
}

function mark(timer: IndexedTimer): string {
  return timer.key.toString('latin1');
}

/** The least key behind this one. */
function behind(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}
