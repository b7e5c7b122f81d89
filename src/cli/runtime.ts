import { createCodec, type Codec } from '../avro/codec.ts';
import { checkSchemas } from '../avro/register.ts';
import { createKafkaLog } from '../log/kafka/log.ts';
import type { Log } from '../log/port.ts';
import { Health } from '../telemetry/health.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics, type MetricsRegistry } from '../telemetry/metrics.ts';
import type { Config } from './config.ts';
import { kafkaLogOptions } from './kafka.ts';
import { openRegistry } from './registry.ts';
import type { Service } from './service.ts';
import { requireTopics } from './topics.ts';

/** What every long-running command shares: the log, the codec, metrics, health and logging of one process. */
export interface Runtime {
  readonly config: Config;
  readonly log: Log;
  readonly codec: Codec;
  /** Of the timeline, and of every topic that goes by users. */
  readonly partitions: number;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly health: Health;
  close(): Promise<void>;
}

/**
 * Opens them, after checking that topics and schemas are there and right: nothing has begun when this fails.
 * @throws UsageError, CommandError, LogUnavailableError, RegistryUnavailableError: one clear line each
 */
export async function openRuntime(config: Config, logger: Logger, sources: Service['sources'] = []): Promise<Runtime> {
  const log = createKafkaLog({ ...kafkaLogOptions(config), logger });
  try {
    const registry = openRegistry(config);
    const partitions = await requireTopics(log.admin, { prefix: config.prefix, sources });
    const codec = createCodec({ registry, ids: await checkSchemas(registry) });
    const metrics = createMetrics({ prefix: config.prefix });
    return { config, log, codec, partitions, logger, metrics, health: new Health(), close: () => log.close() };
  } catch (error) {
    await log.close();
    throw error;
  }
}
