import type { Clock } from '../engine/stage.ts';

/**
 * When to ask for a tick. The wall clock only wakes; the tick's append time decides what fires.
 *
 * - At most one tick is on its way. One that is not read back within the transaction timeout is asked for again: a second is harmless.
 * - A tick that did not reach the due time (the broker's clock is behind ours) is followed by a wait for the difference, not by a storm.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #dueMs: number | null = null;
  #asked: { readonly atMs: number; readonly forMs: number } | null = null;
  /** By the wall clock; set by a tick that fell short. */
  #notBeforeMs = 0;
  /** The log has passed the due time: whatever the wall clock says, a tick will reach it. */
  #logReached = false;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The partition's earliest due time, and the largest append time seen. */
  schedule(dueMs: number | null, nowMs: number): void {
    this.#dueMs = dueMs;
    this.#logReached = dueMs !== null && dueMs <= nowMs;
  }

  get wakeMs(): number | null {
    if (this.#asked !== null) return this.#asked.atMs + this.#timeoutMs;
    if (this.#dueMs === null) return null;
    return this.#logReached ? 0 : Math.max(this.#dueMs, this.#notBeforeMs);
  }

  asked(): void {
    this.#asked = { atMs: this.#clock.nowMs(), forMs: this.#dueMs ?? 0 };
  }

  /** A tick was read, ours or another's; `appendedAtMs` is its append time. */
  read(appendedAtMs: number): void {
    const shortByMs = (this.#asked?.forMs ?? 0) - appendedAtMs;
    if (shortByMs > 0) this.#notBeforeMs = this.#clock.nowMs() + shortByMs;
    this.#asked = null;
  }
}
