import type { PartitionStore } from '../store/port.ts';
import { RowCache } from './row-cache.ts';

export const USER_TABLE = 'user';
/** Users whose rows are read from the store together. */
export const PREFETCH_USERS = 512;

/** A user whom the transaction in work has changed. */
export interface ChangedUser {
  readonly userId: string;
  /** The row's. */
  readonly key: Buffer;
  /** null = nothing is left of them. */
  readonly row: Buffer | null;
  /** When the first timer is due: at the last commit, and now; null = there is none. */
  readonly dueBeforeMs: number | null;
  readonly dueMs: number | null;
}

export interface UsersOptions {
  readonly store: PartitionStore;
  /** For rows of users that come again. */
  readonly cacheBytes: number;
}

/** The overlay: users' rows as the transaction in work has them, over a cache of committed rows, over the store. */
export class Users {
  readonly #store: PartitionStore;
  readonly #cache: RowCache;
  readonly #changed = new Map<string, ChangedUser>();
  #changedBytes = 0;
  /** What the last `load` found in the store; null = there is no such user. */
  readonly #read = new Map<string, Buffer | null>();

  constructor({ store, cacheBytes }: UsersOptions) {
    this.#store = store;
    this.#cache = new RowCache(cacheBytes);
  }

  /** Puts these users' rows at hand, until the next load or commit; of others they may be gone. */
  async load(userIds: Iterable<string>): Promise<void> {
    this.#read.clear();
    const missing: string[] = [];
    for (const userId of userIds) if (!this.#changed.has(userId) && !this.#cache.has(userId)) missing.push(userId);
    if (missing.length === 0) return;
    const rows = await this.#store.getMany(
      USER_TABLE,
      missing.map((userId) => Buffer.from(userId, 'utf8')),
    );
    missing.forEach((userId, i) => this.#read.set(userId, rows[i] ?? null));
  }

  /** null = there is no such user; undefined where the store has to be asked. A view, good for the moment. */
  row(userId: string): Buffer | null | undefined {
    const changed = this.#changed.get(userId);
    return changed === undefined ? (this.#cache.get(userId) ?? this.#read.get(userId)) : changed.row;
  }

  set(user: ChangedUser): void {
    const before = this.#changed.get(user.userId);
    this.#changed.set(user.userId, before === undefined ? user : { ...user, dueBeforeMs: before.dueBeforeMs });
    this.#changedBytes += (user.row?.length ?? 0) - (before?.row?.length ?? 0);
  }

  isChanged(userId: string): boolean {
    return this.#changed.has(userId);
  }

  /** Since the last commit, in the order of their first change. */
  get changed(): Iterable<ChangedUser> {
    return this.#changed.values();
  }

  get changedCount(): number {
    return this.#changed.size;
  }

  /** Of their rows. */
  get changedBytes(): number {
    return this.#changedBytes;
  }

  /** The commit is done: what was changed is now what is. */
  committed(): void {
    for (const { userId, row } of this.#changed.values()) {
      if (row === null) this.#cache.delete(userId);
      else this.#cache.set(userId, row);
    }
    this.rollback();
  }

  /** Back to the last commit. */
  rollback(): void {
    this.#changed.clear();
    this.#changedBytes = 0;
    this.#read.clear();
  }
}
