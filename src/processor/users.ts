import { emptyState } from '../core/step.ts';
import type { UserState } from '../core/state.ts';
import { StateLostError, toError } from '../engine/errors.ts';
import type { PartitionStore } from '../store/port.ts';
import { decodeUserState } from './user-state-codec.ts';

export const USER_TABLE = 'user';

interface Dirty {
  readonly before: UserState;
  after: UserState;
}

/**
 * The overlay: users' states as the batch in work sees them, over a cache of committed ones, over the store. States are immutable, so a
 * savepoint is the reference that `get` returned.
 *
 * The cache has two generations: what was not used since the last turn-over is dropped at the next. It lives and dies with the task.
 */
export class Users {
  readonly #store: PartitionStore;
  readonly #perGeneration: number;
  #young = new Map<string, UserState>();
  #old = new Map<string, UserState>();
  readonly #dirty = new Map<string, Dirty>();

  constructor(store: PartitionStore, cachedUsers: number) {
    this.#store = store;
    this.#perGeneration = Math.max(1, cachedUsers >> 1);
  }

  /** Makes `get` possible for these users. @throws StateLostError where the store holds what is not a user's row */
  async load(userIds: Iterable<string>): Promise<void> {
    const missing = [...userIds].filter((userId) => !this.has(userId));
    if (missing.length === 0) return;
    const rows = await this.#store.getMany(
      USER_TABLE,
      missing.map((userId) => Buffer.from(userId, 'utf8')),
    );
    missing.forEach((userId, i) => {
      const row = rows[i] ?? null;
      this.#young.set(userId, row === null ? emptyState(userId) : decoded(row, userId));
    });
  }

  has(userId: string): boolean {
    return this.#dirty.has(userId) || this.#young.has(userId) || this.#old.has(userId);
  }

  get(userId: string): UserState {
    const state = this.#dirty.get(userId)?.after ?? this.#committed(userId);
    if (state === undefined) throw new Error('a user was read before it was loaded');
    return state;
  }

  set(userId: string, state: UserState): void {
    const dirty = this.#dirty.get(userId);
    if (dirty !== undefined) dirty.after = state;
    else this.#dirty.set(userId, { before: this.get(userId), after: state });
  }

  isDirty(userId: string): boolean {
    return this.#dirty.has(userId);
  }

  /** Users changed since the last commit, in the order of their first change. */
  changed(): IterableIterator<[string, Readonly<Dirty>]> {
    return this.#dirty.entries();
  }

  get changedCount(): number {
    return this.#dirty.size;
  }

  /** The commit is done: what was changed is now what is. */
  committed(): void {
    for (const [userId, { after }] of this.#dirty) this.#young.set(userId, after);
    this.#dirty.clear();
    if (this.#young.size > this.#perGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
    }
  }

  /** Back to the last commit. */
  rollback(): void {
    this.#dirty.clear();
  }

  #committed(userId: string): UserState | undefined {
    const young = this.#young.get(userId);
    if (young !== undefined) return young;
    const old = this.#old.get(userId);
    if (old !== undefined) this.#young.set(userId, old);
    return old;
  }
}

function decoded(row: Buffer, userId: string): UserState {
  try {
    return decodeUserState(row, userId);
  } catch (cause) {
    // The changelog has the row as it was written; a restore says so if that is bad too.
    throw new StateLostError(`the local store has ${toError(cause).message}`, { cause });
  }
}
