import type { LogAdmin } from '../log/port.ts';
import { differences, partitionDifference, specOf, topicPlans } from '../log/topics.ts';
import type { TopicDifference } from '../log/topics.ts';
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
}

/** Compares the topics with what they have to be. Changes nothing. */
export async function checkTopics(admin: LogAdmin, { prefix, partitions, isPartitionsGiven = false }: TopicOptions): Promise<TopicCheck> {
  const plans = topicPlans(prefix);
  const existing = await admin.describeTopics(plans.map(({ topic }) => topic));
  const expected = countOf(plans.map(({ topic }) => existing.get(topic)?.partitions)) ?? partitions;
  const all = [...differences(plans, existing, expected)];
  // Said once: the other topics go by it.
  if (isPartitionsGiven && expected !== partitions) all.unshift(partitionDifference(plans[0]!.topic, expected, partitions));
  return {
    partitions: expected,
    topics: plans.map(({ topic }) => topic),
    missing: all.filter(({ setting }) => setting === 'topic').map(({ topic }) => topic),
    differences: all.filter(({ setting }) => setting !== 'topic'),
  };
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
  const check = await checkTopics(admin, options);
  if (check.differences.length > 0) throw new CommandError(describeDifferences(check.differences).join('\n'));
  const missing = new Set(check.missing);
  const specs = topicPlans(options.prefix)
    .filter(({ topic }) => missing.has(topic))
    .map((plan) => specOf(plan, check.partitions, options.replicationFactor));
  if (specs.length > 0) await admin.createTopics(specs);
  return check.missing;
}

/**
 * What every command that works on the topics calls before it does anything.
 * @returns the partition count
 * @throws CommandError that names every difference, and says how to mend it
 */
export async function requireTopics(admin: LogAdmin, options: Pick<TopicOptions, 'prefix'>): Promise<number> {
  const check = await checkTopics(admin, { ...options, partitions: 1, replicationFactor: 1 });
  const lines = describeDifferences(check.differences);
  if (check.missing.length > 0) lines.unshift(describeMissing(check.missing, options.prefix));
  if (lines.length > 0) throw new CommandError(lines.join('\n'));
  return check.partitions;
}

export function describeMissing(missing: readonly string[], prefix: string): string {
  return `${missing.length} ${missing.length === 1 ? 'topic is' : 'topics are'} missing (${missing.join(', ')}): create with \`lull topics create --prefix ${prefix}\``;
}

export function describeDifferences(found: readonly TopicDifference[]): string[] {
  return found.map(({ topic, setting, got, expected, mend }) => `${topic}: ${setting} is ${got}, expected ${expected}. To mend: ${mend}`);
}
