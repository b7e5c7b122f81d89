import { OffsetOutOfRangeError } from '../log/errors.ts';
import type { Log } from '../log/port.ts';
import { StoreCorruptError, type PartitionStore, type Store } from '../store/port.ts';
import { applyRows, changelogBounds, usableOffset, wipe, type ChangelogInput } from './changelog.ts';
import { pause } from './clock.ts';
import { classify, toError } from './errors.ts';
import type { EngineObserver } from './observer.ts';
import type { Clock, Stage, StageTask } from './stage.ts';
import { rowTable } from './task.ts';

export interface StandbyOptions {
  readonly stage: Stage;
  readonly partition: number;
  readonly partitions: number;
  readonly log: Log;
  readonly store: Store;
  readonly clock: Clock;
  readonly observer: EngineObserver;
  /** Told of each changelog offset that the store has reached; 0 when it was wiped. */
  readonly onStored: (changelogOffset: number) => void;
  /** Told, after each look at the changelog, how many of its offsets the store is behind. */
  readonly onLag: (lag: number) => void;
  /** The store's files cannot be read: no partition of it can go on. */
  readonly onDamaged: (error: StoreCorruptError) => void;
}

const FETCH_BYTES = 4 * 1024 * 1024;
/** Once it has caught up, a standby looks so often: rows come in batches that are worth a write, and a takeover replays no more than this. */
const LOOK_EVERY_MS = 200;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;

/**
 * Keeps this process's store of a partition near the end of its changelog without owning the partition: whoever is given it then restores only the rest.
 * It reads read_committed, and writes what a restore would write. What
 * happens to it, other than to the whole store, does not stop the process: it says so and tries again.
 */
export class Standby {
  readonly partition: number;
  /** Resolves, never rejects, once the partition's store is closed. */
  readonly done: Promise<void>;
  readonly #options: StandbyOptions;
  readonly #abort = new AbortController();

  constructor(options: StandbyOptions) {
    this.partition = options.partition;
    this.#options = options;
    this.done = this.#live();
  }

  stop(): Promise<void> {
    this.#abort.abort(new Error('the standby was stopped'));
    return this.done;
  }

  async #live(): Promise<void> {
    const { stage, partition, clock, observer } = this.#options;
    const { signal } = this.#abort;
    let backoffMs = FIRST_BACKOFF_MS;
    for (;;) {
      const beganMs = clock.nowMs();
      const error = signal.aborted ? undefined : await this.#open().catch(toError);
      if (error === undefined || isAborted(signal)) break;
      if (error instanceof StoreCorruptError) {
        this.#options.onDamaged(error);
        break;
      }
      observer.note('warn', `${stage.name}: standby of partition ${partition}: ${error.message}; it starts again`);
      if (clock.nowMs() - beganMs > MAX_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS;
      await pause(clock, backoffMs, signal);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
    observer.standby(partition, undefined);
  }

  async #open(): Promise<undefined> {
    const { stage, partition, partitions, log, clock, observer, onStored } = this.#options;
    const { changelogTopic, stateVersion } = stage;
    const store = await this.#options.store.open(partition);
    // It may have waited for long for the task that had the partition open.
    if (this.#abort.signal.aborted) return store.close().then(() => undefined);
    let stageTask: StageTask | undefined;
    try {
      stageTask = stage.createTask({ partition, partitions, store, clock, signal: this.#abort.signal, changed: () => undefined });
      await this.#followOrWipe({
        ...{ log, store, stageTask, partition, changelogTopic, stateVersion, clock, observer, onStored },
        rowTable: rowTable(stage),
      });
    } finally {
      stageTask?.close();
      await store.close();
    }
  }

  async #followOrWipe(input: ChangelogInput & { readonly store: PartitionStore }): Promise<void> {
    try {
      await this.#follow(input);
    } catch (thrown) {
      // What is on disk does not connect to the changelog any more, or cannot be read: the next try begins at the changelog's start.
      if (thrown instanceof OffsetOutOfRangeError || classify(toError(thrown)).kind === 'state_lost') await wipe(input);
      throw thrown;
    }
  }

  /** Until it is stopped. */
  async #follow(input: ChangelogInput): Promise<void> {
    const { log, clock, observer, partition, changelogTopic: topic } = input;
    const { signal } = this.#abort;
    const { start, end } = await changelogBounds(input);
    const offset = (await usableOffset(input, start, end)) ?? start;
    const reader = log.reader({ topic, partition, offset, maxBytes: FETCH_BYTES });
    try {
      while (!signal.aborted) {
        const before = reader.position;
        const batch = await reader.fetch({ signal });
        if (batch.nextOffset > before) await applyRows(input, batch.records, batch.nextOffset);
        const lag = Math.max(0, batch.lastStableOffset - batch.nextOffset);
        observer.standby(partition, lag);
        this.#options.onLag(lag);
        if (lag === 0) await pause(clock, LOOK_EVERY_MS, signal);
      }
    } finally {
      await reader.close();
    }
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
