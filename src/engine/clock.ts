import { clockOffsetMs } from './clock-offset.ts';
import type { Clock } from './stage.ts';

/** Longest delay that setTimeout keeps; a longer wait is cut into pieces. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now() + clockOffsetMs(),
  monotonicMs: () => performance.now(),
  at(atMs, callback) {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const delayMs = Math.max(0, atMs - systemClock.nowMs());
      timer = setTimeout(delayMs > MAX_DELAY_MS ? arm : callback, Math.min(delayMs, MAX_DELAY_MS));
    };
    arm();
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after the time, or as soon as the signal fires. Nothing of it stays with the signal, which may live for days. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.at(clock.nowMs() + ms, end);
    signal.addEventListener('abort', end);
  });
}
