import type { TopicPartition } from '../log/port.ts';

/** What the engine tells whoever watches: metrics, logs, tests. Every call is cheap and must not throw. */
export interface EngineObserver {
  /** The group gave this process these partitions; it has no others any more. */
  assigned(partitions: readonly number[]): void;
  taskState(partition: number, state: TaskState): void;
  batch(partition: number, records: number, seconds: number): void;
  transaction(partition: number, seconds: number): void;
  restored(partition: number, rows: number, seconds: number): void;
  restoring(at: TopicPartition, position: number, end: number): void;
  /** Records between the committed position and the end of the input. */
  lag(partition: number, records: number): void;
  fenced(partition: number): void;
  /** One line for people: what happened, what was done about it. */
  note(level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, string | number>>): void;
}

export type TaskState = 'created' | 'fencing' | 'restoring' | 'running' | 'closed';

const nothing = (): void => undefined;

/** The null twin. */
export const silentObserver: EngineObserver = {
  assigned: nothing,
  taskState: nothing,
  batch: nothing,
  transaction: nothing,
  restored: nothing,
  restoring: nothing,
  lag: nothing,
  fenced: nothing,
  note: nothing,
};
