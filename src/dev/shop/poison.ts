import type { Codec } from '../../avro/codec.ts';
import { partitionFor } from '../../log/partitioner.ts';
import type { OutRecord } from '../../log/port.ts';
import type { Random } from './random.ts';

/** Records that no processor can take: each becomes a dead letter with its reason, and everything else goes on. */
export function poisonRecord(random: Random, codec: Codec, topic: string, partitions: number): OutRecord {
  const userId = `shopper-${String(random.int(1, 40)).padStart(3, '0')}`;
  const key = Buffer.from(userId);
  const partition = partitionFor(key, partitions);
  const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => random.int(0, 255)));
  const event = (over: { readonly userId?: string; readonly type?: string }): Buffer =>
    codec.encode('lull.v1.ProductEvent', {
      ...{ eventId: random.uuid(), userId, type: 'app_opened', occurredAt: Date.now(), properties: {} },
      ...over,
    });
  return random.pick<() => OutRecord>([
    () => ({ topic, partition, key, value: bytes(40) }),
    () => ({ topic, partition, key, value: Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xfe]), bytes(20)]) }),
    () => ({ topic, partition, key, value: null }),
    () => ({ topic, partition, key: null, value: event({}) }),
    () => ({ topic, partition, key, value: event({ userId: `${userId}-other` }) }),
    () => ({ topic, partition, key, value: event({ type: '$tick' }) }),
    () => ({ topic, partition, key, value: event({}).subarray(0, -1) }),
  ])();
}
