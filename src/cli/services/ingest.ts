import { createGenericDecoder } from '../../avro/generic-decoder.ts';
import { createIngestStage } from '../../ingest/stage.ts';
import { topicNames } from '../../log/topics.ts';
import type { Config } from '../config.ts';
import { UsageError } from '../errors.ts';
import { ingestObserver } from '../observers.ts';
import { openRegistry } from '../registry.ts';
import type { Service } from '../service.ts';
import { loadTopology } from '../topology.ts';

/** A stage for each source of the topology. @throws CommandError, UsageError: what is wrong with the topology or its params */
export function ingestService(config: Config, folder: string, set: readonly string[]): Service {
  const { program, sources } = loadTopology(folder, config.prefix, set);
  if (sources.length === 0)
    throw new UsageError(
      `${folder} has no \`sources\` in topology.yaml: there is nothing to ingest, and product services write to the timeline themselves`,
    );
  return {
    fingerprint: program.hash,
    sources,
    async stages({ log, codec, partitions, metrics, logger }) {
      const { timeline, items, deadLetters, ingestState } = topicNames(config.prefix);
      const decoder = createGenericDecoder({ registry: openRegistry(config) });
      const observer = ingestObserver(metrics.metrics, logger);
      const specs = await log.admin.describeTopics([...new Set(sources.map(({ topic }) => topic))]);
      logger.info({ topology: program.name, topologyHash: program.hash, sources: sources.map(({ name }) => name).join(', ') }, 'ingesting');
      return sources.map((source) =>
        createIngestStage({
          ...{ source, decoder, codec, observer, timelinePartitions: partitions },
          topics: { timeline, items, deadLetters, state: ingestState(source.name) },
          hasAppendTime: specs.get(source.topic)?.config['message.timestamp.type'] === 'LogAppendTime',
        }),
      );
    },
  };
}
