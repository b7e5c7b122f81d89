const FIRST_MS = 500;
const MAX_MS = 30_000;
/** What ran this long did its work: its end is a new trouble. */
const STEADY_MS = 60_000;

/** How long to wait before a worker is started again: 0.5 s, doubling to 30 s, from the start again once one ran for a minute. */
export class RestartBackoff {
  #nextMs = FIRST_MS;

  /** @param ranMs how long the one that ended had run */
  next(ranMs: number): number {
    const delayMs = ranMs >= STEADY_MS ? FIRST_MS : this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, MAX_MS);
    return delayMs;
  }
}
