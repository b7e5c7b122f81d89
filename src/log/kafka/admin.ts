import { FatalLogError, LogUnavailableError, OffsetOutOfRangeError } from '../errors.ts';
import type { LogAdmin, TopicSpec } from '../port.ts';
import { Backoff } from './backoff.ts';
import type { Calls } from './calls.ts';
import type { KafkaClient } from './client.ts';
import { Code, describeCode, isCoordinatorMove, isLeaderMove } from './codes.ts';
import type { Connections } from './connections.ts';
import { type Address, NoAnswerError } from './wire.ts';

const TOPIC_TIMEOUT_MS = 10_000;
/** How far behind its controller a broker may be that makes many partitions on a slow disk. */
const KNOWN_WITHIN_MS = 60_000;
const START = -2;
const END = -1;

/** Each call asks the broker that knows: the leader of a partition, the coordinator of a group, or any. What moved is asked again until the deadline. */
export class KafkaAdmin implements LogAdmin {
  readonly #client: KafkaClient;
  readonly #connections: Connections;

  constructor(client: KafkaClient) {
    this.#client = client;
    this.#connections = client.connections();
  }

  async partitions(topic: string): Promise<number | undefined> {
    this.#client.cluster.invalidate(topic);
    return (await this.#client.cluster.layout(topic))?.leaders.length;
  }

  async describeTopics(topics: readonly string[]): Promise<ReadonlyMap<string, TopicSpec>> {
    const found = new Map<string, TopicSpec>();
    for (const topic of topics) {
      const spec = await this.#describeTopic(topic);
      if (spec !== undefined) found.set(topic, spec);
    }
    return found;
  }

  /** Layout and configuration are two requests: where the topic comes or goes in between, or another broker is behind, they are asked again until both say the same. */
  async #describeTopic(topic: string): Promise<TopicSpec | undefined> {
    let spec: TopicSpec | undefined;
    await this.#retried(`configuration of topic ${topic}`, async () => {
      this.#client.cluster.invalidate(topic);
      const layout = await this.#client.cluster.layout(topic);
      if (layout === undefined) return undefined;
      const { resources } = await this.#client.cluster.ask('DescribeConfigs', {
        resources: [{ type: 2, name: topic }],
        includeSynonyms: false,
      });
      const resource = resources[0];
      const code = resource?.errorCode ?? -1;
      if (resource === undefined || code !== Code.none) return { again: code === Code.unknownTopicOrPartition, code };
      const config = Object.fromEntries(resource.configEntries.map(({ configName, configValue }) => [configName, configValue ?? '']));
      spec = { topic, partitions: layout.leaders.length, replicationFactor: layout.replicationFactor, config };
      return undefined;
    });
    return spec;
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    if (specs.length === 0) return;
    const { topicErrors } = await this.#client.cluster.ask('CreateTopics', {
      timeout: TOPIC_TIMEOUT_MS,
      topics: specs.map(({ topic, partitions, replicationFactor, config }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      })),
    });
    for (const { topic, errorCode, errorMessage } of topicErrors)
      if (errorCode !== Code.none && errorCode !== Code.topicAlreadyExists)
        throw new FatalLogError(
          `topic ${topic} was not created: ${describeCode(errorCode)}${errorMessage === null ? '' : `, ${errorMessage}`}`,
        );
    // A topic is there before its leaders are: whoever asked for it wants to use it.
    // A busy broker is many seconds behind its controller: that the topic does not exist is no answer here.
    const patienceMs = Math.max(this.#client.deadlineMs, KNOWN_WITHIN_MS);
    const wait = { ...this.#wait, deadlineMs: patienceMs, unknownForMs: patienceMs };
    for (const { topic } of specs) {
      await this.#client.cluster.leader(topic, 0, wait);
      await this.#forEachLeader(topic, async () => Code.none);
    }
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return;
    const { topicErrors } = await this.#client.cluster.ask('DeleteTopics', { timeout: TOPIC_TIMEOUT_MS, topics });
    for (const { topic, errorCode } of topicErrors) {
      this.#client.cluster.invalidate(topic);
      if (errorCode !== Code.none && errorCode !== Code.unknownTopicOrPartition)
        throw new FatalLogError(`topic ${topic} was not deleted: ${describeCode(errorCode)}`);
    }
  }

  async offsets(topic: string): Promise<ReadonlyMap<number, { readonly start: number; readonly end: number }>> {
    const starts = await this.#listOffsets(topic, START);
    const ends = await this.#listOffsets(topic, END);
    return new Map([...ends].sort(([a], [b]) => a - b).map(([partition, end]) => [partition, { start: starts.get(partition)!, end }]));
  }

  async groupOffsets(groupId: string, topic: string): Promise<ReadonlyMap<number, number>> {
    const count = await this.#count(topic);
    const topics = [{ topic, partitions: Array.from({ length: count }, (_, partition) => ({ partition })) }];
    const answer = await this.#onCoordinator(groupId, 'OffsetFetch', { groupId, topics }, ({ errorCode, responses }) => [
      errorCode,
      ...responses.flatMap(({ partitions }) => partitions.map((partition) => partition.errorCode)),
    ]);
    const committed = answer.responses.flatMap(({ partitions }) =>
      partitions.map(({ partition, offset }) => [partition, Number(offset)] as const),
    );
    return new Map(committed.filter(([, offset]) => offset >= 0).sort(([a], [b]) => a - b));
  }

  async setGroupOffsets(groupId: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    const topics = [{ topic, partitions: [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) })) }];
    // A commit of no member: the coordinator takes it only while the group has none.
    const args = { groupId, groupGenerationId: -1, memberId: '', topics };
    await this.#onCoordinator(groupId, 'OffsetCommit', args, ({ responses }) => {
      const codes = responses.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
      if (codes.includes(Code.unknownMemberId)) throw new FatalLogError(`group ${groupId}: ${describeCode(Code.nonEmptyGroup)}`);
      return codes;
    });
  }

  async deleteRecords(topic: string, before: ReadonlyMap<number, number>): Promise<void> {
    await this.#forEachLeader(topic, async (leader, partitions) => {
      const asked = partitions
        .filter((partition) => before.has(partition))
        .map((partition) => ({ partition, offset: String(before.get(partition)) }));
      if (asked.length === 0) return Code.none;
      const { topics } = await this.#connections.to(leader).call('DeleteRecords', { topics: [{ topic, partitions: asked }] });
      const failed = topics.flatMap((answer) => answer.partitions).find(({ errorCode }) => errorCode !== Code.none);
      if (failed?.errorCode === Code.offsetOutOfRange)
        throw new OffsetOutOfRangeError(topic, failed.partition, before.get(failed.partition)!);
      return failed?.errorCode ?? Code.none;
    });
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  get #wait(): { readonly deadlineMs: number; readonly signal: AbortSignal } {
    return { deadlineMs: this.#client.deadlineMs, signal: this.#connections.signal };
  }

  async #listOffsets(topic: string, timestamp: typeof START | typeof END): Promise<Map<number, number>> {
    const found = new Map<number, number>();
    await this.#forEachLeader(topic, async (leader, partitions) => {
      const topics = [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp }) as const) }];
      const { responses } = await this.#connections.to(leader).call('ListOffsets', { replicaId: -1, isolationLevel: 0, topics });
      for (const { partition, errorCode, offset } of responses.flatMap((answer) => answer.partitions)) {
        if (errorCode !== Code.none) return errorCode;
        found.set(partition, Number(offset));
      }
      return Code.none;
    });
    return found;
  }

  async #count(topic: string): Promise<number> {
    await this.#client.cluster.leader(topic, 0, this.#wait);
    return (await this.#client.cluster.layout(topic))?.leaders.length ?? 0;
  }

  /** One request per leader of the topic's partitions; all of it again when a leader moved. `ask` gives an error code. */
  async #forEachLeader(topic: string, ask: (leader: Address, partitions: readonly number[]) => Promise<number>): Promise<void> {
    await this.#retried(`topic ${topic}`, async () => {
      const byLeader = new Map<string, { readonly leader: Address; readonly partitions: number[] }>();
      const count = await this.#count(topic);
      for (let partition = 0; partition < count; partition++) {
        const leader = await this.#client.cluster.leader(topic, partition, this.#wait);
        const name = `${leader.host}:${leader.port}`;
        const group = byLeader.get(name);
        if (group === undefined) byLeader.set(name, { leader, partitions: [partition] });
        else group.partitions.push(partition);
      }
      for (const { leader, partitions } of byLeader.values()) {
        const code = await this.#answered(leader, () => ask(leader, partitions));
        if (code === Code.none) continue;
        this.#client.cluster.invalidate(topic);
        return { again: isLeaderMove(code) || code === Code.requestTimedOut || code === Code.networkException, code };
      }
      return undefined;
    });
  }

  async #onCoordinator<K extends 'OffsetFetch' | 'OffsetCommit'>(
    groupId: string,
    api: K,
    args: Calls[K]['args'],
    codesOf: (answer: Calls[K]['answer']) => readonly number[],
  ): Promise<Calls[K]['answer']> {
    let answer: Calls[K]['answer'] | undefined;
    await this.#retried(`group ${groupId}`, async () => {
      const coordinator = await this.#client.cluster.coordinator('group', groupId, this.#connections.signal);
      const code = await this.#answered(coordinator, async () => {
        answer = await this.#connections.to(coordinator).call(api, args);
        return codesOf(answer).find((one) => one !== Code.none) ?? Code.none;
      });
      return code === Code.none ? undefined : { again: isCoordinatorMove(code) || code === Code.networkException, code };
    });
    return answer!;
  }

  async #answered(address: Address, ask: () => Promise<number>): Promise<number> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      await this.#connections.drop(this.#connections.to(address));
      return Code.networkException;
    }
  }

  async #retried(what: string, attempt: () => Promise<{ readonly again: boolean; readonly code: number } | undefined>): Promise<void> {
    const backoff = new Backoff({ firstMs: 20, maxMs: 500, ...this.#wait });
    for (;;) {
      const failure = await attempt();
      if (failure === undefined) return;
      if (!failure.again) throw new FatalLogError(`${what}: ${describeCode(failure.code)}`);
      if (!(await backoff.wait()))
        throw new LogUnavailableError(`${what}: no answer within ${this.#client.deadlineMs} ms (${describeCode(failure.code)})`);
    }
  }
}
