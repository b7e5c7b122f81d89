import type { Log } from '../../log/port.ts';
import { topicNames } from '../../log/topics.ts';
import type { PublishedTopologies } from '../../processor/published.ts';
import { createProcessorStage } from '../../processor/stage.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { CompiledTopology } from '../../topology/compile.ts';
import type { Config } from '../config.ts';
import { CommandError } from '../errors.ts';
import { holdObserver, processorObserver } from '../observers.ts';
import { openPublished, publish, shortName } from '../published.ts';
import type { Service } from '../service.ts';
import { loadTopology } from '../topology.ts';
import { versionsInForce } from '../versions-in-force.ts';
import { parentLink } from '../workers/parent-link.ts';

/**
 * @param folder null: whatever was published last
 * @throws CommandError, UsageError: what is wrong with the topology or its params
 */
export function processorService(config: Config, folder: string | null, set: readonly string[]): Service {
  const topology = folder === null ? null : loadTopology(folder, config.prefix, set);
  let published: PublishedTopologies | undefined;
  return {
    fingerprint: topology?.program.hash ?? 'the newest',
    sources: topology?.sources ?? [],
    async stages({ log, codec, metrics, logger }) {
      const holds = holdObserver(metrics.metrics, logger);
      const note: PublishedTopologies['note'] = (level, message) => logger[level]({ stage: 'processor' }, message);
      published = (await openPublished({ config, log, note, holds })).follow();
      await settle(published, topology, { config, log, logger });
      const { newest } = published;
      logger.info({ topology: newest?.name, topologyHash: newest?.hash }, 'processing');
      const stage = createProcessorStage({
        ...{ topologies: published, codec, log, topics: topicNames(config.prefix), observer: processorObserver(metrics.metrics, logger) },
        tickTimeoutMs: config.transactionTimeoutMs,
      });
      return [stage];
    },
    close: async () => published?.close(),
  };
}

/** What is new is published, and thereby in force everywhere. What was superseded stays so: a process of the old version that starts again in the middle of a rolling deploy turns nothing back. */
async function settle(
  published: PublishedTopologies,
  topology: CompiledTopology | null,
  { config, log, logger }: { readonly config: Config; readonly log: Log; readonly logger: Logger },
): Promise<void> {
  const { prefix } = config;
  const parent = parentLink();
  const { newest } = published;
  if (topology === null) {
    if (newest === undefined)
      throw new CommandError(
        `nothing was published under the prefix ${prefix}: give --topology FOLDER, or publish a topology with \`lull topology activate FOLDER\``,
      );
    return;
  }
  const { hash } = topology.program;
  if (published.all.some((version) => version.hash === hash)) {
    if (newest !== undefined && newest.hash !== hash)
      logger.warn(
        { topologyHash: hash },
        `${shortName(topology.program)} was superseded: ${shortName(newest)}, published at ${new Date(newest.atMs).toISOString()}, is in force; ` +
          '`lull topology activate FOLDER` makes the one in the folder the newest again',
      );
    return;
  }
  // Of several workers one publishes: the others would do it again.
  if (parent !== undefined && parent.index > 0) await published.first(parent.stopping);
  else await publish(published, topology, await versionsInForce(log, topicNames(prefix).state));
}
