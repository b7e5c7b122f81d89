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

  /** Until the first commit of the partition that became visible after this moment; undefined while there is none. */
  firstAfter(partition: number, atMs: number): number | undefined {
    const first = this.#seenMs.get(partition)?.find((ms) => ms > atMs);
    return first === undefined ? undefined : first - atMs;
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
