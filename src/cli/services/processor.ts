import { systemClock } from '../../engine/clock.ts';
import { IngestProgress } from '../../ingest/progress.ts';
import { topicNames } from '../../log/topics.ts';
import { createProcessorStage } from '../../processor/stage.ts';
import type { Config } from '../config.ts';
import { holdObserver, processorObserver } from '../observers.ts';
import type { Service } from '../service.ts';
import { loadTopology } from '../topology.ts';

/** @throws CommandError, UsageError: what is wrong with the topology or its params */
export function processorService(config: Config, folder: string, set: readonly string[]): Service {
  const { program, sources } = loadTopology(folder, config.prefix, set);
  return {
    fingerprint: program.hash,
    sources,
    stages({ log, codec, metrics, logger }) {
      logger.info({ topology: program.name, topologyHash: program.hash }, 'processing');
      const upstream =
        sources.length === 0
          ? null
          : new IngestProgress({
              ...{ sources, admin: log.admin, prefix: config.prefix, clock: systemClock, maxHoldMs: config.maxTickHoldMs },
              observer: holdObserver(metrics.metrics, logger),
            });
      const stage = createProcessorStage({
        ...{ program, codec, log, upstream, topics: topicNames(config.prefix), observer: processorObserver(metrics.metrics, logger) },
        tickTimeoutMs: config.transactionTimeoutMs,
      });
      return [stage];
    },
  };
}
