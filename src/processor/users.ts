import { emptyState } from '../core/step.ts';
import type { UserState } from '../core/state.ts';
import { StateLostError, toError } from '../engine/errors.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { PartitionStore } from '../store/port.ts';
import { RowCache } from './row-cache.ts';
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

interface Held extends User {
  state: UserState;
  before: UserState | null;
  rowBytes: number;
  /** As encoded for the commit that is under way. */
  row: Buffer | null;
}

export interface UsersOptions {
  readonly store: PartitionStore;
  /** Of the input topic. */
  readonly partitions: number;
  /** For rows of users that come again. */
  readonly cacheBytes: number;
}

/** A batch that takes many commits holds no more users than this. */
const MAX_HELD = 20_000;

/**
 * The overlay: users' states as the batch in work sees them, over a cache of committed rows, over the store. States are held from their first use in a batch to its
 * end, and then forgotten: a state that is kept for longer costs the garbage collector more than it costs to decode it again.
 */
export class Users {
  readonly #store: PartitionStore;
  readonly #partitions: number;
  readonly #cache: RowCache;
  readonly #held = new Map<string, Held>();
  #changed: Held[] = [];
  #changedBytes = 0;
  #turnOvers = 0;

  constructor({ store, partitions, cacheBytes }: UsersOptions) {
    this.#store = store;
    this.#partitions = partitions;
    this.#cache = new RowCache(cacheBytes);
  }

  /** Grows whenever users were forgotten: what `get` has given before is no longer theirs, and must be asked for again. */
  get turnOvers(): number {
    return this.#turnOvers;
  }

  /** These users, in their order; they are held until the next turn-over. @throws StateLostError where the store holds what is not a user's row */
  async load(userIds: readonly string[]): Promise<readonly User[]> {
    const found = userIds.map((userId) => this.#find(userId));
    const missing = [...new Set(userIds.filter((_, i) => found[i] === undefined))];
    if (missing.length > 0) await this.#read(missing);
    return found.map((user, i) => user ?? this.#held.get(userIds[i]!)!);
  }

  async loaded(userId: string): Promise<User> {
    return this.#find(userId) ?? (await this.load([userId]))[0]!;
  }

  /** Undefined where the store has to be asked. */
  get(userId: string): User | undefined {
    return this.#find(userId);
  }

  /** `user` is what `get` has given since the last turn-over. */
  set(user: User, state: UserState, rowBytes: number): void {
    const held = user as Held;
    if (held.before === null) {
      held.before = held.state;
      this.#changed.push(held);
      this.#changedBytes += held.rowBytes;
    }
    held.state = state;
    held.rowBytes = rowBytes;
  }

  /** The row that is about to be committed; null = the user is forgotten for good. */
  encoded(user: User, row: Buffer | null): void {
    const held = user as Held;
    held.row = row;
    held.rowBytes = row?.length ?? 0;
  }

  isChanged(userId: string): boolean {
    return (this.#held.get(userId)?.before ?? null) !== null;
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
    for (const user of this.#changed) {
      if (user.row === null) this.#cache.delete(user.userId);
      else this.#cache.set(user.userId, user.row);
      user.before = null;
      user.row = null;
    }
    this.#changed = [];
    this.#changedBytes = 0;
    if (this.#held.size > MAX_HELD) this.forget();
  }

  /** The batch is done, and nothing of it is left to commit. */
  forget(): void {
    this.#held.clear();
    this.#turnOvers++;
  }

  /** Back to the last commit. */
  rollback(): void {
    this.#changed = [];
    this.#changedBytes = 0;
    this.forget();
  }

  #find(userId: string): Held | undefined {
    const held = this.#held.get(userId);
    if (held !== undefined) return held;
    const row = this.#cache.get(userId);
    return row === undefined ? undefined : this.#hold(userId, row);
  }

  async #read(userIds: readonly string[]): Promise<void> {
    const rows = await this.#store.getMany(
      USER_TABLE,
      userIds.map((userId) => Buffer.from(userId, 'utf8')),
    );
    userIds.forEach((userId, i) => {
      const row = rows[i] ?? null;
      this.#hold(userId, row);
      if (row !== null) this.#cache.set(userId, row);
    });
  }

  #hold(userId: string, row: Buffer | null): Held {
    const state = row === null ? emptyState(userId) : decoded(row, userId);
    const home = partitionFor(Buffer.from(userId, 'utf8'), this.#partitions);
    const held = { userId, state, before: null, home, rowBytes: row?.length ?? 0, row: null };
    this.#held.set(userId, held);
    return held;
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
