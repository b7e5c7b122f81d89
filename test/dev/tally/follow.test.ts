import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCodec, type Codec } from '../../../src/avro/codec.ts';
import { registerSchemas } from '../../../src/avro/register.ts';
import { createRegistry } from '../../../src/avro/registry.ts';
import { createMissingTopics } from '../../../src/cli/topics.ts';
import { earliestFirst } from '../../../src/dev/shop/merge.ts';
import { productChanges, type ProductChange } from '../../../src/dev/shop/product-changes.ts';
import { produce, recordOf } from '../../../src/dev/shop/produce.ts';
import { shopEvents, type ShopEvent } from '../../../src/dev/shop/shop.ts';
import { drain } from '../../../src/dev/tally/drain.ts';
import { Follower } from '../../../src/dev/tally/follow.ts';
import { Tally } from '../../../src/dev/tally/tally.ts';
import { readItemRecord } from '../../../src/items/input.ts';
import { createKafkaLog } from '../../../src/log/kafka/log.ts';
import { partitionFor } from '../../../src/log/partitioner.ts';
import type { Log, OutRecord } from '../../../src/log/port.ts';
import { topicNames } from '../../../src/log/topics.ts';
import { encodeUserState } from '../../../src/processor/user-state-codec.ts';
import { bootstrap, registryUrl } from '../../setup/env.ts';
import { commandOf, userState, windowOf } from './samples.ts';

const PARTITIONS = 2;

describe('following a run on a real broker', () => {
  const prefix = `lull-tally-${randomUUID().slice(0, 8)}`;
  const topics = topicNames(prefix);
  let log: Log;
  let codec: Codec;

  beforeAll(async () => {
    log = createKafkaLog({ brokers: bootstrap().split(',') });
    const registry = createRegistry({ url: registryUrl() });
    codec = createCodec({ registry, ids: await registerSchemas(registry) });
    await createMissingTopics(log.admin, { prefix, partitions: PARTITIONS, replicationFactor: 1 });
  });

  afterAll(async () => {
    const { topicPlans } = await import('../../../src/log/topics.ts');
    await log.admin.deleteTopics(topicPlans(prefix).map(({ topic }) => topic));
    await log.close();
  });

  const to = (topic: string, userId: string, value: Buffer | null): OutRecord => {
    const key = Buffer.from(userId);
    return { topic, partition: partitionFor(key, PARTITIONS), key, value };
  };

  it('counts what was committed, names what is missing, and is drained when nothing is', async () => {
    const tally = new Tally();
    let begun = 0;
    const follower = await Follower.start({ log, codec, topics, tally, onFirstEvent: () => begun++ });
    const changes = (): number =>
      follower.partitions.reduce((sum, { topic, lastRecord }) => sum + (topic === topics.items ? lastRecord + 1 : 0), 0);
    const look = (deadlineMs: number): ReturnType<typeof drain> =>
      drain({
        admin: log.admin,
        topics,
        tally,
        follower,
        groups: [
          { groupId: `${prefix}-processor`, topic: topics.timeline },
          { groupId: `${prefix}-items`, topic: topics.items },
        ],
        gapMs: 1,
        deadlineMs,
      });
    try {
      // The simulated shop, until 40 events and a change of a product are there.
      const stop = new AbortController();
      const shop = { seed: '1', run: prefix, shoppers: 40, gapMs: 2_000, category: 'reminders', addressOf: () => 'secret' };
      const arrivals = earliestFirst<ShopEvent | ProductChange>([shopEvents(shop), productChanges(shop)], (arrival) => arrival.arrivesAtMs);
      const traffic = produce({ log, codec, topics, partitions: PARTITIONS, arrivals, signal: stop.signal });
      await expect.poll(() => tally.figures().events, { timeout: 20_000 }).toBeGreaterThan(40);
      await expect.poll(changes, { timeout: 20_000 }).toBeGreaterThan(0);
      stop.abort();
      const written = await traffic;
      await expect.poll(() => tally.figures().events + changes(), { timeout: 20_000 }).toBe(written);
      const sent = written - changes();
      expect(begun).toBe(1);

      // What a processor and a sender would write, in one transaction, and one that is given up.
      const userId = 'shopper-001';
      const writer = log.transactionalWriter({ transactionalId: `${prefix}-tally-test` });
      await writer.fence();
      const aborted = await writer.begin();
      await aborted.send([to(topics.dispatch, userId, codec.encode('lull.v1.SendCommand', commandOf('c0', userId)))]);
      await aborted.abort();
      const transaction = await writer.begin();
      await transaction.send([
        to(topics.state, userId, encodeUserState(userState(userId, { session: windowOf('s1'), sessions: 3 }))),
        to(topics.dispatch, userId, codec.encode('lull.v1.SendCommand', commandOf('c1', userId))),
        to(topics.deadLetters, userId, Buffer.from('anything')),
        // Feedback, poison and a tick stand on the timeline too, and none of them is a product event.
        recordOf(
          { codec, topics, partitions: PARTITIONS },
          { eventId: '$accepted:c1', userId, type: '$accepted', occurredAtMs: 0, properties: {} },
          Date.now(),
        ),
        to(topics.timeline, userId, Buffer.from('not Avro')),
        to(topics.timeline, userId, codec.encode('lull.v1.Control', { tick: { maxTimers: 1 } })),
        // The change of an item, as its stage tells somebody of it.
        to(
          topics.timeline,
          userId,
          codec.encode('lull.v1.Control', {
            fanOut: {
              ...{ eventId: 'change-1', itemId: 'kettle', userId, type: 'price_changed', occurredAt: Date.now(), properties: {} },
              ...{ appendedAt: Date.now(), partition: 0, offset: 0 },
            },
          }),
        ),
      ]);
      await transaction.commit();

      await expect
        .poll(() => tally.figures(), { timeout: 20_000 })
        .toMatchObject({ commands: 1, openSessions: 1, deadLetters: 1, told: 1 });
      const stuck = await look(500);
      expect(stuck.missing).toEqual([
        expect.stringMatching(new RegExp(`^${prefix}-processor has \\d+ records of ${topics.timeline} to read$`)),
        expect.stringMatching(new RegExp(`^${prefix}-items has \\d+ records? of ${topics.items} to read$`)),
        '1 session still open',
        '1 command without a final outcome',
      ]);
      expect(tally.figures()).toMatchObject({ events: sent, sessions: 3 });

      const ending = await writer.begin();
      const { commandId } = commandOf('c1', userId);
      await ending.send([
        to(topics.state, userId, encodeUserState(userState(userId, { session: null, sessions: 3 }))),
        to(
          topics.outcomes,
          userId,
          codec.encode('lull.v1.Outcome', {
            ...{ commandId, userId, channel: 'webpush', device: { deviceId: 'd1', kind: 'webpush', hash: 'h' }, provider: 'webpush' },
            ...{ class: 'device', final: true, code: 'http_410', providerMessageId: null, attempt: 1, atMs: Date.now() },
          }),
        ),
      ]);
      for (const [group, topic] of [
        ['processor', topics.timeline],
        ['items', topics.items],
      ] as const)
        await ending.sendOffsets(
          `${prefix}-${group}`,
          [...(await log.admin.offsets(topic))].map(([partition, { end }]) => ({ topic, partition, offset: end })),
        );
      await ending.commit();
      await writer.close();

      expect(await look(20_000)).toEqual({ missing: [], later: 0 });
      expect(tally.figures()).toMatchObject({ commands: 1, accepted: 0, undelivered: { device_dead: 1 }, openSessions: 0, sessions: 3 });
    } finally {
      await follower.close();
    }
  });

  it('writes a change of a product as the stage of items takes it: keyed by item, on its partition', () => {
    const arrivals = productChanges({ seed: '1', run: prefix, gapMs: 1_000 });
    const records = Array.from({ length: 40 }, () => {
      const change = arrivals.next();
      return recordOf({ codec, topics, partitions: PARTITIONS }, change.value!, Date.now());
    });
    for (const { topic, partition, key, value } of records) {
      expect(topic).toBe(topics.items);
      const record = { key, value, offset: 0, timestampMs: 0 };
      expect(readItemRecord(record, { codec, partition, partitions: PARTITIONS, maxEventBytes: 10_000 }).kind).toBe('change');
    }
    expect(new Set(records.map(({ partition }) => partition)).size).toBe(PARTITIONS);
  });
});
