import type { Log } from '../../src/log/port.ts';

/** Watches a changelog as a read_committed reader: each partition that is served under load commits all the time, and where it does not there is a gap. */
export class ServiceGaps {
  readonly #stopping = new AbortController();
  readonly #seenMs = new Map<number, number[]>();
  #running: Promise<unknown> = Promise.resolve();

  private constructor() {}

  static async open(log: Log, topic: string): Promise<ServiceGaps> {
    const gaps = new ServiceGaps();
    const { signal } = gaps.#stopping;
    const loops = [...(await log.admin.offsets(topic))].map(async ([partition, { end }]) => {
      const seen: number[] = [];
      gaps.#seenMs.set(partition, seen);
      const reader = log.reader({ topic, partition, offset: end, maxBytes: 4 * 1024 * 1024 });
      try {
        while (!signal.aborted) if ((await reader.fetch({ signal })).records.length > 0) seen.push(Date.now());
      } catch (error) {
        if (!isStopped(signal)) throw error;
      } finally {
        await reader.close();
      }
    });
    gaps.#running = Promise.all(loops);
    gaps.#running.catch(() => undefined); // `stop` tells
    return gaps;
  }

  /** Whether a commit of the partition became visible a second or more after this moment: before that it may be one that was on its way. */
  isServedAfter(partition: number, atMs: number): boolean {
    return this.#seenMs.get(partition)?.some((ms) => ms > atMs + 1_000) ?? false;
  }

  /** The longest time without a commit, from this moment on. */
  longest(partition: number, fromMs: number): number {
    const seen = [fromMs, ...(this.#seenMs.get(partition) ?? []).filter((ms) => ms > fromMs)];
    return seen.reduce((most, ms, i) => Math.max(most, i === 0 ? 0 : ms - seen[i - 1]!), 0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}

function isStopped(signal: AbortSignal): boolean {
  return signal.aborted;
}
