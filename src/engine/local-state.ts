import type { Store } from '../store/port.ts';
import { CHECKPOINT_KEY, decodeCheckpoint, META_TABLE } from './checkpoint.ts';
import { toError } from './errors.ts';
import type { EngineObserver } from './observer.ts';
import type { Clock } from './stage.ts';

/** A partition that this process neither owned nor followed for so long is deleted from its disk. */
export const FORGET_AFTER_MS = 24 * 3_600_000;
const FORGET_EVERY_MS = 3_600_000;

/** What this process's disk has of each partition, kept in memory: read once, then told of each write. So it can be said at any time without asking the disk. */
export class LocalState {
  readonly #store: Store;
  readonly #stateVersion: number;
  readonly #clock: Clock;
  readonly #offsets = new Map<number, number>();
  /** When the partition was last of use, by the wall clock. */
  readonly #usedAtMs = new Map<number, number>();

  constructor(store: Store, stateVersion: number, clock: Clock) {
    this.#store = store;
    this.#stateVersion = stateVersion;
    this.#clock = clock;
  }

  /** Per partition, the changelog offset that its store has reached. */
  get offsets(): ReadonlyMap<number, number> {
    return this.#offsets;
  }

  /** Before any partition is opened by others. What this build cannot use counts as nothing: it would be wiped. */
  async load(): Promise<void> {
    for (const partition of await this.#store.partitions()) {
      const store = await this.#store.open(partition);
      try {
        const value = await store.get(META_TABLE, CHECKPOINT_KEY);
        const checkpoint = value === null ? undefined : decodeCheckpoint(value);
        this.#usedAtMs.set(partition, checkpoint?.writtenAtMs ?? 0);
        if (checkpoint?.stateVersion === this.#stateVersion) this.#offsets.set(partition, checkpoint.changelogOffset);
      } finally {
        await store.close();
      }
    }
  }

  /** The store has reached this offset of the changelog; 0: it was wiped. */
  stored(partition: number, changelogOffset: number): void {
    this.#usedAtMs.set(partition, this.#clock.nowMs());
    if (changelogOffset > 0) this.#offsets.set(partition, changelogOffset);
    else this.#offsets.delete(partition);
  }

  /** Looks every hour for what can be deleted, until it is told to stop by what it gives. */
  forgetRegularly(inUse: () => ReadonlySet<number>, observer: EngineObserver, stageName: string): () => void {
    let cancel: () => void;
    const later = (): void => {
      cancel = this.#clock.at(this.#clock.nowMs() + FORGET_EVERY_MS, () => {
        later();
        this.forget(inUse()).then(
          (forgotten) => {
            if (forgotten.length > 0)
              observer.note(
                'info',
                `${stageName}: partitions ${forgotten.join(', ')} were not used here for a day, and are deleted from the disk`,
              );
          },
          (thrown: unknown) =>
            observer.note(
              'warn',
              `${stageName}: partitions that are not used here could not be deleted from the disk: ${toError(thrown).message}`,
            ),
        );
      });
    };
    later();
    return () => cancel();
  }

  /** Deletes the partitions that were of no use for a day; gives them. `inUse` are those that this process owns or follows now. */
  async forget(inUse: ReadonlySet<number>): Promise<readonly number[]> {
    const nowMs = this.#clock.nowMs();
    for (const partition of inUse) this.#usedAtMs.set(partition, nowMs);
    const old = [...this.#usedAtMs].filter(([, usedAtMs]) => nowMs - usedAtMs > FORGET_AFTER_MS).map(([partition]) => partition);
    for (const partition of old) {
      // A task that is given the partition meanwhile waits for this, and restores.
      const store = await this.#store.open(partition);
      try {
        await store.wipe();
      } finally {
        await store.close();
      }
      this.#usedAtMs.delete(partition);
      this.#offsets.delete(partition);
    }
    return old;
  }
}
