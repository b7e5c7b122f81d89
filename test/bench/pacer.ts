import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../src/dev/shop/random.ts';
import type { Log, OutRecord } from '../../src/log/port.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { encodeEvent } from './event-format.ts';
import { drawType, propertiesOf, userIdOf } from './w1-events.ts';

export interface PacerOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly eventsPerS: number;
  readonly users: number;
  /** One event in so many is a ping. */
  readonly pingEvery: number;
  /** Of a ping, by event id: when it was due to be sent, by `performance.now`. */
  readonly onPing: (eventId: string, dueMs: number) => void;
  readonly signal: AbortSignal;
}

export interface Paced {
  readonly sent: number;
  /** How long the slowest append took. */
  readonly slowestAppendMs: number;
}

/**
 * Sends events at an even pace until the signal: acks all, nothing lingers, users uniform. One append is under way at a time and takes all that is due. A ping's
 * time is when it was due, not when the append before let it through: waiting in line counts.
 */
export async function pace(log: Log, options: PacerOptions): Promise<Paced> {
  const { eventsPerS, signal } = options;
  const random = createRandom(randomUUID());
  const beganMs = performance.now();
  let [sent, slowestAppendMs] = [0, 0];
  while (!signal.aborted) {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - beganMs) * eventsPerS) / 1000);
    if (due <= sent) {
      await sleep(1);
      continue;
    }
    const records: OutRecord[] = [];
    for (; sent < due; sent++) {
      const type = sent % options.pingEvery === 0 ? 'ping' : drawType(random);
      const eventId = random.uuid();
      const key = Buffer.from(userIdOf(random.int(0, options.users - 1)));
      const properties = type === 'ping' ? {} : propertiesOf(random, type);
      const value = encodeEvent({ eventId, userId: key.toString(), type, occurredAtMs: Date.now(), properties });
      records.push({ topic: options.topic, partition: partitionFor(key, options.partitions), key, value });
      if (type === 'ping') options.onPing(eventId, beganMs + (sent * 1000) / eventsPerS);
    }
    await log.append(records);
    slowestAppendMs = Math.max(slowestAppendMs, performance.now() - nowMs);
  }
  return { sent, slowestAppendMs };
}
