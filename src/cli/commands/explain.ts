import { stdout } from 'node:process';
import type { Command } from 'commander';
import { createCodec } from '../../avro/codec.ts';
import type { Outcome } from '../../avro/records.ts';
import type { Decision } from '../../core/output.ts';
import { checkSchemas } from '../../avro/register.ts';
import { createKafkaLog } from '../../log/kafka/log.ts';
import { topicNames } from '../../log/topics.ts';
import { parseDuration } from '../../topology/duration.ts';
import type { CompiledTopology } from '../../topology/compile.ts';
import type { Config } from '../config.ts';
import { commandConfig } from '../context.ts';
import { CommandError, UsageError } from '../errors.ts';
import { readUser } from '../explain/records.ts';
import type { UserRecords } from '../explain/records.ts';
import { explainSilences } from '../explain/silence.ts';
import type { Silence } from '../explain/silence.ts';
import { decisionText, silenceText, time } from '../explain/text.ts';
import { kafkaLogOptions } from '../kafka.ts';
import { openRegistry } from '../registry.ts';
import { setOption } from '../set-option.ts';
import { loadTopology } from '../topology.ts';

interface Options {
  readonly user: string;
  readonly journey?: string;
  readonly since?: string;
  readonly topology?: string;
  readonly set: readonly string[];
  readonly json?: true;
}

interface Explanation {
  readonly user: string;
  readonly partition: number;
  readonly decisions: readonly { readonly decision: Decision; readonly outcomes: readonly Outcome[] }[];
  /** null without --topology: then nobody knows which journeys there are. */
  readonly silences: readonly Silence[] | null;
  readonly timeline: UserRecords | null;
}

export function explain(command: Command): void {
  command
    .description(
      "Says why a user got or did not get a message: every decision with all its checks, and what the provider said of what was sent.\nWith --topology also of journeys that have decided nothing, from the user's own timeline.",
    )
    .requiredOption('--user <id>', 'whose decisions')
    .option('--journey <name>', 'only this journey')
    .option('--since <time>', 'only decisions since then: 2d, 6h, or 2025-06-02T09:00:00Z')
    .option('--topology <folder>', 'also explain the journeys of this topology that have decided nothing')
    .addOption(setOption("the topology's"))
    .option('--json', 'one JSON object: {user, partition, decisions: [{decision, outcomes}], silences}')
    .action(async (options: Options) => {
      const { config } = commandConfig(command);
      const sinceMs = parseSince(options.since);
      const topology = options.topology === undefined ? null : loadTopology(options.topology, config.prefix, options.set);
      checkJourney(options, topology);
      const explanation = await gather(config, options, sinceMs, topology);
      stdout.write(options.json ? `${JSON.stringify(explanation, withoutRecords, 2)}\n` : asText(explanation, options, config));
    });
}

async function gather(
  config: Config,
  { user, journey }: Options,
  sinceMs: number,
  topology: CompiledTopology | null,
): Promise<Explanation> {
  const registry = openRegistry(config);
  const log = createKafkaLog(kafkaLogOptions(config));
  try {
    const codec = createCodec({ registry, ids: await checkSchemas(registry) });
    const topics = topicNames(config.prefix);
    const decided = await readUser(log, codec, topics.decisions, user);
    if (decided === null)
      throw new CommandError(
        `there is no topic ${topics.decisions}: create it with \`lull topics create\`, or give the --prefix of your app`,
      );
    const reported = await readUser(log, codec, topics.outcomes, user);
    const timeline = topology === null ? null : await readUser(log, codec, topics.timeline, user);

    const all = decided.records.flatMap(({ decoded }) => (decoded.record === 'lull.v1.Decision' ? [decoded.value] : []));
    const outcomes = reported?.records.flatMap(({ decoded }) => (decoded.record === 'lull.v1.Outcome' ? [decoded.value] : [])) ?? [];
    const decisions = all
      .filter((decision) => decision.decidedAtMs >= sinceMs && (journey === undefined || decision.journey === journey))
      .map((decision) => ({ decision, outcomes: outcomes.filter((outcome) => outcome.commandId === decision.commandId) }));
    const journeys = new Set(all.map((decision) => decision.journey));
    const silences =
      topology === null || timeline === null ? null : explainSilences(topology.program, timeline.records, timeline.nowMs, journeys);
    return {
      user,
      partition: decided.partition,
      decisions,
      silences: silences?.filter((silence) => journey === undefined || silence.journey === journey) ?? null,
      timeline,
    };
  } finally {
    await log.close();
  }
}

function checkJourney({ journey, topology: folder }: Options, topology: CompiledTopology | null): void {
  if (journey === undefined || topology === null) return;
  const names = topology.program.journeys.map(({ name }) => name);
  if (!names.includes(journey)) throw new UsageError(`--journey ${journey}: ${folder ?? ''} has ${names.join(', ')}`);
}

/** A duration counts back from now. */
function parseSince(text: string | undefined): number {
  if (text === undefined) return 0;
  const ago = parseDuration(text);
  const ms = ago === undefined ? Date.parse(text) : Date.now() - ago;
  if (Number.isNaN(ms)) throw new UsageError(`--since ${text}: write it as 2d, 6h or 2025-06-02T09:00:00Z`);
  return ms;
}

function asText({ user, partition, decisions, silences, timeline }: Explanation, { journey }: Options, config: Config): string {
  const about = journey === undefined ? '' : ` of ${journey}`;
  const where = `${topicNames(config.prefix).decisions}-${partition}`;
  const blocks = decisions.map(({ decision, outcomes }) => decisionText(decision, outcomes));
  if (decisions.length === 0) blocks.push(`no decision${about} for ${user} on ${where}`);
  if (silences === null) {
    if (decisions.length === 0) blocks.push('with --topology FOLDER, the timeline says how far its journeys came');
  } else if (timeline !== null) {
    const from = timeline.fromMs === null ? 'which is empty' : `from ${time(timeline.fromMs)} to ${time(timeline.nowMs)}`;
    const own = `${timeline.records.length} record${timeline.records.length === 1 ? '' : 's'} of ${user} on the timeline, ${from}`;
    if (silences.length > 0) blocks.push([`Nothing was decided by (${own}):`, ...silences.map(silenceText)].join('\n'));
  }
  return `${blocks.join('\n\n')}\n`;
}

/** The timeline itself is the user's data, and not asked for. */
function withoutRecords(key: string, value: unknown): unknown {
  return key === 'timeline' ? undefined : value;
}
