import { setTimeout as sleep } from 'node:timers/promises';
import type { Codec } from '../../avro/codec.ts';
import { partitionFor } from '../../log/partitioner.ts';
import type { Log, OutRecord } from '../../log/port.ts';
import type { TopicNames } from '../../log/topics.ts';
import type { ProductChange } from './product-changes.ts';
import type { ShopEvent } from './shop.ts';

/** Where what the shop writes goes to. */
export interface Destination {
  readonly codec: Codec;
  readonly topics: Pick<TopicNames, 'timeline' | 'items'>;
  readonly partitions: number;
}

export interface TrafficOptions extends Destination {
  readonly log: Log;
  /** In order of arrival; read as far as the clock has come. */
  readonly arrivals: Iterator<ShopEvent | ProductChange, undefined>;
  /** Ends the traffic: what was appended is appended, nothing follows. */
  readonly signal: AbortSignal;
}

/** One append takes this many at most: after a pause of the machine the rest comes with the next. */
const BATCH = 500;
/** What happens in the same moment travels together, as a shop's own service would send it. */
const TOGETHER_MS = 20;

/**
 * Writes what shoppers do to the timeline, and what happens to products to the topic of items, as it happens. Resolves with the number of records when the
 * signal ends it, or the shop closes.
 */
export async function produce(options: TrafficOptions): Promise<number> {
  const { log, arrivals, signal } = options;
  const openedAtMs = Date.now();
  let sent = 0;
  let next = arrivals.next();
  while (next.done !== true && !signal.aborted) {
    const waitMs = openedAtMs + next.value.arrivesAtMs - Date.now();
    if (waitMs > 0) {
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      continue;
    }
    const records: OutRecord[] = [];
    const untilMs = Date.now() + TOGETHER_MS - openedAtMs;
    while (next.done !== true && next.value.arrivesAtMs <= untilMs && records.length < BATCH) {
      records.push(recordOf(options, next.value, openedAtMs));
      next = arrivals.next();
    }
    await log.append(records);
    sent += records.length;
  }
  return sent;
}

/**
 * Avro through the registry, keyed by user or by item, on the partition that Kafka's own partitioner chooses. `openedAtMs` is when the times of the event begin.
 */
export function recordOf(
  { codec, topics, partitions }: Destination,
  arrival: Omit<ShopEvent, 'arrivesAtMs'> | Omit<ProductChange, 'arrivesAtMs'>,
  openedAtMs: number,
): OutRecord {
  const { eventId, type, properties } = arrival;
  const common = { eventId, type, occurredAt: openedAtMs + arrival.occurredAtMs, properties };
  const to = (topic: string, id: string, value: Buffer): OutRecord => {
    const key = Buffer.from(id);
    return { topic, partition: partitionFor(key, partitions), key, value };
  };
  if ('itemId' in arrival) {
    const { itemId } = arrival;
    return to(topics.items, itemId, codec.encode('lull.v1.ItemChange', { ...common, itemId }));
  }
  const { userId } = arrival;
  return to(topics.timeline, userId, codec.encode('lull.v1.ProductEvent', { ...common, userId }));
}
