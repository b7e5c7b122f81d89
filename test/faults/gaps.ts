import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from './deployment.ts';

const POLL_MS = 100;

/**
 * Watches how long each partition of the timeline stood still while there was something to do. Resolution: its polls, a tenth of a second.
 */
export class ServiceGaps {
  readonly #deployment: Deployment;
  readonly #since = new Map<number, { readonly offset: number; readonly atMs: number }>();
  readonly #longest = new Map<number, number>();
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
  }

  start(): void {
    this.#running = this.#watch();
    this.#running.catch(() => undefined); // `stop` tells
  }

  /** The longest gap of each partition, in milliseconds, by partition number. */
  async stop(): Promise<readonly number[]> {
    this.#stopping = true;
    await this.#running;
    return [...this.#longest].sort(([a], [b]) => a - b).map(([, ms]) => Math.round(ms));
  }

  async #watch(): Promise<void> {
    const { log, group, topics } = this.#deployment;
    while (!this.#stopping) {
      const [ends, read] = await Promise.all([this.#deployment.ends(), log.admin.groupOffsets(group, topics.timeline)]);
      const nowMs = performance.now();
      for (const [partition, end] of ends) this.#look(partition, read.get(partition) ?? 0, end, nowMs);
      await sleep(POLL_MS);
    }
  }

  #look(partition: number, offset: number, end: number, nowMs: number): void {
    const since = this.#since.get(partition);
    if (since === undefined || since.offset !== offset || offset >= end) this.#since.set(partition, { offset, atMs: nowMs });
    const gapMs = since === undefined ? 0 : nowMs - since.atMs;
    this.#longest.set(partition, Math.max(this.#longest.get(partition) ?? 0, gapMs));
  }
}
