import { Option } from 'commander';
import type { Command } from 'commander';
import { SchemaNotRegisteredError } from '../../avro/errors.ts';
import { checkSchemas, registerSchemas } from '../../avro/register.ts';
import { createRegistry } from '../../avro/registry.ts';
import { createKafkaLog } from '../../log/kafka/log.ts';
import type { LogAdmin } from '../../log/port.ts';
import type { Config } from '../config.ts';
import { commandConfig } from '../context.ts';
import { CommandError } from '../errors.ts';
import { kafkaLogOptions } from '../kafka.ts';
import { registryOptions } from '../registry.ts';
import { setOption } from '../set-option.ts';
import { checkTopics, createMissingTopics, describeDifferences, describeMissing } from '../topics.ts';
import type { TopicOptions } from '../topics.ts';

export function topics(command: Command): void {
  command
    .description('Creates or checks the topics that Lull reads and writes, and the schemas of what is in them.')
    .usage('[options] create|check');

  const create = command.command('create');
  create
    .description(
      'Registers the schemas and creates the topics that are missing. Topics that exist are checked, never changed; run it as often as you like. Without a registry, no schemas are registered.',
    )
    .option('--partitions <n>', 'partitions of every topic; fixed for life (default: those of an existing timeline, else 24)')
    .option('--replication-factor <n>', 'replicas of every topic (default: 3; a single broker needs 1)')
    .addOption(topologyOption())
    .addOption(setOption("the topology's"))
    .option('--json', 'one JSON object: {partitions, created, existing, schemas: {record: id} or null}')
    .action(async (options: Options) => {
      const { config, sources } = commandConfig(create);
      const topicOptions = { ...config, isPartitionsGiven: sources.partitions !== 'default', sources: await sourcesOf(config, options) };
      const { counts, ...result } = await withAdmin(config, async (admin) => {
        // What can be refused is asked first, so that a refusal leaves nothing behind.
        const { topics, differences } = await checkTopics(admin, topicOptions);
        if (differences.length > 0) throw new CommandError(describeDifferences(differences).join('\n'));
        const registry = registryOptions(config);
        const schemas = registry === undefined ? null : await registerSchemas(createRegistry(registry));
        const created = await createMissingTopics(admin, topicOptions);
        const { partitions } = await checkTopics(admin, topicOptions);
        const counts = new Map(await Promise.all(created.map(async (topic) => [topic, await admin.partitions(topic)] as const)));
        return { counts, partitions, created, existing: topics.filter((topic) => !created.includes(topic)), schemas };
      });
      if (options.json) {
        print(result);
        return;
      }
      for (const topic of result.created) say(`created     ${topic} (${counts.get(topic)} partitions)`);
      for (const topic of result.existing) say(`as it is    ${topic}`);
      for (const [record, id] of Object.entries(result.schemas ?? {})) say(`registered  ${record} (id ${id})`);
      if (result.schemas === null) say('no schemas  give --registry URL to register them');
    });

  const check = command.command('check');
  check
    .description(
      'Compares the topics, and the schemas where a registry is given, with what they have to be, and says how to mend each difference. Changes nothing. Exit code 1 if there is one.',
    )
    .addOption(topologyOption())
    .addOption(setOption("the topology's"))
    .option('--json', 'one JSON object: {partitions, topics, missing, differences: [{topic, setting, got, expected, mend}], schemas}')
    .action(async (options: Options) => {
      const { config } = commandConfig(check);
      const topicOptions = { ...config, sources: await sourcesOf(config, options) };
      const result = await withAdmin(config, async (admin) => ({
        ...(await checkTopics(admin, topicOptions)),
        schemas: await schemasOf(config),
      }));
      const problems = [
        ...(result.missing.length === 0 ? [] : [describeMissing(result.missing, config.prefix, topicOptions.sources)]),
        ...describeDifferences(result.differences),
        ...(typeof result.schemas === 'string' ? [result.schemas] : []),
      ];
      if (options.json) {
        print(result);
        if (problems.length > 0) process.exitCode = 1;
        return;
      }
      if (problems.length > 0) throw new CommandError(problems.join('\n'));
      say(`${result.topics.length} topics of ${config.prefix} are as they have to be (${result.partitions} partitions)`);
      say(result.schemas === null ? 'no registry was given: schemas were not checked' : 'the schemas are registered');
    });
}

interface Options {
  readonly json?: true;
  readonly topology?: string;
  readonly set: readonly string[];
}

function topologyOption(): Option {
  return new Option('--topology <folder>', 'also the topics that the ingest of its `sources` needs');
}

/** Only who has sources pays for the compiler. */
async function sourcesOf(config: Config, { topology, set }: Options): Promise<NonNullable<TopicOptions['sources']>> {
  if (topology === undefined) return [];
  const { loadTopology } = await import('../topology.ts');
  return loadTopology(topology, config.prefix, set).sources;
}

/** The ids; null without a registry; the problem, in words, where some are missing. */
async function schemasOf(config: Config): Promise<Readonly<Record<string, number>> | string | null> {
  const registry = registryOptions(config);
  if (registry === undefined) return null;
  try {
    return await checkSchemas(createRegistry(registry));
  } catch (error) {
    if (error instanceof SchemaNotRegisteredError) return error.message;
    throw error;
  }
}

async function withAdmin<T>(config: Config, use: (admin: LogAdmin) => Promise<T>): Promise<T> {
  // A person waits for the answer.
  const log = createKafkaLog({ ...kafkaLogOptions(config), connectDeadlineMs: 5_000 });
  try {
    return await use(log.admin);
  } finally {
    await log.close();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
