import { emptyState } from '../core/step.ts';
import type { UserState } from '../core/state.ts';
import { StateLostError, toError } from '../engine/errors.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { PartitionStore } from '../store/port.ts';
import { decodeUserState } from './user-state-codec.ts';

export const USER_TABLE = 'user';

/** One user as the batch in work sees them. States are immutable, so a savepoint is the reference to one. */
export interface User {
  readonly userId: string;
  readonly state: UserState;
  /** The state at the last commit, where it has changed since; null where it has not. */
  readonly before: UserState | null;
  /** The partition where the id's hash belongs. */
  readonly home: number;
  /** Its row has at most so many bytes: measured when it is read or written, and reckoned in between. */
  readonly rowBytes: number;
}

type Cached = { -readonly [K in keyof User]: User[K] };

export interface UsersOptions {
  readonly store: PartitionStore;
  /** Of the input topic. */
  readonly partitions: number;
  /** States kept in memory. */
  readonly cachedUsers: number;
}

/**
 * The overlay: users' states as the batch in work sees them, over a cache of committed ones, over the store.
 *
 * The cache has two generations: what was not used since the last turn-over is dropped at the next, which comes right behind a commit. It lives and dies
 * with the task.
 */
export class Users {
  readonly #store: PartitionStore;
  readonly #partitions: number;
  readonly #perGeneration: number;
  #young = new Map<string, Cached>();
  #old = new Map<string, Cached>();
  #changed: Cached[] = [];
  #turnOvers = 0;
  #changedBytes = 0;

  constructor({ store, partitions, cachedUsers }: UsersOptions) {
    this.#store = store;
    this.#partitions = partitions;
    this.#perGeneration = Math.max(1, cachedUsers >> 1);
  }

  /** Grows whenever users were dropped: what `get` has given before may be dropped too, and must be asked for again. */
  get turnOvers(): number {
    return this.#turnOvers;
  }

  /** These users, in their order; they are in memory until the next turn-over. @throws StateLostError where the store holds what is not a user's row */
  async load(userIds: readonly string[]): Promise<readonly User[]> {
    const found = userIds.map((userId) => this.#find(userId));
    const missing = [...new Set(userIds.filter((_, i) => found[i] === undefined))];
    if (missing.length > 0) await this.#read(missing);
    return found.map((user, i) => user ?? this.#get(userIds[i]!));
  }

  async loaded(userId: string): Promise<User> {
    return this.#find(userId) ?? (await this.load([userId]))[0]!;
  }

  /** Undefined where it is not in memory. */
  get(userId: string): User | undefined {
    return this.#find(userId);
  }

  /** `user` is what `get` has given since the last turn-over. */
  set(user: User, state: UserState, rowBytes: number): void {
    const cached: Cached = user;
    if (cached.before === null) {
      cached.before = cached.state;
      this.#changed.push(cached);
      this.#changedBytes += cached.rowBytes;
    }
    cached.state = state;
    cached.rowBytes = rowBytes;
  }

  /** Its row has been encoded. */
  measured(user: User, rowBytes: number): void {
    const cached: Cached = user;
    cached.rowBytes = rowBytes;
  }

  /** Users changed since the last commit, in the order of their first change. */
  get changed(): readonly User[] {
    return this.#changed;
  }

  /** Of their rows, as they were before. */
  get changedBytes(): number {
    return this.#changedBytes;
  }

  /** The commit is done: what was changed is now what is. */
  committed(): void {
    for (const user of this.#changed) user.before = null;
    this.#changed = [];
    this.#changedBytes = 0;
    if (this.#young.size > this.#perGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#turnOvers++;
    }
  }

  /** Back to the last commit. */
  rollback(): void {
    for (const user of this.#changed) {
      user.state = user.before ?? user.state;
      user.before = null;
      // Nobody has kept what it was.
      user.rowBytes = Infinity;
    }
    this.#changed = [];
    this.#changedBytes = 0;
  }

  async #read(userIds: readonly string[]): Promise<void> {
    const keys = userIds.map((userId) => Buffer.from(userId, 'utf8'));
    const rows = await this.#store.getMany(USER_TABLE, keys);
    userIds.forEach((userId, i) => {
      const row = rows[i] ?? null;
      const state = row === null ? emptyState(userId) : decoded(row, userId);
      this.#young.set(userId, { userId, state, before: null, home: partitionFor(keys[i]!, this.#partitions), rowBytes: row?.length ?? 0 });
    });
  }

  #get(userId: string): Cached {
    const user = this.#young.get(userId);
    if (user === undefined) throw new Error('a user that was read is not there');
    return user;
  }

  #find(userId: string): Cached | undefined {
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
