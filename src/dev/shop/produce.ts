import { setTimeout as sleep } from 'node:timers/promises';
import type { Codec } from '../../avro/codec.ts';
import { partitionFor } from '../../log/partitioner.ts';
import type { Log, OutRecord } from '../../log/port.ts';
import type { ShopEvent } from './shop.ts';

export interface TrafficOptions {
  readonly log: Log;
  readonly codec: Codec;
  readonly topic: string;
  readonly partitions: number;
  /** In order of arrival; read as far as the clock has come. */
  readonly events: Iterator<ShopEvent, undefined>;
  /** Ends the traffic: what was appended is appended, nothing follows. */
  readonly signal: AbortSignal;
}

/** One append takes this many at most: after a pause of the machine the rest comes with the next. */
const BATCH = 500;
/** Events of the same moment travel together, as a shop's own service would send them. */
const TOGETHER_MS = 20;

/**
 * Puts the shop's events on the timeline as they happen: Avro through the registry, keyed by user, on the partition that Kafka's own partitioner
 * chooses. Resolves with the number of events when the signal ends it, or the shop closes.
 */
export async function produce(options: TrafficOptions): Promise<number> {
  const { log, events, signal } = options;
  const openedAtMs = Date.now();
  let sent = 0;
  let next = events.next();
  while (next.done !== true && !signal.aborted) {
    const waitMs = openedAtMs + next.value.arrivesAtMs - Date.now();
    if (waitMs > 0) {
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      continue;
    }
    const records: OutRecord[] = [];
    const untilMs = Date.now() + TOGETHER_MS - openedAtMs;
    while (next.done !== true && next.value.arrivesAtMs <= untilMs && records.length < BATCH) {
      records.push(eventRecord(options, next.value, openedAtMs));
      next = events.next();
    }
    await log.append(records);
    sent += records.length;
  }
  return sent;
}

/** `openedAtMs` is when the times of the event begin. */
export function eventRecord(
  { codec, topic, partitions }: Pick<TrafficOptions, 'codec' | 'topic' | 'partitions'>,
  event: Pick<ShopEvent, 'eventId' | 'userId' | 'type' | 'occurredAtMs' | 'properties'>,
  openedAtMs: number,
): OutRecord {
  const key = Buffer.from(event.userId);
  const value = codec.encode('lull.v1.ProductEvent', {
    eventId: event.eventId,
    userId: event.userId,
    type: event.type,
    occurredAt: openedAtMs + event.occurredAtMs,
    properties: event.properties,
  });
  return { topic, partition: partitionFor(key, partitions), key, value };
}
