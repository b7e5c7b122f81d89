import type { HealthReport } from '../../telemetry/health.ts';
import type { MetricsSnapshot } from '../../telemetry/worker-metrics.ts';

/** Which worker a process is, from 0; set by the parent. A process without it, or without a channel to a parent, is no worker. */
export const WORKER_INDEX = 'LULL_WORKER_INDEX';

/** Beyond `drainMs`, within which a worker commits or gives up what it has in flight: leaving the group, closing the store. */
export const STOP_GRACE_MS = 5_000;

export interface Ask {
  readonly kind: 'ask';
  /** Comes back with the answer. */
  readonly id: number;
  readonly what: 'health' | 'metrics';
}

export type ToWorker =
  | Ask
  /** Gracefully. */
  | { readonly kind: 'stop' };

/** Everything that could be wrong from the start has been looked at, and the worker begins. */
export interface Checked {
  readonly kind: 'checked';
  /** Of the input topic, where there are several of the one that has the most. More workers than that have nothing to do. */
  readonly partitions: number;
  /** Of what decides (a topology's hash): workers with different ones must not share a group's partitions for long. */
  readonly fingerprint: string;
}

/** The last thing that a worker says. */
export interface Failure {
  readonly kind: 'failed';
  /** As a person reads it; a line for each problem. */
  readonly message: string;
  readonly exitCode: number;
  /** Trying again cannot help. */
  readonly isFatal: boolean;
  /** Whether the process had begun to log. */
  readonly isForLog: boolean;
}

export interface Answers {
  readonly health: { readonly live: HealthReport; readonly ready: HealthReport };
  readonly metrics: MetricsSnapshot;
}

export type FromWorker =
  Checked | Failure | { readonly kind: 'answer'; readonly id: number; readonly answer: Answers['health'] | Answers['metrics'] };
