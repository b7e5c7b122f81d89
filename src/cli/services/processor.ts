import { topicNames } from '../../log/topics.ts';
import { createProcessorStage } from '../../processor/stage.ts';
import type { Config } from '../config.ts';
import { processorObserver } from '../observers.ts';
import type { Service } from '../service.ts';
import { loadTopology } from '../topology.ts';

/** @throws CommandError, UsageError: what is wrong with the topology or its params */
export function processorService(config: Config, folder: string, set: readonly string[]): Service {
  const { program } = loadTopology(folder, config.prefix, set);
  return {
    fingerprint: program.hash,
    stage({ log, codec, metrics, logger }) {
      logger.info({ topology: program.name, topologyHash: program.hash }, 'processing');
      return createProcessorStage({
        ...{ program, codec, log, topics: topicNames(config.prefix), observer: processorObserver(metrics.metrics, logger) },
        tickTimeoutMs: config.transactionTimeoutMs,
      });
    },
  };
}
