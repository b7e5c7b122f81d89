import { FatalLogError, RecordTooLargeError } from '../errors.ts';
import type { AppendedTo, OutRecord, TopicPartition, TopicSpec } from '../port.ts';
import { MemoryPartition, recordBytes, type TransactionOutcome } from './partition.ts';

/** Kafka's own default. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;

interface Topic {
  readonly spec: TopicSpec;
  readonly partitions: readonly MemoryPartition[];
  readonly appendTime: boolean;
  readonly maxMessageBytes: number;
}

/** The topics of one memory broker. */
export class MemoryTopics {
  readonly #topics = new Map<string, Topic>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get(topic: string): Topic | undefined {
    return this.#topics.get(topic);
  }

  partition({ topic, partition }: TopicPartition): MemoryPartition {
    const found = this.#topics.get(topic)?.partitions[partition];
    if (found === undefined) throw new FatalLogError(`${topic}-${partition} does not exist`);
    return found;
  }

  /** A topic that exists stays as it is. */
  create(spec: TopicSpec): void {
    if (this.#topics.has(spec.topic)) return;
    if (!Number.isInteger(spec.partitions) || spec.partitions < 1)
      throw new FatalLogError(`${spec.topic}: a topic has at least one partition`);
    this.#topics.set(spec.topic, {
      spec,
      partitions: Array.from({ length: spec.partitions }, (_, partition) => new MemoryPartition(spec.topic, partition)),
      appendTime: spec.config['message.timestamp.type'] === 'LogAppendTime',
      maxMessageBytes: Number(spec.config['max.message.bytes'] ?? DEFAULT_MAX_MESSAGE_BYTES),
    });
  }

  delete(topic: string): void {
    this.#topics.delete(topic);
  }

  /** Checks every record before it places the first: a refused send leaves nothing behind. */
  append(
    records: readonly OutRecord[],
    outcome?: TransactionOutcome,
    onPartition?: (partition: MemoryPartition) => void,
  ): readonly AppendedTo[] {
    const now = this.#now();
    const byPartition = new Map<MemoryPartition, { readonly topic: Topic; readonly records: OutRecord[] }>();
    for (const record of records) {
      const partition = this.partition(record);
      const topic = this.#topics.get(record.topic)!;
      const bytes = recordBytes({ ...record, timestampMs: now });
      if (bytes > topic.maxMessageBytes)
        throw new RecordTooLargeError(
          `${record.topic}-${record.partition}: a record of ${bytes} bytes is larger than max.message.bytes (${topic.maxMessageBytes})`,
        );
      const group = byPartition.get(partition);
      if (group === undefined) byPartition.set(partition, { topic, records: [record] });
      else group.records.push(record);
    }
    return [...byPartition].map(([partition, { topic, records: group }]) => {
      onPartition?.(partition);
      const baseOffset = partition.append(
        group.map(({ key, value, headers, timestampMs }) => ({
          key,
          value,
          ...(headers === undefined || Object.keys(headers).length === 0 ? {} : { headers }),
          timestampMs: topic.appendTime ? now : (timestampMs ?? now),
        })),
        outcome,
      );
      return { topic: group[0]!.topic, partition: group[0]!.partition, baseOffset, nextOffset: partition.end };
    });
  }
}
