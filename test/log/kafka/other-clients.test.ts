import { randomUUID } from 'node:crypto';
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { textsOf } from '../../conformance/log-helpers.ts';
import { bootstrap } from '../../setup/env.ts';
import { record, withRig } from './harness.ts';

// Lull encodes and decodes record batches by itself: another client has to agree with it in both directions.

function kafkajs(): Kafka {
  return new Kafka({ brokers: [bootstrap()], logLevel: logLevel.NOTHING });
}

test('what another producer wrote, plain, compressed and in transactions, is read right', async () => {
  await withRig(async ({ topic, committed }) => {
    const t = await topic();
    const producer = kafkajs().producer({
      idempotent: true,
      maxInFlightRequests: 1,
      transactionalId: `other-${randomUUID()}`,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    await producer.send({ topic: t, messages: [{ value: 'plain', headers: { a: 'b' }, timestamp: '1700000000000' }] });
    await producer.send({
      topic: t,
      compression: CompressionTypes.GZIP,
      messages: Array.from({ length: 100 }, (_, i) => ({ value: `gzip ${i}` })),
    });
    const aborted = await producer.transaction();
    await aborted.send({ topic: t, messages: [{ value: 'never' }] });
    await aborted.abort();
    const kept = await producer.transaction();
    await kept.send({
      topic: t,
      messages: [
        { key: Buffer.alloc(4), value: 'kept' },
        { key: null, value: null },
      ],
    });
    await kept.commit();
    await producer.disconnect();

    const records = await committed(t);
    expect(textsOf(records)).toEqual(['plain', ...Array.from({ length: 100 }, (_, i) => `gzip ${i}`), 'kept', null]);
    expect(records[0]).toMatchObject({ timestampMs: 1_700_000_000_000, headers: { a: Buffer.from('b') } });
    expect(records.at(-2)!.key).toEqual(Buffer.alloc(4));
  });
});

test('what Lull wrote is read right by another consumer', async () => {
  await withRig(async ({ log, topic }) => {
    const t = await topic();
    await log.append([
      { ...record(t, 'later'), timestampMs: 1_700_000_000_500, headers: { channel: Buffer.from('fcm') } },
      { ...record(t, 'earlier'), timestampMs: 1_700_000_000_000 },
      { topic: t, partition: 0, key: null, value: null, timestampMs: 1_700_000_000_001 },
    ]);
    const consumer = kafkajs().consumer({ groupId: `other-${randomUUID()}`, sessionTimeout: 6_000, heartbeatInterval: 2_000 });
    await consumer.connect();
    await consumer.subscribe({ topic: t, fromBeginning: true });
    const seen: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: async ({ message }) => {
            seen.push([
              message.key?.toString() ?? null,
              message.value?.toString() ?? null,
              message.timestamp,
              String(message.headers?.['channel'] ?? ''),
            ]);
            if (seen.length === 3) resolve();
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    expect(seen).toEqual([
      ['k', 'later', '1700000000500', 'fcm'],
      ['k', 'earlier', '1700000000000', ''],
      [null, null, '1700000000001', ''],
    ]);
  });
});
