import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { commandConfig } from '../context.ts';
import { CommandError } from '../errors.ts';
import { kafkaLogOptions } from '../kafka.ts';
import { checkTopics, createMissingTopics, describeDifferences, describeMissing } from '../topics.ts';
import type { LogAdmin } from '../../log/port.ts';

export function topics(command: Command): void {
  command
    .description('Creates or checks the topics that Lull reads and writes, and the schemas of what is in them.')
    .usage('[options] create|check');

  const create = command.command('create');
  create
    .description(
      'Creates the topics that are missing and registers the schemas. Topics that exist are checked, never changed; run it as often as you like.',
    )
    .option('--partitions <n>', 'partitions of every topic; fixed for life (default: those of an existing timeline, else 24)')
    .option('--replication-factor <n>', 'replicas of every topic (default: 3; a single broker needs 1)')
    .option('--json', 'one JSON object: {partitions, created, existing, schemas}')
    .action(async (options: { json?: true; partitions?: string }) => {
      const { config, sources } = commandConfig(create);
      const result = await withAdmin(config, async (admin) => {
        const { topics } = await checkTopics(admin, config);
        const created = await createMissingTopics(admin, { ...config, isPartitionsGiven: sources.partitions !== 'default' });
        const { partitions } = await checkTopics(admin, config);
        return { partitions, created, existing: topics.filter((topic) => !created.includes(topic)) };
      });
      if (options.json) {
        print(result);
        return;
      }
      for (const topic of result.created) process.stdout.write(`created   ${topic} (${result.partitions} partitions)\n`);
      for (const topic of result.existing) process.stdout.write(`as it is  ${topic}\n`);
    });

  const check = command.command('check');
  check
    .description(
      'Compares the topics with what they have to be and says how to mend each difference. Changes nothing. Exit code 1 if there is one.',
    )
    .option('--json', 'one JSON object: {partitions, topics, missing, differences: [{topic, setting, got, expected, mend}]}')
    .action(async (options: { json?: true }) => {
      const { config } = commandConfig(check);
      const result = await withAdmin(config, (admin) => checkTopics(admin, config));
      const isGood = result.missing.length === 0 && result.differences.length === 0;
      if (options.json) {
        print(result);
        if (!isGood) process.exitCode = 1;
        return;
      }
      if (isGood) {
        process.stdout.write(
          `${result.topics.length} topics of ${config.prefix} are as they have to be (${result.partitions} partitions)\n`,
        );
        return;
      }
      const missing = result.missing.length === 0 ? [] : [describeMissing(result.missing, config.prefix)];
      throw new CommandError([...missing, ...describeDifferences(result.differences)].join('\n'));
    });
}

async function withAdmin<T>(config: Config, use: (admin: LogAdmin) => Promise<T>): Promise<T> {
  const options = kafkaLogOptions(config);
  const { createKafkaLog } = await import('../../log/kafka/log.ts');
  const log = createKafkaLog(options);
  try {
    return await use(log.admin);
  } finally {
    await log.close();
  }
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
