import type { Command } from 'commander';
import { createKafkaLog } from '../../log/kafka/log.ts';
import type { Log } from '../../log/port.ts';
import { topicNames } from '../../log/topics.ts';
import type { PublishedTopologies } from '../../processor/published.ts';
import type { PublishedVersion } from '../../processor/topologies.ts';
import type { Config } from '../config.ts';
import { commandConfig } from '../context.ts';
import { count } from '../count.ts';
import { CommandError } from '../errors.ts';
import { kafkaLogOptions } from '../kafka.ts';
import { openPublished, publish, shortHash, shortName } from '../published.ts';
import { setOption } from '../set-option.ts';
import { loadTopology } from '../topology.ts';
import { versionsInForce } from '../versions-in-force.ts';

export function topology(command: Command): void {
  command
    .description(
      'Versions of the topology under the prefix. `lull process --topology FOLDER` publishes one that is new; the newest is put in force on every partition, by a record on its timeline.',
    )
    .usage('[options] activate|list|show');

  const activate = command.command('activate');
  activate
    .description(
      'Publishes a topology, also one that was published before: it is the newest then, and every running processor goes by it from its record on. To roll back, activate the earlier folder.',
    )
    .argument('<folder>', 'the topology')
    .addOption(setOption("the topology's"))
    .action(async (folder: string, { set }: { readonly set: readonly string[] }) => {
      const { config } = commandConfig(activate);
      const compiled = loadTopology(folder, config.prefix, set);
      await withPublished(config, async (published, log) => {
        const inForce = await versionsInForce(log, topicNames(config.prefix).state);
        const { newest } = published;
        const { hash } = compiled.program;
        // Where the topic was created anew, another text of that number or a greater one may be in force.
        const isBefore = ({ number }: PublishedVersion): boolean =>
          inForce.some((one) => one !== undefined && (one.number > number || (one.number === number && one.hash !== hash)));
        if (newest?.hash === hash && !isBefore(newest)) {
          say(`${shortName(newest)} is the newest already, version ${newest.number}`);
          return;
        }
        const version = await publish(published, compiled, inForce);
        say(`published ${shortName(version)} as version ${version.number}: running processors go by it from now on`);
      });
    });

  const list = command.command('list');
  list
    .description('What was published, the newest last, and on how many partitions each is in force.')
    .option('--json', 'one JSON object: {versions: [{number, name, hash, publishedAt, newest, partitions}], partitions}')
    .action(async ({ json }: { readonly json?: true }) => {
      const { config } = commandConfig(list);
      await withPublished(config, async (published, log) => {
        const inForce = await versionsInForce(log, topicNames(config.prefix).state);
        const versions = published.all.map((version) => ({
          ...described(version),
          newest: version.number === published.newest?.number,
          partitions: inForce.filter((one) => one?.hash === version.hash).length,
        }));
        if (json === true) print({ versions, partitions: inForce.length });
        else say(tableOf(versions, inForce.length).join('\n'));
      });
    });

  const show = command.command('show');
  show
    .description('The canonical text of a version: params applied, names sorted, without comments. What its hash is of.')
    .argument('[hash]', 'the hash, or its first characters (default: of the newest)')
    .option('--json', 'one JSON object: {number, name, hash, publishedAt, topology}')
    .action(async (hash: string | undefined, { json }: { readonly json?: true }) => {
      const { config } = commandConfig(show);
      await withPublished(config, async (published) => {
        const version = chosen(published, hash, config.prefix);
        const text = await published.textOf(version.hash);
        if (text === undefined) throw new CommandError(`${shortName(version)} was there and is gone; is somebody deleting from the topic?`);
        if (json === true) print({ ...described(version), topology: JSON.parse(text) as unknown });
        else say(text);
      });
    });
}

async function withPublished(config: Config, use: (published: PublishedTopologies, log: Log) => Promise<void>): Promise<void> {
  // A person waits for the answer.
  const log = createKafkaLog({ ...kafkaLogOptions(config), connectDeadlineMs: 5_000 });
  try {
    const published = await openPublished({ config, log, note: () => undefined, holds: null });
    try {
      await use(published, log);
    } finally {
      await published.close();
    }
  } finally {
    await log.close();
  }
}

function chosen({ all, newest }: PublishedTopologies, hash: string | undefined, prefix: string): PublishedVersion {
  if (newest === undefined)
    throw new CommandError(`nothing was published under the prefix ${prefix}: \`lull topology activate FOLDER\` publishes a topology`);
  if (hash === undefined) return newest;
  const found = all.filter((version) => version.hash.startsWith(hash));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const what = found.length === 0 ? 'no version has' : `${found.length} versions have`;
  throw new CommandError(`${what} the hash ${hash}: \`lull topology list\` says which there are`);
}

function described({ number, name, hash, atMs }: PublishedVersion) {
  return { number, name, hash, publishedAt: new Date(atMs).toISOString() };
}

interface Row extends ReturnType<typeof described> {
  readonly newest: boolean;
  readonly partitions: number;
}

function tableOf(versions: readonly Row[], partitions: number): readonly string[] {
  if (versions.length === 0) return ['nothing was published: `lull topology activate FOLDER` publishes a topology'];
  const rows = versions.map(({ number, hash, name, publishedAt, newest, partitions: own }) => [
    String(number),
    shortHash(hash),
    name,
    publishedAt,
    `${own} of ${count(partitions, 'partition')}${newest ? ', the newest' : ''}`,
  ]);
  const table = [['version', 'hash', 'name', 'published', 'in force on'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
