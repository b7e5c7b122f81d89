import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Source } from '../../src/core/source.ts';
import { silentIngestObserver, type IngestObserver } from '../../src/ingest/observer.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { ProcessorRig, T0 } from '../processor/rig.ts';
import { shopProgram } from '../processor/programs.ts';
import { IngestRig } from './rig.ts';

const TRACE = Buffer.from('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');

describe('the ingest stage', () => {
  let rig: ProcessorRig;
  beforeEach(async () => {
    rig = await new ProcessorRig(shopProgram()).create();
  });
  afterEach(() => rig.close());

  test("puts each event on its user's partition of the timeline, keyed by the user", async () => {
    const ingest = await new IngestRig(rig).create();
    const users = ['ann', 'bob', 'cid', 'dora', 'eve', 'Zoë'];
    await ingest.append(...users.map((who, i) => ({ partition: i % 3, key: Buffer.from('k'), value: ingest.encode(who, 'page_viewed') })));
    await ingest.append({ value: ingest.encode('ann', 'page_viewed', 'c2'), headers: { traceparent: TRACE } });
    const { stop } = ingest.start();
    await ingest.untilRead();
    await stop();
    const all = await ingest.ingested();
    expect(all.map(({ ingested }) => ingested.userId).sort()).toEqual([...users, 'ann'].sort());
    for (const { partition, record, ingested } of all) {
      expect(record.key!.toString()).toBe(ingested.userId);
      expect(partition).toBe(partitionFor(record.key!, 2));
    }
    expect(
      all.filter(({ ingested }) => ingested.userId === 'ann').map(({ ingested, record }) => [{ ...ingested }, record.headers]),
    ).toEqual([
      [
        {
          ...{ eventId: `${ingest.topic}/0/0`, userId: 'ann', type: 'page_viewed', occurredAt: T0, appendedAt: null },
          ...{ properties: { cartId: 'c1', key: 'k' }, source: 'visits', topic: ingest.topic, partition: 0, offset: 0 },
        },
        undefined,
      ],
      [expect.objectContaining({ offset: 2, properties: { cartId: 'c2', key: null } }), { traceparent: TRACE }],
    ]);
  });

  test("puts the change of an item on the item's partition of the topic of items, keyed by the item", async () => {
    const ingest = await new IngestRig(rig).create();
    const { items } = rig.topics;
    await rig.log.admin.createTopics([{ topic: items, partitions: 2, replicationFactor: 1, config: {} }]);
    const map: Source['map'] = ({ value, offset, timeMs }) => {
      const itemId = (value as ReadonlyMap<string, string>).get('cart')!;
      return {
        kind: 'change',
        change: { eventId: `c${offset}`, itemId, type: 'price_changed', occurredAt: timeMs, properties: { price: 9 } },
      };
    };
    const named = ['lamp', 'vase', 'Möbel', 'i'.repeat(257)];
    await ingest.append(...named.map((item) => ({ value: ingest.encode('nobody', 'priced', item) })));
    const { stop } = ingest.start({ source: { ...ingest.source, map } });
    await ingest.untilRead();
    await stop();
    const written = await Promise.all(
      [0, 1].map(async (partition) => {
        const reader = rig.log.reader({ topic: items, partition, offset: 0 });
        const { records } = await reader.fetch({ maxWaitMs: 20 });
        await reader.close();
        return records.map(({ key, value }) => ({ partition, key: key!, change: rig.codec.decode(value!) }));
      }),
    );
    for (const { partition, key } of written.flat()) expect(partition).toBe(partitionFor(key, 2));
    expect(
      written
        .flat()
        .map(({ key }) => key.toString())
        .sort(),
    ).toEqual(['Möbel', 'lamp', 'vase']);
    expect(written.flat().find(({ key }) => key.toString() === 'lamp')?.change).toEqual({
      record: 'lull.v1.ItemChange',
      value: { eventId: 'c0', itemId: 'lamp', type: 'price_changed', occurredAt: T0, properties: { price: 9 } },
    });
    expect((await rig.deadLetters()).map(({ reason }) => reason)).toEqual(['item_id_length']);
  });

  test('keeps the first append time, where the source has the time of a broker', async () => {
    const ingest = await new IngestRig(rig).create(1, { 'message.timestamp.type': 'LogAppendTime' });
    await ingest.append({ value: ingest.encode('ann', 'page_viewed') });
    rig.clock.advance(3_600_000);
    const { stop } = ingest.start({ hasAppendTime: true });
    await ingest.untilRead();
    await stop();
    const [one] = await ingest.ingested();
    expect(one).toMatchObject({ ingested: { appendedAt: T0 }, record: { timestampMs: T0 + 3_600_000 } });
  });

  test('puts each record that cannot be used aside, alone, with its reason and where it stood', async () => {
    const ingest = await new IngestRig(rig).create();
    const good = ingest.encode('ann', 'page_viewed');
    const unknown = Buffer.from(good);
    unknown.writeUInt32BE(0x7ffffff0, 1);
    const values: readonly [reason: string | null, value: Buffer | null][] = [
      [null, good],
      ['not_avro_frame', Buffer.from('{"who":"ann"}')],
      ['unknown_schema_id', unknown],
      ['undecodable', good.subarray(0, -3)],
      ['trailing_bytes', Buffer.concat([good, Buffer.from([0])])],
      ['null_value', null],
      ['expression_failed', ingest.encode('ann', 'nothing')],
      ['user_id_length', ingest.encode('a'.repeat(257), 'page_viewed')],
      ['too_large', ingest.encode('ann', 'page_viewed', 'c'.repeat(300_000))],
      [null, ingest.encode('ann', 'page_viewed', 'last')],
    ];
    // Dead letters have the timeline's two partitions.
    await ingest.append(...values.map(([, value]) => ({ partition: 2, key: Buffer.from('k'), value })));
    const { stop } = ingest.start();
    await ingest.untilRead();
    await stop();
    expect((await ingest.ingested()).map(({ ingested }) => ingested.offset)).toEqual([0, 9]);
    const letters = await rig.deadLetters();
    expect(letters.map(({ reason, record }) => [reason, Number(record.headers?.['lull-offset']?.toString()), record.value])).toEqual(
      values.flatMap(([reason, value], offset) => (reason === null ? [] : [[reason, offset, value]])),
    );
    for (const { record } of letters) expect(record.headers?.['lull-topic']?.toString()).toBe(ingest.topic);
  });

  test('counts what it writes, leaves and refuses, once', async () => {
    const counts: Record<string, number> = {};
    const add = (name: string, by = 1): void => void (counts[name] = (counts[name] ?? 0) + by);
    const observer: IngestObserver = {
      ...silentIngestObserver,
      ingested: (source, type, count) => add(`${source} ${type}`, count),
      filtered: (source, count) => add(`${source} filtered`, count),
      deadLetter: (source, reason) => add(`${source} ${reason}`),
    };
    const ingest = await new IngestRig(rig).create(1);
    await ingest.append(
      ...['page_viewed', 'unwanted', 'page_viewed', 'nothing', 'other'].map((what) => ({ value: ingest.encode('ann', what) })),
    );
    const { stop } = ingest.start({ observer });
    await ingest.untilRead();
    await stop();
    expect(counts).toEqual({ 'visits page_viewed': 2, 'visits other': 1, 'visits filtered': 1, 'visits expression_failed': 1 });
  });

  test('goes on where it stood', async () => {
    const ingest = await new IngestRig(rig).create(1);
    await ingest.append({ value: ingest.encode('ann', 'page_viewed', 'first') });
    const first = ingest.start();
    await ingest.untilRead();
    await first.stop();
    await ingest.append({ value: ingest.encode('ann', 'page_viewed', 'second') });
    const second = ingest.start();
    await ingest.untilRead();
    await second.stop();
    expect((await ingest.ingested()).map(({ ingested }) => ingested.properties['cartId'])).toEqual(['first', 'second']);
  });

  test('its events are what the processor decides on', async () => {
    const ingest = await new IngestRig(rig).create();
    rig.start();
    const { stop } = ingest.start();
    await ingest.append(...['ann', 'bob'].map((who) => ({ value: ingest.encode(who, 'cart_item_added', `${who}-cart`) })));
    await ingest.append({ value: ingest.encode('ann', 'purchase_completed', 'ann-cart') });
    await ingest.untilRead();
    await rig.settled();
    await rig.pass(61 * 60_000);
    await stop();
    const reminders = (await rig.commands()).filter(({ journey }) => journey === 'cart_abandoned');
    expect(reminders.map(({ userId }) => userId)).toEqual(['bob']);
  });
});
