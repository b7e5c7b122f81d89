import type { OutRecord, TopicPartition } from '../port.ts';
import { recordBytesAtMost } from './encode-batch.ts';

/** The broker's `max.message.bytes` (1 MiB by default) is a limit on the batch, not on the record: batches stay well below it. */
export const MAX_BATCH_BYTES = 900 * 1024;

export interface PartitionRecords extends TopicPartition {
  readonly name: string;
  /** Each becomes one record batch, in this order. */
  readonly batches: OutRecord[][];
}

/** Records by partition, in their order. A record that alone is larger than a batch may be has a batch of its own: the topic may take it. */
export function splitIntoBatches(records: readonly OutRecord[], maxBatchBytes: number = MAX_BATCH_BYTES): PartitionRecords[] {
  const partitions = new Map<string, { readonly to: PartitionRecords; bytes: number }>();
  for (const record of records) {
    const name = `${record.topic}-${record.partition}`;
    let found = partitions.get(name);
    if (found === undefined) {
      found = { to: { topic: record.topic, partition: record.partition, name, batches: [] }, bytes: Infinity };
      partitions.set(name, found);
    }
    const bytes = recordBytesAtMost(record);
    if (found.bytes + bytes > maxBatchBytes) {
      found.to.batches.push([]);
      found.bytes = 0;
    }
    found.to.batches.at(-1)!.push(record);
    found.bytes += bytes;
  }
  return [...partitions.values()].map(({ to }) => to);
}
