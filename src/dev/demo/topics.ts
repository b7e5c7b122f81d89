import { registerSchemas } from '../../avro/register.ts';
import { createRegistry } from '../../avro/registry.ts';
import type { Config } from '../../cli/config.ts';
import { CommandError } from '../../cli/errors.ts';
import { kafkaLogOptions } from '../../cli/kafka.ts';
import { registryOptions } from '../../cli/registry.ts';
import { checkTopics, createMissingTopics } from '../../cli/topics.ts';
import { createKafkaLog } from '../../log/kafka/log.ts';
import type { Log } from '../../log/port.ts';

/**
 * Makes topics and schemas for one run.
 * @returns what deletes the topics again
 * @throws CommandError when there are topics of this prefix already: their people and figures are not the demo's
 */
export async function createTopics(config: Config): Promise<() => Promise<void>> {
  return withLog(config, async ({ admin }) => {
    const { topics, missing } = await checkTopics(admin, config);
    if (missing.length < topics.length)
      throw new CommandError(
        `there are topics of prefix ${config.prefix} on ${config.bootstrap ?? ''} already: \`lull dev\` starts with its own, so choose another --prefix or leave it out`,
      );
    // The schemas first: a registry that does not answer leaves no topics behind.
    const registry = registryOptions(config);
    if (registry === undefined) throw new CommandError('no schema registry is known');
    await registerSchemas(createRegistry(registry));
    await createMissingTopics(admin, { ...config, isPartitionsGiven: true });
    return () => withLog(config, (log) => log.admin.deleteTopics(topics));
  });
}

async function withLog<T>(config: Config, use: (log: Log) => Promise<T>): Promise<T> {
  const log = createKafkaLog(kafkaLogOptions(config));
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}
