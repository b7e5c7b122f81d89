import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import type { FanOut } from '../../src/avro/records.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import type { ItemsObserver } from '../../src/items/observer.ts';
import { createItemsStage } from '../../src/items/stage.ts';
import { LATE_MS } from '../../src/items/items-task.ts';
import { END_TABLE, INTEREST_TABLE } from '../../src/items/tables.ts';
import { createMemoryBroker } from '../../src/log/memory/broker.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { LogRecord, OutRecord } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans } from '../../src/log/topics.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { VirtualClock } from '../processor/virtual-clock.ts';

const T0 = Date.UTC(2026, 0, 5, 9, 0, 0);
const HOUR = 3_600_000;
const PARTITIONS = 3;
const TRACE = Buffer.from('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
const TOPICS = topicNames('p');

/** The real stage in the real engine, on the memory twins. */
class Rig {
  readonly clock = new VirtualClock(T0);
  readonly log = createMemoryBroker({ now: this.clock.nowMs }).connect();
  readonly codec = createCodec();
  readonly store = createMemoryStore({ tables: [META_TABLE, INTEREST_TABLE, END_TABLE] });
  readonly counts: Record<string, number> = {};
  readonly #abort = new AbortController();
  #done: Promise<void> = Promise.resolve();

  async create(): Promise<this> {
    await this.log.admin.createTopics(topicPlans('p').map((plan) => specOf(plan, PARTITIONS, 1)));
    return this;
  }

  start(): void {
    const add = (name: string, by = 1): void => void (this.counts[name] = (this.counts[name] ?? 0) + by);
    const observer: ItemsObserver = {
      changed: (type) => add(`changed ${type}`),
      told: (type, count) => add(`told ${type}`, count),
      interests: (count) => add('interests', count),
      expired: (count) => add('expired', count),
      deadLetter: (reason) => add(reason),
      wrongPartition: (count) => add('wrong partition', count),
    };
    const { items, itemsState: state, timeline, deadLetters } = TOPICS;
    const stage = createItemsStage({ codec: this.codec, topics: { items, state, timeline, deadLetters }, observer });
    const { log, store, clock } = this;
    this.#done = new Worker({ stage, log, store, prefix: 'p', clock, observer: silentObserver }).run(this.#abort.signal);
    this.#done.catch(() => undefined);
  }

  interest(userId: string, more: { readonly itemId?: string; readonly change?: string; readonly until?: number } = {}): OutRecord {
    const { itemId = 'lamp', change = 'price_changed', until = T0 + HOUR } = more;
    return this.record(itemId, this.codec.encode('lull.v1.ItemInterest', { itemId, change, userId, until }));
  }

  change(eventId: string, more: { readonly itemId?: string; readonly type?: string; readonly text?: string } = {}): OutRecord {
    const { itemId = 'lamp', type = 'price_changed', text = '' } = more;
    const change = { eventId, itemId, type, occurredAt: T0, properties: { text } };
    return this.record(itemId, this.codec.encode('lull.v1.ItemChange', change));
  }

  record(itemId: string | null, value: Buffer | null): OutRecord {
    const key = itemId === null ? null : Buffer.from(itemId);
    return { topic: TOPICS.items, partition: partitionFor(key ?? Buffer.from('lamp'), PARTITIONS), key, value };
  }

  async records(topic: string): Promise<{ readonly partition: number; readonly record: LogRecord }[]> {
    const all: { partition: number; record: LogRecord }[] = [];
    for (const [partition, { start, end }] of await this.log.admin.offsets(topic)) {
      const reader = this.log.reader({ topic, partition, offset: start });
      while (reader.position < end) for (const record of (await reader.fetch({ maxWaitMs: 20 })).records) all.push({ partition, record });
      await reader.close();
    }
    return all;
  }

  async told(): Promise<{ readonly partition: number; readonly record: LogRecord; readonly fanOut: FanOut }[]> {
    return (await this.records(TOPICS.timeline)).map(({ partition, record }) => {
      const decoded = this.codec.decode(record.value!);
      if (decoded.record !== 'lull.v1.Control' || decoded.value.fanOut === null) throw new Error('what else is on the timeline?');
      return { partition, record, fanOut: decoded.value.fanOut };
    });
  }

  /** Everything in the topic is committed, what came of it included. */
  async untilRead(): Promise<void> {
    await expect
      .poll(async () => {
        const ends = await this.log.admin.offsets(TOPICS.items);
        const read = await this.log.admin.groupOffsets('p-items', TOPICS.items);
        return [...ends].every(([partition, { end }]) => (read.get(partition) ?? 0) >= end);
      })
      .toBe(true);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#done;
    await this.log.close();
  }
}

describe('the items stage', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await new Rig().create();
  });
  afterEach(() => rig.close());

  test("puts a change on the timelines of those who are interested, each on its user's partition, with the change's trace", async () => {
    const users = ['ann', 'bob', 'cid', 'dora', 'eve', 'Zoë'];
    await rig.log.append(users.map((user) => rig.interest(user)));
    await rig.log.append([rig.interest('fay', { change: 'back_in_stock' }), rig.interest('gil', { itemId: 'vase' })]);
    await rig.log.append([{ ...rig.change('drop'), headers: { traceparent: TRACE } }]);
    rig.start();
    await rig.untilRead();
    const told = await rig.told();
    expect(told.map(({ fanOut }) => fanOut.userId).sort()).toEqual([...users].sort());
    for (const { partition, record, fanOut } of told) {
      expect(record.key!.toString()).toBe(fanOut.userId);
      expect(partition).toBe(partitionFor(record.key!, PARTITIONS));
      expect(record.headers).toEqual({ traceparent: TRACE });
    }
    expect(rig.counts).toEqual({ interests: 8, 'told price_changed': 6, 'changed price_changed': 1 });
  });

  test('puts each record that cannot be used aside, alone, with its reason and where it stood', async () => {
    const good = rig.change('drop').value!;
    const unknown = Buffer.from(good);
    unknown.writeUInt32BE(0x7ffffff0, 1);
    const letters: readonly [reason: string, record: OutRecord][] = [
      ['not_avro_frame', rig.record('lamp', Buffer.from('{"itemId":"lamp"}'))],
      ['unknown_schema_id', rig.record('lamp', unknown)],
      ['undecodable', rig.record('lamp', good.subarray(0, -3))],
      ['trailing_bytes', rig.record('lamp', Buffer.concat([good, Buffer.from([0])]))],
      ['null_value', rig.record('lamp', null)],
      ['null_key', rig.record(null, good)],
      ['key_mismatch', { ...rig.record('lamp', good), key: Buffer.from('vase') }],
      ['item_id_length', { ...rig.record('lamp', rig.change('x', { itemId: '' }).value), key: Buffer.alloc(0) }],
      ['item_id_length', rig.record('lamp', rig.change('x', { itemId: 'i'.repeat(257) }).value)],
      ['user_id_length', rig.interest('u'.repeat(257))],
      ['user_id_length', rig.interest('')],
      ['type_length', rig.change('x', { type: '' })],
      ['reserved_event', rig.change('x', { type: '$erase' })],
      ['too_large', rig.change('x', { text: 'x'.repeat(300_000) })],
      ['unexpected_schema', rig.record('lamp', rig.codec.encode('lull.v1.Control', { tick: { maxTimers: 1 } }))],
    ];
    await rig.log.append([rig.interest('ann'), ...letters.map(([, record]) => record), rig.change('drop')]);
    rig.start();
    await rig.untilRead();
    expect((await rig.told()).map(({ fanOut }) => `${fanOut.userId} ${fanOut.eventId}`)).toEqual(['ann drop']);
    const put = await rig.records(TOPICS.deadLetters);
    const where = (name: string) => put.map(({ record }) => record.headers?.[name]?.toString());
    expect(where('lull-reason')).toEqual(letters.map(([reason]) => reason));
    expect(where('lull-offset')).toEqual(letters.map((_, i) => String(i + 1)));
    expect(put.map(({ record }) => record.value)).toEqual(letters.map(([, { value }]) => value));
    expect(new Set(where('lull-topic'))).toEqual(new Set([TOPICS.items]));
  });

  test('puts what another partitioner put elsewhere where its item belongs, and counts it', async () => {
    const elsewhere = (record: OutRecord): OutRecord => ({ ...record, partition: (record.partition + 1) % PARTITIONS });
    await rig.log.append([elsewhere(rig.interest('ann')), { ...elsewhere(rig.change('drop')), headers: { traceparent: TRACE } }]);
    rig.start();
    await expect.poll(async () => (await rig.told()).length).toBe(1);
    const [told] = await rig.told();
    expect(told).toMatchObject({ record: { headers: { traceparent: TRACE } }, fanOut: { userId: 'ann', eventId: 'drop' } });
    expect(told!.fanOut.partition).toBe(partitionFor(Buffer.from('lamp'), PARTITIONS));
    await rig.untilRead();
    expect(rig.counts).toMatchObject({ 'wrong partition': 2, interests: 1 });
  });

  test('deletes what is over once the log has moved on, without a record of the item', async () => {
    await rig.log.append([rig.interest('ann'), rig.interest('bob')]);
    rig.start();
    await rig.untilRead();
    expect(rig.counts['expired']).toBeUndefined();
    // The wall clock alone moves nothing.
    rig.clock.advance(HOUR + LATE_MS);
    await rig.untilRead();
    expect(rig.counts['expired']).toBeUndefined();
    await rig.log.append([{ ...rig.record('lamp', null), key: Buffer.from('another') }]);
    await expect.poll(() => rig.counts['expired']).toBe(2);
    const last = (await rig.records(TOPICS.itemsState)).filter(({ record }) => record.key![0] !== 0xff).slice(-2);
    expect(last.map(({ record }) => record.value)).toEqual([null, null]);
  });
});
