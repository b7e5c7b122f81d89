import { FatalLogError } from '../errors.ts';
import type { LogAdmin, TopicSpec } from '../port.ts';
import type { MemoryBroker } from './broker.ts';

export class MemoryAdmin implements LogAdmin {
  readonly #broker: MemoryBroker;

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  async partitions(topic: string): Promise<number | undefined> {
    return this.#broker.topics.get(topic)?.spec.partitions;
  }

  async describeTopics(topics: readonly string[]): Promise<ReadonlyMap<string, TopicSpec>> {
    const found = topics.map((topic) => this.#broker.topics.get(topic)?.spec).filter((spec) => spec !== undefined);
    return new Map(found.map((spec) => [spec.topic, spec]));
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) this.#broker.topics.create(spec);
  }

  async offsets(topic: string): Promise<ReadonlyMap<number, { readonly start: number; readonly end: number }>> {
    const found = this.#broker.topics.get(topic);
    if (found === undefined) throw new FatalLogError(`topic ${topic} does not exist`);
    return new Map(found.partitions.map(({ start, end }, partition) => [partition, { start, end }]));
  }

  async groupOffsets(groupId: string, topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#broker.groups.offsets(groupId, topic);
  }

  async setGroupOffsets(groupId: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    this.#broker.groups.requireEmpty(groupId);
    this.#broker.groups.commit(groupId, topic, offsets);
  }

  async deleteRecords(topic: string, before: ReadonlyMap<number, number>): Promise<void> {
    for (const [partition, offset] of before) this.#broker.topics.partition({ topic, partition }).deleteBefore(offset);
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#broker.topics.delete(topic);
  }
}
