import type { Clock } from './stage.ts';

/** Between two requests for a new generation, and for how long a partition that is ready waits for the others. */
const PATIENCE_MS = 10_000;

/**
 * The partitions that this member shall own once its stores have caught up, and when to tell the group that they have: at once when all have, else some
 * seconds after the first; each generation costs every member a round to the coordinator.
 */
export class Warmups {
  readonly #clock: Clock;
  readonly #ask: () => void;
  #waiting: ReadonlySet<number> = new Set();
  readonly #ready = new Set<number>();
  #askedAtMs = -Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ask: () => void) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** A new generation has these. One that it asked for once may be told again that it has to wait: the owner has moved on. */
  begin(partitions: readonly number[]): void {
    this.end();
    this.#waiting = new Set(partitions);
    this.#ready.clear();
  }

  /** The partition's store has caught up. Called as often as it is found so. */
  caughtUp(partition: number): void {
    if (!this.#waiting.has(partition) || this.#ready.has(partition)) return;
    this.#ready.add(partition);
    const nowMs = this.#clock.nowMs();
    const atMs = this.#ready.size === this.#waiting.size ? Math.max(nowMs, this.#askedAtMs + PATIENCE_MS) : nowMs + PATIENCE_MS;
    if (this.#cancel !== undefined && this.#ready.size < this.#waiting.size) return;
    this.#cancel?.();
    this.#cancel = this.#clock.at(atMs, () => {
      this.#cancel = undefined;
      this.#askedAtMs = this.#clock.nowMs();
      this.#ask();
    });
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
