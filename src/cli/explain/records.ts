import type { Codec } from '../../avro/codec.ts';
import { PoisonError } from '../../avro/errors.ts';
import type { DecodedValue } from '../../avro/records.ts';
import { partitionFor } from '../../log/partitioner.ts';
import type { Log } from '../../log/port.ts';

/** One record of a user, decoded. */
export interface UserRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly decoded: DecodedValue;
}

export interface UserRecords {
  readonly partition: number;
  readonly records: readonly UserRecord[];
  /** The largest time of any record of the partition: how far its time has come. */
  readonly nowMs: number;
  /** The time of the oldest record still there; null where there is none. */
  readonly fromMs: number | null;
}

/**
 * Reads the one partition that a user is on, from its start to the end as it is now, and decodes the user's records. Others' records are skipped
 * undecoded.
 * @returns null where the topic does not exist
 */
export async function readUser(log: Log, codec: Codec, topic: string, userId: string): Promise<UserRecords | null> {
  const key = Buffer.from(userId);
  const partitions = await log.admin.partitions(topic);
  if (partitions === undefined) return null;
  const partition = partitionFor(key, partitions);
  const range = (await log.admin.offsets(topic)).get(partition) ?? { start: 0, end: 0 };
  const records: UserRecord[] = [];
  let nowMs = 0;
  let fromMs: number | null = null;
  const reader = log.reader({ topic, partition, offset: range.start });
  try {
    while (reader.position < range.end) {
      const batch = await reader.fetch();
      const own = batch.records.filter((record) => record.key?.equals(key) === true && record.value !== null);
      await codec.prepare(own.map((record) => record.value));
      for (const record of batch.records) {
        nowMs = Math.max(nowMs, record.timestampMs);
        fromMs ??= record.timestampMs;
      }
      for (const { offset, timestampMs, value } of own) {
        const decoded = decode(codec, value!);
        if (decoded !== null) records.push({ offset, timestampMs, decoded });
      }
      // An open transaction holds the rest back: what is committed is all there is to see.
      if (batch.records.length === 0 && batch.nextOffset >= batch.lastStableOffset) break;
    }
  } finally {
    await reader.close();
  }
  return { partition, records, nowMs, fromMs };
}

/** A record that nobody can read is a dead letter to the processor too, and no part of an explanation. */
function decode(codec: Codec, value: Buffer): DecodedValue | null {
  try {
    return codec.decode(value);
  } catch (error) {
    if (error instanceof PoisonError) return null;
    throw error;
  }
}
