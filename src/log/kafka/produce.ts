import type { TopicPartition } from '../port.ts';
import { ByteReader } from './byte-reader.ts';

export const PRODUCE_VERSION = 7;

export interface PartitionBatch extends TopicPartition {
  readonly batch: Buffer;
}

export interface PartitionResult extends TopicPartition {
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** https://kafka.apache.org/protocol#The_Messages_Produce, acks of all in-sync replicas; in parts, the batches being parts as they are. */
export function encodeProduce(transactionalId: string | null, batches: readonly PartitionBatch[], timeoutMs: number): Buffer[] {
  const topics = Map.groupBy(batches, ({ topic }) => topic);
  const parts: Buffer[] = [string(transactionalId), int16(-1), int32(timeoutMs), int32(topics.size)];
  for (const [topic, partitions] of topics) {
    parts.push(string(topic), int32(partitions.length));
    for (const { partition, batch } of partitions) parts.push(int32(partition), int32(batch.length), batch);
  }
  return parts;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function string(value: string | null): Buffer {
  if (value === null) return int16(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

export function decodeProduce(raw: Buffer): PartitionResult[] {
  const reader = new ByteReader(raw);
  const results: PartitionResult[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions--) {
      const partition = reader.int32();
      const errorCode = reader.int16();
      const baseOffset = reader.int64();
      reader.offset += 8 + 8; // append time, log start
      results.push({ topic, partition, errorCode, baseOffset });
    }
  }
  return results;
}
