import { systemClock } from '../../src/engine/clock.ts';
import type { Clock } from '../../src/engine/stage.ts';

const TIMES = 20;

/** The wall clock, running twenty times as fast: back-offs of half a second pass in 25 ms, and a minute is still longer than a test's part. */
export function fastClock(): Clock {
  const zeroMs = systemClock.nowMs();
  return {
    nowMs: () => zeroMs + (systemClock.nowMs() - zeroMs) * TIMES,
    monotonicMs: () => systemClock.monotonicMs() * TIMES,
    at: (atMs, callback) => systemClock.at(zeroMs + Math.ceil((atMs - zeroMs) / TIMES), callback),
  };
}
