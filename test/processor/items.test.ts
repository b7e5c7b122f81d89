import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import type { FanOut } from '../../src/avro/records.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { EventType } from '../../src/core/program.ts';
import { emptyState, NO_EFFECTS } from '../../src/core/step.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { topicNames } from '../../src/log/topics.ts';
import { readInput } from '../../src/processor/input.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import type { ProcessorTopics } from '../../src/processor/outbox.ts';
import { Overlay } from '../../src/processor/overlay.ts';
import { TIMER_TABLE } from '../../src/processor/timer-index.ts';
import { USER_TABLE } from '../../src/processor/users.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { shopProgram } from './programs.ts';
import { ProcessorRig, T0 } from './rig.ts';

const codec = createCodec();
const CHANGE: FanOut = {
  ...{ eventId: 'drop-1', userId: 'ann', type: 'price_changed', occurredAt: T0 - 5_000, properties: { price: 9 } },
  ...{ itemId: 'lamp', appendedAt: T0 - 4_000, partition: 3, offset: 77 },
};
const SOURCE = { topic: 'lull.timeline', partition: 0 };
const record = (fanOut: FanOut, timestampMs = T0) => ({
  ...{ offset: 5, timestampMs, key: Buffer.from(fanOut.userId) },
  value: codec.encode('lull.v1.Control', { fanOut }),
});

describe('what the items tell a user', () => {
  test('is an event of that user, first appended when the change was, and never an import', () => {
    expect(readInput(codec, SOURCE, record(CHANGE), 10_000)).toMatchObject({
      ...{ kind: 'event', forwarded: false, itemId: 'lamp' },
      event: {
        ...{ eventId: 'drop-1', userId: 'ann', type: 'price_changed', occurredAtMs: T0 - 5_000, appendedAtMs: T0 - 4_000 },
        ...{ imported: false, sentAtMs: null, partition: 0, offset: 5, properties: { price: 9 } },
      },
    });
  });

  test('was not appended before the broker says so, whatever another says', () => {
    expect(readInput(codec, SOURCE, record({ ...CHANGE, appendedAt: T0 + 60_000 }), 10_000)).toMatchObject({ event: { appendedAtMs: T0 } });
  });

  test('is taken whatever its size: the change had the limit', () => {
    const large = { ...CHANGE, properties: { text: 'x'.repeat(20_000) } };
    expect(readInput(codec, SOURCE, record(large), 10_000)).toMatchObject({ kind: 'event' });
  });

  test('belongs to the user who is its key', () => {
    const other = { ...record(CHANGE), key: Buffer.from('bob') };
    expect(readInput(codec, SOURCE, other, 10_000)).toMatchObject({ kind: 'refused', refusal: { reason: 'key_mismatch' } });
  });
});

describe('in the processor', () => {
  const programOf = () => {
    const shop = shopProgram();
    const [first] = shop.journeys;
    const journey: Journey = {
      ...first!,
      ...{ name: 'price_drop', pattern: { kind: 'event', on: { type: 'price_changed', where: null } }, cancelOn: [] },
      key: ({ properties }) => String(properties['productId']),
    };
    const type: EventType = { type: 'price_changed', activity: false, item: 'productId' };
    return shopProgram({ journeys: [journey], eventTypes: new Map([...shop.eventTypes, [type.type, type]]) });
  };
  let rig: ProcessorRig;
  beforeEach(async () => {
    rig = await new ProcessorRig(programOf()).create();
  });
  afterEach(() => rig.close());

  test('the item is the property that events.yaml names, and a change that comes twice is one', async () => {
    rig.start();
    for (let times = 0; times < 2; times++) await rig.append('ann', rig.codec.encode('lull.v1.Control', { fanOut: CHANGE }));
    await rig.settled();
    expect((await rig.decisions()).map(({ key, trigger }) => [key, trigger.eventId])).toEqual([['lamp', 'drop-1']]);
  });
});

describe('interest', () => {
  const overlayOf = async (topics: ProcessorTopics) => {
    const store = await createMemoryStore({ tables: [USER_TABLE, TIMER_TABLE] }).open(0);
    return new Overlay({ codec, topics, store, source: SOURCE, partitions: 7, cacheBytes: 10_000 });
  };
  const step = () => ({
    state: emptyState('ann'),
    effects: { ...NO_EFFECTS, interests: [{ itemId: 'lamp', change: 'price_changed', userId: 'ann', untilMs: T0 }] },
  });

  test('is written in the same transaction, on the partition of its item, and counted', async () => {
    const overlay = await overlayOf(topicNames('lull'));
    overlay.event(record(CHANGE), await overlay.load('ann', []), 0, step);
    const { records } = overlay.output({ offset: 6, nowMs: T0 });
    expect(records.map(({ topic, partition, key }) => [topic, partition, key?.toString()])).toEqual([
      ['lull.items', partitionFor(Buffer.from('lamp'), 7), 'lamp'],
    ]);
    expect(codec.decode(records[0]!.value!)).toEqual({
      record: 'lull.v1.ItemInterest',
      value: { itemId: 'lamp', change: 'price_changed', userId: 'ann', until: T0 },
    });
    let counted = 0;
    overlay.tally.report({ ...silentProcessorObserver, interests: (count) => void (counted += count) }, T0);
    expect(counted).toBe(1);
  });

  test('goes nowhere where there is no topic for it', async () => {
    const { items: _items, ...topics } = topicNames('lull');
    const overlay = await overlayOf(topics);
    overlay.event(record(CHANGE), await overlay.load('ann', []), 0, step);
    expect(overlay.output({ offset: 6, nowMs: T0 }).records).toEqual([]);
  });
});
