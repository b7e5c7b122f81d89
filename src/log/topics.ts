import type { TopicSpec } from './port.ts';

/** Lull's topics under one prefix. */
export interface TopicNames {
  readonly timeline: string;
  readonly state: string;
  readonly dispatch: string;
  readonly outcomes: string;
  readonly decisions: string;
  readonly deadLetters: string;
  /** Interest in items, and the items' changes, keyed by item. */
  readonly items: string;
  readonly itemsState: string;
  /** Checked topologies, by their hash. */
  readonly topologies: string;
  /** The changelog of one sender, e.g. of `webpush`. */
  readonly senderState: (sender: string) => string;
  /** The changelog of one source's ingest. */
  readonly ingestState: (source: string) => string;
}

export function topicNames(prefix: string): TopicNames {
  return {
    timeline: `${prefix}.timeline`,
    state: `${prefix}.state`,
    dispatch: `${prefix}.dispatch`,
    outcomes: `${prefix}.outcomes`,
    decisions: `${prefix}.decisions`,
    deadLetters: `${prefix}.dead-letters`,
    items: `${prefix}.items`,
    itemsState: `${prefix}.items-state`,
    topologies: `${prefix}.topologies`,
    senderState: (sender) => `${prefix}.sender-${sender}-state`,
    ingestState: (source) => `${prefix}.ingest-${source}-state`,
  };
}

/**
 * A topic setting that Lull creates a topic with, and how far an operator may move it.
 * - `exactly`: Lull does not work with another value.
 * - `atLeast`: more is fine (-1, unlimited, too).
 * - `atCreation`: a default; afterwards it is the operator's.
 */
export interface TopicSetting {
  readonly name: string;
  readonly value: string;
  readonly holds: 'exactly' | 'atLeast' | 'atCreation';
  /** What goes wrong otherwise. */
  readonly because: string;
}

export interface TopicPlan {
  readonly topic: string;
  /** Where it has the partitions of something else than the timeline. */
  readonly partitionsOf?: SourceTopic;
  /** Where it has a count of its own, whatever the timeline has. */
  readonly partitions?: number;
  readonly settings: readonly TopicSetting[];
}

/** A foreign topic that a source of the topology reads, as it is. */
export interface SourceTopic {
  /** The source's. */
  readonly name: string;
  readonly topic: string;
  readonly partitions: number;
}

const DAY_MS = 86_400_000;
/** A dead letter holds up to 3 MiB of the value, its key and its headers. */
const DEAD_LETTER_MAX_BYTES = 4 * 1024 * 1024;

/** A record is as old as the broker says: one that a processor with a wrong clock wrote would be refused, or deleted before it was read. */
const appendTime: TopicSetting = {
  name: 'message.timestamp.type',
  value: 'LogAppendTime',
  holds: 'atCreation',
  because: 'a processor whose clock is wrong must not decide how old a record is',
};

const log = (days: number, time: TopicSetting = appendTime): readonly TopicSetting[] => [
  time,
  { name: 'cleanup.policy', value: 'delete', holds: 'exactly', because: 'every record of it counts, not only the last of a key' },
  { name: 'retention.ms', value: String(days * DAY_MS), holds: 'atCreation', because: 'it is the default retention' },
];

const changelog: readonly TopicSetting[] = [
  appendTime,
  { name: 'cleanup.policy', value: 'compact', holds: 'exactly', because: 'state that is old, and not replaced, would be deleted' },
  {
    name: 'delete.retention.ms',
    value: String(7 * DAY_MS),
    holds: 'atLeast',
    because: 'a local store that was away longer than half of it misses deletions',
  },
];

/** One partition: the offsets are the numbers of the versions, and whoever publishes stands in one order with all others. */
const topologies: readonly TopicSetting[] = [
  { ...appendTime, because: 'it says when a version was published' },
  {
    name: 'cleanup.policy',
    value: 'compact',
    holds: 'exactly',
    because: 'a topology that is in force, or has people in flight, would be deleted',
  },
];

/** All topics that Lull writes, with what each has to be. The senders' changelogs are named by `senders`. */
export function topicPlans(prefix: string, senders: readonly string[] = SENDERS): readonly TopicPlan[] {
  const names = topicNames(prefix);
  return [
    {
      topic: names.timeline,
      settings: log(30, { ...appendTime, holds: 'exactly', because: "timers are fired by the broker's clock, in log order" }),
    },
    { topic: names.state, settings: changelog },
    { topic: names.dispatch, settings: log(3) },
    { topic: names.outcomes, settings: log(30) },
    { topic: names.decisions, settings: log(30) },
    {
      topic: names.items,
      settings: log(7, { ...appendTime, holds: 'exactly', because: "interest ends by the broker's clock, in log order" }),
    },
    { topic: names.itemsState, settings: changelog },
    {
      topic: names.deadLetters,
      settings: [
        ...log(14),
        {
          name: 'max.message.bytes',
          value: String(DEAD_LETTER_MAX_BYTES),
          holds: 'atLeast',
          because: 'a record that is refused for its size has to fit',
        },
      ],
    },
    { topic: names.topologies, partitions: 1, settings: topologies },
    ...senders.map((sender) => ({ topic: names.senderState(sender), settings: changelog })),
  ];
}

/** The changelogs of ingest: each has the partitions of the topic that its source reads. */
export function ingestPlans(prefix: string, sources: readonly SourceTopic[]): readonly TopicPlan[] {
  return sources.map((source) => ({ topic: topicNames(prefix).ingestState(source.name), partitionsOf: source, settings: changelog }));
}

/** The senders there are: one stage, one group and one changelog each. */
export const SENDERS: readonly string[] = ['fcm', 'webpush'];

/** What to create a topic with. With three replicas, losing one loses nothing and stops nothing. */
export function specOf(plan: TopicPlan, partitions: number, replicationFactor: number): TopicSpec {
  const config = Object.fromEntries(plan.settings.map(({ name, value }) => [name, value]));
  if (replicationFactor >= 3) config['min.insync.replicas'] = '2';
  return { topic: plan.topic, partitions: partitionsOf(plan, partitions), replicationFactor, config };
}

function partitionsOf(plan: TopicPlan, ofTimeline: number): number {
  return plan.partitions ?? plan.partitionsOf?.partitions ?? ofTimeline;
}

/** Something that has to be mended before Lull runs on these topics. */
export interface TopicDifference {
  readonly topic: string;
  /** A topic setting, `partitions`, or `topic` where there is none. */
  readonly setting: string;
  readonly got: string;
  readonly expected: string;
  /** What to do, and why. */
  readonly mend: string;
}

/** Compares what exists with the plans. All topics but those of ingest and of topologies have the partition count of the timeline, so that a user is the same partition in each. */
export function differences(
  plans: readonly TopicPlan[],
  existing: ReadonlyMap<string, TopicSpec>,
  partitions: number,
): readonly TopicDifference[] {
  return plans.flatMap((plan) => {
    const found = existing.get(plan.topic);
    const count = partitionsOf(plan, partitions);
    if (found === undefined)
      return [
        {
          topic: plan.topic,
          setting: 'topic',
          got: 'missing',
          expected: count === 1 ? '1 partition' : `${count} partitions`,
          mend: 'create it with `lull topics create`',
        },
      ];
    const wrong = plan.settings.filter((setting) => !holds(setting, found.config[setting.name]));
    return [
      ...(found.partitions === count ? [] : [differenceOf(plan, found.partitions, count)]),
      ...wrong.map((setting) => ({
        topic: plan.topic,
        setting: setting.name,
        got: found.config[setting.name] ?? 'unset',
        expected: setting.holds === 'atLeast' ? `at least ${setting.value}` : setting.value,
        mend: `kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name ${plan.topic} --add-config ${setting.name}=${setting.value} (${setting.because})`,
      })),
    ];
  });
}

function differenceOf({ topic, partitionsOf, partitions }: TopicPlan, got: number, expected: number): TopicDifference {
  if (partitions !== undefined) {
    const mend =
      'its offsets are the numbers of versions, so it has this many for life: use another prefix, or delete the topic, create it and publish again';
    return { topic, setting: 'partitions', got: String(got), expected: String(expected), mend };
  }
  if (partitionsOf === undefined) return partitionDifference(topic, got, expected);
  const grow = `kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic ${topic} --partitions ${expected}`;
  const mend = `it keeps how far each partition of ${partitionsOf.topic} was read: ${
    got < expected ? grow : `that topic was recreated with fewer; give the source \`${partitionsOf.name}\` another name`
  }`;
  return { topic, setting: 'partitions', got: String(got), expected: String(expected), mend };
}

export function partitionDifference(topic: string, got: number, expected: number): TopicDifference {
  const mend =
    'a user has to be the same partition in every topic, the count is fixed for life, and Kafka takes no partition back: use another prefix, or recreate the topic where nothing in it is needed';
  return { topic, setting: 'partitions', got: String(got), expected: String(expected), mend };
}

function holds({ value, holds }: TopicSetting, got: string | undefined): boolean {
  if (holds === 'atCreation') return true;
  if (got === undefined) return false;
  if (holds === 'exactly') return got === value;
  return Number(got) === -1 || Number(got) >= Number(value);
}
