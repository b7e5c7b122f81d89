import { setTimeout as sleep } from 'node:timers/promises';
import { itemsObserver, processorObserver } from '../../cli/observers.ts';
import { runStage } from '../../cli/run-stage.ts';
import type { Runtime } from '../../cli/runtime.ts';
import type { Program } from '../../core/program.ts';
import type { Stage } from '../../engine/stage.ts';
import { createItemsStage } from '../../items/stage.ts';
import { topicNames } from '../../log/topics.ts';
import { createProcessorStage } from '../../processor/stage.ts';

/** A processor, the items and senders in this process, as `lull process`, `lull items` and `lull send` run them in processes of their own. */
export interface Stages {
  /** Rejects when one of them ends by an error. */
  readonly failure: Promise<never>;
  /** Resolves when every task runs: what happens from then on is seen at once. */
  ready(signal: AbortSignal): Promise<void>;
  /** Graceful: batches and calls in flight are committed. Rejects, once all have ended, with what one of them ended by. */
  stop(): Promise<void>;
}

export function startStages(runtime: Runtime, program: Program, senders: readonly Stage[]): Stages {
  const { config, log, codec, metrics, logger } = runtime;
  const topics = topicNames(config.prefix);
  const observer = processorObserver(metrics.metrics, logger);
  const processor = createProcessorStage({ program, codec, log, topics, observer, tickTimeoutMs: config.transactionTimeoutMs });
  const items = createItemsStage({
    ...{ codec, observer: itemsObserver(metrics.metrics, logger) },
    topics: { items: topics.items, state: topics.itemsState, timeline: topics.timeline, deadLetters: topics.deadLetters },
  });
  const stopping = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const stages = [processor, items, ...senders];
  const running = stages.map((stage) => runStage(runtime, stage, stopping.signal));
  for (const stage of running) stage.catch((error: unknown) => failed.reject(error));
  return {
    failure: failed.promise,
    async ready(signal) {
      while (!signal.aborted && (await tasksRunning(runtime)) < stages.length * config.partitions)
        await sleep(100, undefined, { signal }).catch(() => undefined);
    },
    async stop() {
      stopping.abort();
      const ends = await Promise.allSettled(running);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    },
  };
}

/** As the metrics tell everybody else. */
async function tasksRunning({ metrics }: Runtime): Promise<number> {
  const text = await metrics.render();
  const counts = [...text.matchAll(/^lull_tasks\{.*state="running".*\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}
