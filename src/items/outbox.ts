import type { Codec } from '../avro/codec.ts';
import type { ItemChange } from '../avro/records.ts';
import { MAX_TRACE_PARENT_BYTES } from '../core/event.ts';
import { deadLetter, type Refusal } from '../engine/dead-letter.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { LogRecord, OutRecord, TopicPartition } from '../log/port.ts';
import type { Interested } from './interests.ts';
import type { ItemsObserver } from './observer.ts';

export interface ItemsTopics {
  readonly items: string;
  readonly state: string;
  readonly timeline: string;
  readonly deadLetters: string;
}

/** A transaction has at most so many bytes of values. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What a fan-out is larger than its change by, at most: the user's id, and where the change stood. */
const MORE_BYTES = 512;

interface OutboxOptions {
  readonly codec: Codec;
  readonly topics: ItemsTopics;
  /** A transaction writes at most so many. */
  readonly maxRecords: number;
}

/** A change, and where it stands in the log. `occurredAt` is not later than its append time. */
export interface Told {
  readonly change: ItemChange;
  readonly record: LogRecord;
}

/** Gathers what the transaction in work will write, and what will be said of it. */
export class Outbox {
  readonly #codec: Codec;
  readonly #topics: ItemsTopics;
  readonly #source: TopicPartition;
  readonly #maxRecords: number;
  readonly #partitions: number;
  records: OutRecord[] = [];
  #bytes = 0;
  readonly #told = new Map<string, number>();
  readonly #done: { readonly type: string; readonly appendedAtMs: number }[] = [];
  readonly #refusals: string[] = [];
  #wrongPartition = 0;
  interests = 0;

  constructor(
    { codec, topics, maxRecords }: OutboxOptions,
    { partition, partitions }: Omit<TopicPartition, 'topic'> & { partitions: number },
  ) {
    this.#codec = codec;
    this.#topics = topics;
    this.#maxRecords = maxRecords;
    this.#source = { topic: topics.items, partition };
    this.#partitions = partitions;
  }

  get isFull(): boolean {
    return this.records.length >= this.#maxRecords || this.#bytes >= MAX_BYTES;
  }

  /** How many of its users fit into an empty transaction. */
  mostOf({ record }: Told): number {
    const bytes = (record.value?.length ?? 0) + MORE_BYTES;
    return Math.max(1, Math.min(this.#maxRecords, Math.floor(MAX_BYTES / bytes)));
  }

  /** Whether there is room for so many of its users. An empty one has it for `mostOf`. */
  hasRoom({ record }: Told, users: number): boolean {
    const bytes = users * ((record.value?.length ?? 0) + MORE_BYTES);
    return this.records.length === 0 || (this.records.length + users <= this.#maxRecords && this.#bytes + bytes <= MAX_BYTES);
  }

  /** One event for each of these, on their users' partitions of the timeline. */
  tell({ change, record }: Told, interested: readonly Interested[], prefixBytes: number): void {
    const { timeline: topic } = this.#topics;
    const { partition } = this.#source;
    const { eventId, itemId, type, occurredAt, properties } = change;
    const common = { eventId, itemId, type, occurredAt, properties, appendedAt: record.timestampMs, partition, offset: record.offset };
    const traceParent = record.headers?.['traceparent'];
    const headers =
      traceParent === undefined || traceParent.length > MAX_TRACE_PARENT_BYTES ? {} : { headers: { traceparent: traceParent } };
    for (const { key: rowKey } of interested) {
      const key = rowKey.subarray(prefixBytes);
      const value = this.#codec.encode('lull.v1.Control', { fanOut: { ...common, userId: key.toString('utf8') } });
      this.#add({ topic, partition: partitionFor(key, this.#partitions), key, value, ...headers });
    }
    if (interested.length > 0) this.#told.set(type, (this.#told.get(type) ?? 0) + interested.length);
  }

  /** The last of the change's events is in this transaction. */
  done({ change, record }: Told): void {
    this.#done.push({ type: change.type, appendedAtMs: record.timestampMs });
  }

  /** As it is, to where its item belongs: that partition's task takes it from there. */
  forward({ key, value, headers }: LogRecord, partition: number): void {
    this.#add({ topic: this.#topics.items, partition, key, value, ...(headers === undefined ? {} : { headers }) });
    this.#wrongPartition++;
  }

  refuse(record: LogRecord, refusal: Refusal): void {
    this.#add(deadLetter(this.#topics.deadLetters, this.#source, record, refusal));
    this.#refusals.push(refusal.reason);
  }

  /** `nowMs` is the wall clock after the commit. Begins anew: a commit may still hold the old list. */
  committed(observer: ItemsObserver, nowMs: number): void {
    for (const [type, count] of this.#told) observer.told(type, count);
    for (const { type, appendedAtMs } of this.#done) observer.changed(type, Math.max(0, nowMs - appendedAtMs) / 1000);
    for (const reason of this.#refusals) observer.deadLetter(reason);
    if (this.#wrongPartition > 0) observer.wrongPartition(this.#wrongPartition);
    if (this.interests > 0) observer.interests(this.interests);
    this.clear();
  }

  clear(): void {
    this.records = [];
    this.#bytes = 0;
    this.#told.clear();
    this.#done.length = 0;
    this.#refusals.length = 0;
    this.#wrongPartition = 0;
    this.interests = 0;
  }

  #add(record: OutRecord): void {
    this.records.push(record);
    this.#bytes += record.value?.length ?? 0;
  }
}
