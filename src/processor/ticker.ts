import type { Clock } from '../engine/stage.ts';

/**
 * When to ask for a tick. The wall clock only wakes; the tick's append time decides what fires.
 *
 * - At most one tick is on its way. One that is not read back within the transaction timeout is asked for again: a second is harmless.
 * - A wait ends when the wall clock says so, or when as much time has passed: a clock that is set back meanwhile keeps nobody waiting.
 * - Between the broker's clock and ours there may be any difference. Append times that are later than our clock says tell of one; so does a tick that
 *   did not reach its due time, which is then followed by a wait, not by a storm.
 * - A tick that is held (for ingest) is not asked for yet: however long that takes, nothing wakes for another.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #dueMs: number | null = null;
  #asked: { readonly atMs: number; readonly evenMs: number; readonly forMs: number } | null = null;
  #isHeld = false;
  /** What the broker's clock is ahead of ours by, as far as the log told; negative where it is behind. */
  #aheadMs = 0;
  /** The log has passed the due time: whatever the wall clock says, a tick will reach it. */
  #logReached = false;
  /** When to wake, by the wall clock and by even time; null = not. */
  #wake: { readonly wallMs: number; readonly evenMs: number } | null = null;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The partition's earliest due time, and the largest append time seen. */
  schedule(dueMs: number | null, nowMs: number): void {
    this.#dueMs = dueMs;
    this.#logReached = dueMs !== null && dueMs <= nowMs;
    // What was appended may have been read late: the broker's clock is ahead by this, or by more.
    this.#aheadMs = Math.max(this.#aheadMs, nowMs - this.#clock.nowMs());
    this.#plan();
  }

  get wakeMs(): number | null {
    if (this.#wake === null) return null;
    const { wallMs, evenMs } = this.#wake;
    return Math.min(wallMs, this.#clock.nowMs() + evenMs - this.#clock.monotonicMs());
  }

  /** A tick is wanted, and waits for something else; `asked` ends that. */
  held(): void {
    this.#isHeld = true;
    this.#plan();
  }

  asked(): void {
    this.#isHeld = false;
    this.#asked = { atMs: this.#clock.nowMs(), evenMs: this.#clock.monotonicMs(), forMs: this.#dueMs ?? 0 };
    this.#plan();
  }

  /** A tick was read, ours or another's; `appendedAtMs` is its append time. */
  read(appendedAtMs: number): void {
    const isShort = this.#asked !== null && appendedAtMs < this.#asked.forMs;
    if (isShort) this.#aheadMs = appendedAtMs - this.#clock.nowMs();
    this.#asked = null;
    this.#plan();
  }

  #plan(): void {
    if (this.#isHeld) {
      this.#wake = null;
    } else if (this.#asked !== null) {
      const { atMs, evenMs } = this.#asked;
      this.#wake = { wallMs: atMs + this.#timeoutMs, evenMs: evenMs + this.#timeoutMs };
    } else if (this.#dueMs === null) {
      this.#wake = null;
    } else {
      const wallMs = this.#logReached ? 0 : this.#dueMs - this.#aheadMs;
      this.#wake = { wallMs, evenMs: this.#clock.monotonicMs() + Math.max(0, wallMs - this.#clock.nowMs()) };
    }
  }
}
