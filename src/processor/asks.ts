import { toError } from '../engine/errors.ts';
import type { TaskContext } from '../engine/stage.ts';
import { Announcement } from './announcement.ts';
import type { InForce } from './in-force.ts';
import { Ticker } from './ticker.ts';
import type { PublishedVersion } from './topologies.ts';

export interface AskOptions {
  readonly inForce: InForce;
  readonly tickTimeoutMs: number;
  /** Appends a tick to this partition of the input. `upToMs`: it fires nothing that is due later; null = whatever it reaches. */
  readonly appendTick: (partition: number, upToMs: number | null) => Promise<void>;
  /** Appends to this partition of the input from where on it goes by this version. */
  readonly appendTopology: (partition: number, version: PublishedVersion) => Promise<void>;
}

/** What a task asks its own partition of the timeline for, and reads back in order like any record: that time has passed, and that another topology is in force. */
export class Asks {
  readonly ticker: Ticker;
  readonly #context: TaskContext;
  readonly #options: AskOptions;
  readonly #announcement: Announcement;
  /** The largest append time that was read. */
  readonly #readMs: () => number;
  /** Something could not be appended: the next `wake` ends the task with it. */
  #error: Error | undefined;
  /** Ends a wait for what an earlier topology waits for. */
  #replaced = new AbortController();

  constructor(context: TaskContext, options: AskOptions, readMs: () => number) {
    const { clock } = context;
    this.#context = context;
    this.#options = options;
    this.#readMs = readMs;
    this.ticker = new Ticker(clock, options.tickTimeoutMs);
    this.#announcement = new Announcement(clock, options.tickTimeoutMs);
  }

  get nextWakeMs(): number | null {
    const { inForce } = this.#options;
    if (this.#error !== undefined || inForce.error !== undefined) return 0;
    const [tickMs, topologyMs] = [this.ticker.wakeMs, this.#announcement.wakeMs(inForce.wanted)];
    return tickMs === null || topologyMs === null ? (tickMs ?? topologyMs) : Math.min(tickMs, topologyMs);
  }

  /**
   * Asks, and does not wait until the log has it: appends of all partitions queue up behind each other, and one whose leader is out
   * of reach would hold them all, and a stop with them.
   */
  wake(): Promise<void> {
    const { inForce } = this.#options;
    const { clock } = this.#context;
    const error = this.#error ?? inForce.error;
    if (error !== undefined) return Promise.reject(error);
    const { wanted } = inForce;
    const isWanted = wanted !== null && this.#announcement.isDue(wanted);
    if (isWanted) {
      this.#announcement.asked(wanted);
      this.#inTheBackground(this.#announce(wanted));
    }
    const tickMs = this.ticker.wakeMs;
    if (!isWanted || (tickMs !== null && tickMs <= clock.nowMs())) this.#inTheBackground(this.#askForTick());
    return Promise.resolve();
  }

  /** Another topology is in force: nobody waits any longer for the sources of the one before. */
  replaced(): void {
    const before = this.#replaced;
    this.#replaced = new AbortController();
    before.abort(new Error('another topology is in force'));
  }

  async #announce(wanted: PublishedVersion): Promise<void> {
    const { inForce, appendTopology } = this.#options;
    if (await inForce.canGoBy(wanted)) await appendTopology(this.#context.partition, wanted);
  }

  /**
   * Where there is an upstream, the order is the promise: first the time that has been read here is noted, then the upstream looks where its sources end. What was appended
   * there before that time is then on the timeline before the tick, and the tick fires nothing that is due later. So one tick moves time, and the next fires.
   */
  async #askForTick(): Promise<void> {
    const { partition, changed } = this.#context;
    const upToMs = await this.#drained();
    this.ticker.asked();
    changed();
    await this.#options.appendTick(partition, upToMs);
  }

  /** The time that was read before everything from sources was there; null without sources. */
  async #drained(): Promise<number | null> {
    const { signal } = this.#context;
    for (;;) {
      const { upstream } = this.#options.inForce;
      if (upstream === null) return null;
      const upToMs = this.#readMs();
      const replaced = this.#replaced.signal;
      this.ticker.held();
      try {
        await upstream.drained(AbortSignal.any([signal, replaced]));
        return upToMs;
      } catch (error) {
        if (!replaced.aborted || signal.aborted) throw error;
      }
    }
  }

  #inTheBackground(work: Promise<void>): void {
    work.catch((thrown: unknown) => {
      this.#error = toError(thrown);
      this.#context.changed();
    });
  }
}
