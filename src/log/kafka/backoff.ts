import { setTimeout as sleep } from 'node:timers/promises';
import { abortError } from '../abort.ts';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** After this long `wait` answers false. Default: never. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Growing waits between attempts, with jitter, so that many tasks do not come back in step. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #until: number;
  #nextMs: number;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.firstMs;
    this.#until = performance.now() + (options.deadlineMs ?? Infinity);
  }

  get attempts(): number {
    return this.#attempts;
  }

  get leftMs(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** False: the deadline has passed, and nothing was waited. @throws AbortError when the signal fires */
  async wait(): Promise<boolean> {
    const left = this.leftMs;
    if (left === 0) return false;
    const ms = Math.min(left, this.#nextMs * (0.8 + 0.4 * Math.random()));
    this.#attempts++;
    this.#nextMs = Math.min(this.#nextMs * 1.6, this.#options.maxMs);
    const { signal } = this.#options;
    if (signal?.aborted === true) throw abortError('gave up waiting to try again');
    try {
      await sleep(ms, undefined, signal === undefined ? {} : { signal });
    } catch {
      throw abortError('gave up waiting to try again');
    }
    return true;
  }
}
