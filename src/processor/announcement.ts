import type { Clock } from '../engine/stage.ts';
import type { Version } from './topologies.ts';

/** When to append which version is in force: once for each, and again where it was not read back within the timeout. A second is harmless. */
export class Announcement {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #asked: { readonly number: number; readonly evenMs: number } | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** When to wake, by the wall clock; null = not. `wanted`: the version that the timeline has no record of yet. */
  wakeMs(wanted: Version | null): number | null {
    if (wanted === null) return null;
    if (this.#asked === undefined || this.#asked.number < wanted.number) return 0;
    return this.#clock.nowMs() + this.#asked.evenMs + this.#timeoutMs - this.#clock.monotonicMs();
  }

  isDue(wanted: Version | null): wanted is Version {
    const atMs = this.wakeMs(wanted);
    return atMs !== null && atMs <= this.#clock.nowMs();
  }

  asked({ number }: Version): void {
    this.#asked = { number, evenMs: this.#clock.monotonicMs() };
  }
}
