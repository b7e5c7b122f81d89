import type { Codec } from '../avro/codec.ts';
import type { Stage } from '../engine/stage.ts';
import type { Log } from '../log/port.ts';
import { STATE_VERSION } from './command-row.ts';
import { silentSenderObserver, type SenderObserver } from './observer.ts';
import type { Provider } from './provider.ts';
import { COMMAND_TABLE, INDEX_TABLES } from './row-index.ts';
import { SenderTask, type SenderTopics } from './sender-task.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './unit-rules.ts';
import { AHEAD_TABLE } from './withdrawals.ts';

export interface SenderStageOptions {
  /** Closed by whoever made it, once the stage has ended. */
  readonly provider: Provider;
  readonly codec: Codec;
  /** For reading ahead at a start; the task's own input comes from the engine. */
  readonly log: Log;
  readonly topics: SenderTopics & { readonly state: string };
  /** Calls in flight per partition, and claims per commit. Default 16. */
  readonly concurrency?: number;
  /** Units per partition that wait for another call; past it nothing more is taken from dispatch. Default 10,000. */
  readonly maxWaiting?: number;
  readonly retry?: Partial<RetryPolicy>;
  readonly observer?: SenderObserver;
}

/** The stage `sender-<provider>`: dispatch in; calls; outcomes, feedback and dead letters out; claims and waits in the changelog. */
export function createSenderStage(options: SenderStageOptions): Stage {
  const { provider, codec, log, topics } = options;
  const taskOptions = {
    ...{ provider, codec, log, topics },
    concurrency: options.concurrency ?? 16,
    maxWaiting: options.maxWaiting ?? 10_000,
    retry: { ...DEFAULT_RETRY, ...options.retry },
    observer: options.observer ?? silentSenderObserver,
  };
  return {
    name: `sender-${provider.name}`,
    inputTopic: topics.dispatch,
    changelogTopic: topics.state,
    tables: [COMMAND_TABLE, ...INDEX_TABLES, AHEAD_TABLE],
    stateVersion: STATE_VERSION,
    drains: true,
    createTask: (context) => new SenderTask(taskOptions, context),
  };
}
