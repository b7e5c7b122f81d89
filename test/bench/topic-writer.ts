import type { Log, OutRecord } from '../../src/log/port.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { encodeEvent } from './event-format.ts';
import type { BenchEvent } from './w1-events.ts';

/** About Kafka's default `batch.size` for each of four partitions: batches as ordinary producers make them. */
const APPEND_BYTES = 4 * 16 * 1024;

/** A topic of product events whose record time is the event's. Never expires; deleting it is the caller's. */
export async function createEventsTopic(log: Log, topic: string, partitions: number): Promise<void> {
  await log.admin.createTopics([
    { topic, partitions, replicationFactor: 1, config: { 'retention.ms': '-1', 'segment.bytes': '104857600' } },
  ]);
}

export interface WriteOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly onProgress: (written: number) => void;
  readonly signal: AbortSignal;
}

/** Appends in order, keyed by user. @returns how many */
export async function writeEvents(log: Log, events: Iterable<BenchEvent>, options: WriteOptions): Promise<number> {
  const { topic, partitions, onProgress, signal } = options;
  let [pending, bytes, written, reportedMs] = [[] as OutRecord[], 0, 0, Date.now()];
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    await log.append(pending);
    written += pending.length;
    [pending, bytes] = [[], 0];
    if (Date.now() - reportedMs < 2_000) return;
    reportedMs = Date.now();
    onProgress(written);
  };
  for (const event of events) {
    const key = Buffer.from(event.userId);
    const value = encodeEvent(event);
    pending.push({ topic, partition: partitionFor(key, partitions), key, value, timestampMs: event.occurredAtMs });
    bytes += value.length;
    if (bytes >= APPEND_BYTES) await flush();
  }
  await flush();
  return written;
}

/** One record in each partition, of nobody: it moves the partition's time so far that everything is due. */
export async function writeFlush(log: Log, topic: string, partitions: number, atMs: number): Promise<void> {
  const records = Array.from({ length: partitions }, (_, partition): OutRecord => {
    const userId = `__flush__-${partition}`;
    const event = { eventId: `flush-${partition}`, userId, type: 'flush', occurredAtMs: atMs, properties: {} };
    return { topic, partition, key: Buffer.from(userId), value: encodeEvent(event), timestampMs: atMs };
  });
  await log.append(records);
}
