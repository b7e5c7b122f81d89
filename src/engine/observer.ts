/** What the engine tells whoever watches: metrics, logs, tests. Every call is cheap and must not throw. */
export interface EngineObserver {
  /** The group gave this process these partitions; it has no others any more. */
  assigned(partitions: readonly number[]): void;
  taskState(partition: number, state: TaskState): void;
  batch(partition: number, records: number, seconds: number): void;
  transaction(partition: number, seconds: number): void;
  restoring(partition: number, progress: RestoreProgress): void;
  restored(partition: number, result: Restored): void;
  /** A standby's store: changelog records behind the last stable offset; undefined when this process does not follow the partition any more. */
  standby(partition: number, lag: number | undefined): void;
  /** Records between the committed position and the end of the input. */
  lag(partition: number, records: number): void;
  fenced(partition: number): void;
  /** One line for people: what happened, what was done about it. */
  note(level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, string | number>>): void;
}

/** What a restore has replayed of its partition's changelog. */
export interface Restored {
  readonly rows: number;
  /** Of keys and values. */
  readonly bytes: number;
  readonly seconds: number;
}

/** In changelog offsets: begun at `from`, done at `end`. */
export interface RestoreProgress extends Restored {
  readonly from: number;
  readonly position: number;
  readonly end: number;
}

export type TaskState = 'created' | 'fencing' | 'restoring' | 'running' | 'closed';

const nothing = (): void => undefined;

/** The null twin. */
export const silentObserver: EngineObserver = {
  assigned: nothing,
  taskState: nothing,
  batch: nothing,
  transaction: nothing,
  restoring: nothing,
  restored: nothing,
  standby: nothing,
  lag: nothing,
  fenced: nothing,
  note: nothing,
};
