import type { LogRecords, OutRecord } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';

/**
 * What a stage (processor, sender, later items and ingest) gives the engine. The engine owns the life of a task (fence, restore, position,
 * transactions, store writes); the stage turns records into output. One `StageTask` lives exactly as long as its task: any error while
 * committing discards both.
 */
export interface Stage {
  /** `processor`, `sender-fcm`: part of the group's and the transactional id's name. */
  readonly name: string;
  readonly inputTopic: string;
  readonly changelogTopic: string;
  /** Tables of the store, beyond the engine's own `meta`. The first takes the changelog's rows as they are. */
  readonly tables: readonly string[];
  /** Named in the position row; a changelog of a newer version is refused with a hint, and so is one that is older than `oldestStateVersion`. */
  readonly stateVersion: number;
  /** Rows from this version on can be read. Default: `stateVersion` alone. */
  readonly oldestStateVersion?: number;
  /**
   * Its tasks have work under way that a fence does not undo (a sender's calls). A partition that moves is then closed by its owner before another
   * member begins with it, at the price of a second generation. Default false: the new owner fences the old one at once.
   */
  readonly drains?: boolean;
  /**
   * What it keeps is of its partition and of no keys, so the input may be given more partitions (a foreign topic, whose owner does as they like), and the changelog
   * as many. Default false: users would move.
   */
  readonly inputMayGrow?: boolean;
  /** Must begin nothing by itself: a standby makes a task too, for `restored` and `close` alone. */
  createTask(context: TaskContext): StageTask;
}

export interface TaskContext {
  readonly partition: number;
  /** Of the input topic; outputs keyed like the input go to the same partition number. */
  readonly partitions: number;
  readonly store: PartitionStore;
  /** Aborts when the task closes. Ask `now` of the wall clock through it, so that tests can move time. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Makes the task read `nextWakeMs` again; for a stage whose work outside of `process` moved it. */
  readonly changed: () => void;
  /** Aborts when a graceful stop was asked for. A `process` that waits (a sender's, for free places) then ends early, committed as far as it came. */
  readonly stopping?: AbortSignal;
}

/** The wall clock, for waking up only: no decision is ever made on it. */
export interface Clock {
  nowMs(): number;
  /** Passes evenly, from whatever start: also where the wall clock is set right meanwhile. */
  monotonicMs(): number;
  /** Calls back once, at or after `atMs`; the returned function cancels. */
  at(atMs: number, callback: () => void): () => void;
}

/** Where the task stands in its input: the changelog's position row, written with every commit. */
export interface InputPosition {
  /** The next input offset. */
  readonly offset: number;
  /** The largest append time seen; 0 before the first record. */
  readonly nowMs: number;
  /** What else the stage has to know of its place in the log, in its own words; absent where it never wrote any. */
  readonly stage?: string;
}

export interface Row {
  readonly key: Buffer;
  /** null deletes. */
  readonly value: Buffer | null;
}

/** One transaction: everything in it becomes visible together, or not at all. */
export interface Output {
  /** To the changelog, and to the first table of the store. */
  readonly rows: readonly Row[];
  /** To other topics. */
  readonly records: readonly OutRecord[];
  /** Derived local rows (indexes), rebuilt by `restore` and not in the changelog. */
  readonly derived: readonly StoreOp[];
  /** Where the input stands once this is committed. */
  readonly position: InputPosition;
}

/** Commits one output: the Kafka transaction, then the store. Resolves when both have it. Never call it twice at once. */
export type Commit = (output: Output) => Promise<void>;

export interface StageTask {
  /**
   * Derived local rows for changelog rows that were restored (the rows themselves the engine writes). Rows of one call have distinct keys, `previous` is what the
   * store had under the key. Called while restoring, in changelog order.
   */
  restored(rows: readonly Row[], previous: readonly (Buffer | null)[]): readonly StoreOp[];
  /** Once restored, before the first record. May commit (a sender turns claims without outcome into `unknown` here). */
  start(position: InputPosition, commit: Commit): Promise<void>;
  /**
   * One fetched batch, in order; commits as often as it needs, the last commit's position being behind the batch. `nextOffset` is behind trailing markers. Also called
   * with no records when only markers were read.
   */
  process(batch: { readonly records: LogRecords; readonly nextOffset: number }, commit: Commit): Promise<void>;
  /** Bounded input only: the end that was captured at the start has been read. */
  finish?(commit: Commit): Promise<void>;
  /** When `wake` wants to be called next, by the wall clock; null = not. Read after each process, wake and `context.changed`. */
  readonly nextWakeMs: number | null;
  /** Between batches, never during one. */
  wake(commit: Commit): Promise<void>;
  /** Graceful stop: finish what is in flight within the deadline (a sender's calls) and commit it. Not called after an error. */
  stop(commit: Commit, deadlineMs: number): Promise<void>;
  /** Always called, last; must not throw. */
  close(): void;
}
