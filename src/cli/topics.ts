import type { LogAdmin } from '../log/port.ts';
import { differences, ingestPlans, partitionDifference, specOf, topicPlans } from '../log/topics.ts';
import type { SourceTopic, TopicDifference, TopicPlan } from '../log/topics.ts';
import { CommandError } from './errors.ts';

export interface TopicCheck {
  /** Of every topic, as those that exist have it; where there is none yet, what it would be created with. */
  readonly partitions: number;
  readonly topics: readonly string[];
  readonly missing: readonly string[];
  /** Of topics that exist. */
  readonly differences: readonly TopicDifference[];
}

export interface TopicOptions {
  readonly prefix: string;
  /** For topics that do not exist. Where the timeline exists, its own count wins unless `isPartitionsGiven`. */
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Whether a person asked for this count of partitions: then a timeline with another one is a difference. Default false. */
  readonly isPartitionsGiven?: boolean;
  /** Of a topology: their topics are looked at, and their changelogs are topics of Lull. Default none. */
  readonly sources?: readonly Pick<SourceTopic, 'name' | 'topic'>[];
}

/** Compares the topics with what they have to be. Changes nothing. */
export async function checkTopics(admin: LogAdmin, options: TopicOptions): Promise<TopicCheck> {
  return (await check(admin, options)).check;
}

interface PlanCheck {
  readonly plans: readonly TopicPlan[];
  readonly check: TopicCheck;
}

async function check(admin: LogAdmin, { prefix, partitions, isPartitionsGiven = false, sources = [] }: TopicOptions): Promise<PlanCheck> {
  const { found: foreign, differences: absent } = await sourceTopics(admin, sources);
  const plans = [...topicPlans(prefix), ...ingestPlans(prefix, foreign)];
  const existing = await admin.describeTopics(plans.map(({ topic }) => topic));
  const keyed = plans.filter(({ partitionsOf, partitions: own }) => partitionsOf === undefined && own === undefined);
  const expected = countOf(keyed.map(({ topic }) => existing.get(topic)?.partitions)) ?? partitions;
  const all = [...differences(plans, existing, expected)];
  // Said once: the other topics go by it.
  if (isPartitionsGiven && expected !== partitions) all.unshift(partitionDifference(plans[0]!.topic, expected, partitions));
  return {
    plans,
    check: {
      partitions: expected,
      topics: plans.map(({ topic }) => topic),
      missing: all.filter(({ setting }) => setting === 'topic').map(({ topic }) => topic),
      differences: [...absent, ...all.filter(({ setting }) => setting !== 'topic')],
    },
  };
}

/** The topics that sources read are somebody else's: one that is not there is for them to create, or a slip in the topology. */
async function sourceTopics(
  admin: LogAdmin,
  sources: NonNullable<TopicOptions['sources']>,
): Promise<{ readonly found: readonly SourceTopic[]; readonly differences: readonly TopicDifference[] }> {
  const existing = await admin.describeTopics([...new Set(sources.map(({ topic }) => topic))]);
  const found = sources.flatMap(({ name, topic }) => {
    const partitions = existing.get(topic)?.partitions;
    return partitions === undefined ? [] : [{ name, topic, partitions }];
  });
  const absent = sources.filter(({ topic }) => !existing.has(topic));
  const differences = absent.map(({ name, topic }) => ({
    ...{ topic, setting: 'topic', got: 'missing', expected: 'one that exists' },
    mend: `the source \`${name}\` reads it: create it, or correct \`sources.${name}.topic\` in topology.yaml`,
  }));
  return { found, differences };
}

/** What all topics have to have: the timeline's count, unless two others or more agree on another, and then it is the timeline that was given more since. */
function countOf([timeline, ...others]: readonly (number | undefined)[]): number | undefined {
  const counts = others.filter((count) => count !== undefined);
  const isAgreed = timeline !== undefined && counts.length > 1 && counts.every((count) => count === counts[0]);
  return isAgreed ? counts[0] : timeline;
}

/**
 * Creates the topics that are missing; nothing is created while one that exists is wrong.
 * @returns the names of those that were created
 * @throws CommandError that names every difference
 */
export async function createMissingTopics(admin: LogAdmin, options: TopicOptions): Promise<readonly string[]> {
  const { plans, check: found } = await check(admin, options);
  if (found.differences.length > 0) throw new CommandError(describeDifferences(found.differences).join('\n'));
  const missing = new Set(found.missing);
  const specs = plans.filter(({ topic }) => missing.has(topic)).map((plan) => specOf(plan, found.partitions, options.replicationFactor));
  if (specs.length > 0) await admin.createTopics(specs);
  return found.missing;
}

/**
 * What every command that works on the topics calls before it does anything.
 * @returns the partition count
 * @throws CommandError that names every difference, and says how to mend it
 */
export async function requireTopics(admin: LogAdmin, options: Pick<TopicOptions, 'prefix' | 'sources'>): Promise<number> {
  const check = await checkTopics(admin, { ...options, partitions: 1, replicationFactor: 1 });
  const lines = describeDifferences(check.differences);
  if (check.missing.length > 0) lines.unshift(describeMissing(check.missing, options.prefix, options.sources));
  if (lines.length > 0) throw new CommandError(lines.join('\n'));
  return check.partitions;
}

export function describeMissing(missing: readonly string[], prefix: string, sources: TopicOptions['sources'] = []): string {
  const topology = sources.length === 0 ? '' : ' --topology FOLDER';
  return `${missing.length} ${missing.length === 1 ? 'topic is' : 'topics are'} missing (${missing.join(', ')}): create with \`lull topics create --prefix ${prefix}${topology}\``;
}

export function describeDifferences(found: readonly TopicDifference[]): string[] {
  return found.map(({ topic, setting, got, expected, mend }) => `${topic}: ${setting} is ${got}, expected ${expected}. To mend: ${mend}`);
}
