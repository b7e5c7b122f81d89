import type { LogRecord, OutRecord, TopicPartition } from '../log/port.ts';

/** A longer value is cut; `lull-value-bytes` has its length. Topic `dead-letters` takes 4 MiB. */
export const MAX_DEAD_VALUE_BYTES = 3 * 1024 * 1024;

export interface Refusal {
  /** A stable word, bounded in number: `unknown_schema_id`, `key_mismatch`, ... */
  readonly reason: string;
  /** For people. No personal data beyond what the record itself holds. */
  readonly detail: string;
}

/** The record as it was, key and value raw, and in headers where it stood and why it was refused. Keyed as its source. */
export function deadLetter(topic: string, source: TopicPartition, record: LogRecord, refusal: Refusal): OutRecord {
  return {
    topic,
    partition: source.partition,
    key: record.key,
    value: record.value === null ? null : record.value.subarray(0, MAX_DEAD_VALUE_BYTES),
    headers: {
      'lull-topic': Buffer.from(source.topic),
      'lull-partition': Buffer.from(String(source.partition)),
      'lull-offset': Buffer.from(String(record.offset)),
      'lull-timestamp': Buffer.from(String(record.timestampMs)),
      'lull-reason': Buffer.from(refusal.reason),
      'lull-detail': Buffer.from(refusal.detail.slice(0, 1000)),
      'lull-value-bytes': Buffer.from(String(record.value?.length ?? -1)),
    },
  };
}
