import type { Clock } from '../../src/engine/stage.ts';

/** A wall clock that only moves when told to. The memory broker's clock can be the same one. */
export class VirtualClock implements Clock {
  #nowMs: number;
  #alarms: { readonly atMs: number; readonly callback: () => void }[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  readonly nowMs = (): number => this.#nowMs;

  readonly monotonicMs = (): number => this.#nowMs;

  at(atMs: number, callback: () => void): () => void {
    const alarm = { atMs, callback };
    // What is due already is still called back later, as a timer of Node would be.
    if (atMs <= this.#nowMs) queueMicrotask(() => this.#ring(alarm));
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const alarm of [...this.#alarms]) if (alarm.atMs <= this.#nowMs) this.#ring(alarm);
  }

  #ring(alarm: { readonly atMs: number; readonly callback: () => void }): void {
    if (!this.#alarms.includes(alarm)) return;
    this.#alarms = this.#alarms.filter((other) => other !== alarm);
    alarm.callback();
  }
}
