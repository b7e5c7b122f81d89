import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { FencedError, UnknownResultError } from '../../src/log/errors.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { shopProgram } from './programs.ts';
import { counting, ProcessorRig, T0 } from './rig.ts';

const MINUTE = 60_000;
const cart = (userId: string, cartId: string, eventId = `${userId}-${cartId}`) => ({
  ...{ userId, eventId, type: 'cart_item_added' },
  properties: { cartId },
});
const bought = (userId: string, cartId: string) => ({ userId, type: 'purchase_completed', properties: { cartId } });

describe('the processor', () => {
  let rig: ProcessorRig;
  afterEach(() => rig.close());

  const reminders = async (): Promise<string[]> =>
    (await rig.commands())
      .filter(({ journey }) => journey === 'cart_abandoned')
      .map(({ occurrence }) => occurrence)
      .sort();

  test('reminds of a cart at the tick that its own due time asks for, and of nothing before', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    rig.start();
    await rig.say(cart('ann', 'c1'));
    await rig.settled();
    await rig.pass(59 * MINUTE);
    expect(await reminders()).toEqual([]);
    await rig.pass(1 * MINUTE);
    expect(await reminders()).toEqual(['ann-c1']);
  });

  test('reminds of the cart that was not bought, of two', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    rig.start();
    await rig.say(cart('ann', 'c1'), cart('ann', 'c2'), bought('ann', 'c1'));
    await rig.settled();
    await rig.pass(61 * MINUTE);
    expect(await reminders()).toEqual(['ann-c2']);
    const decisions = (await rig.decisions()).filter(({ journey }) => journey === 'cart_abandoned');
    expect(decisions.map(({ occurrence, outcome, reason }) => [occurrence, outcome, reason]).sort()).toEqual([
      ['ann-c1', 'rejected', 'goal'],
      ['ann-c2', 'sent', 'sent'],
    ]);
  });

  test('sees the purchase that was made while it was down before it decides', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const first = rig.start();
    await rig.say(cart('ann', 'c1'), cart('bob', 'c2'));
    await rig.settled();
    await first.stop();
    rig.clock.advance(30 * MINUTE);
    await rig.say(bought('ann', 'c1'));
    rig.clock.advance(60 * MINUTE);
    rig.start();
    await rig.settled();
    await rig.pass(1);
    expect(await reminders()).toEqual(['bob-c2']);
  });

  test('closes the last session of a user who never returns, and fires its journey', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    rig.start();
    await rig.say({ userId: 'ann', eventId: 'a1', type: 'page_viewed' });
    await rig.settled();
    await rig.pass(10 * MINUTE);
    await rig.say({ userId: 'ann', eventId: 'a2', type: 'page_viewed' });
    await rig.settled();
    await rig.pass(34 * MINUTE, 4 * MINUTE);
    expect(await rig.commands()).toEqual([]);
    await rig.pass(2 * MINUTE);
    const [command] = await rig.expectCommands(1);
    expect(command).toMatchObject({ journey: 'session_over', occurrence: 'a1', dueAtMs: T0 + 45 * MINUTE });
  });

  test('puts each unreadable or refused record aside with its reason, and goes on', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    rig.start();
    const event = rig.encode(cart('ann', 'c1'));
    await rig.append('ann', Buffer.from('random bytes, no frame'));
    await rig.append('ann', Buffer.concat([Buffer.from([0, 0, 0, 0, 99]), event.subarray(5)]));
    await rig.append('ann', Buffer.concat([Buffer.from([0, 0, 0, 0, 5]), event.subarray(5)]));
    await rig.append(null, event);
    await rig.append('ann', null);
    await rig.append('bob', event);
    await rig.append('ann', rig.encode({ userId: 'ann', type: '$tick' }));
    await rig.append('ann', rig.encode({ ...cart('ann', 'x'), properties: { cartId: 'x'.repeat(300_000) } }));
    await rig.append('ann', event);
    await rig.settled();
    await rig.pass(61 * MINUTE);
    expect(await reminders()).toEqual(['ann-c1']);
    const letters = await rig.deadLetters();
    expect(letters.map(({ reason }) => reason).sort()).toEqual([
      'key_mismatch',
      'not_avro_frame',
      'null_key',
      'null_value',
      'reserved_event',
      'too_large',
      expect.stringMatching(/^(undecodable|unexpected_schema|trailing_bytes)$/),
      'unknown_schema_id',
    ]);
    expect(letters.every(({ record }) => /^\d+$/.test(record.headers?.['lull-offset']?.toString() ?? ''))).toBe(true);
  });

  test("an event in another partition than its key's is put where it belongs, with its first append time, and counted", async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const observer = counting();
    const value = rig.encode(cart('ann', 'c1'));
    const home = partitionFor(Buffer.from('ann'), 2);
    const headers = { traceparent: Buffer.from('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') };
    await rig.log.append([{ topic: rig.topics.timeline, partition: 1 - home, key: Buffer.from('ann'), value, headers }]);
    rig.clock.advance(10 * MINUTE);
    rig.start({ observer });
    await rig.settled();
    expect(observer.counts.get('wrongPartition')).toBe(1);
    expect(await rig.deadLetters()).toEqual([]);
    await rig.pass(50 * MINUTE);
    const [command] = (await rig.commands()).filter(({ journey }) => journey === 'cart_abandoned');
    expect(command).toMatchObject({ occurrence: 'ann-c1', dueAtMs: T0 + 60 * MINUTE, traceParent: headers.traceparent.toString() });
    expect(command?.trigger).toMatchObject({ partition: home });
  });

  test('fires what is due at once in several bounded ticks, in order, each timer once', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const observer = counting();
    rig.start({ observer, maxTimersPerTick: 10 });
    const users = Array.from({ length: 60 }, (_, i) => `user-${String(i).padStart(2, '0')}`);
    await rig.say(...users.map((userId) => cart(userId, 'c')));
    await rig.settled();
    await rig.pass(60 * MINUTE);
    await rig.pass(1);
    expect(await reminders()).toEqual(users.map((userId) => `${userId}-c`));
    expect(observer.counts.get('ticks')).toBeGreaterThanOrEqual(12);
  });

  test('a rule that throws costs no timer that is due at the same millisecond, though their messages stand back for each other', async () => {
    const shop = shopProgram();
    const explosive = shop.journeys.find(({ name }) => name === 'explosive')!;
    const journeys = [
      { ...explosive, name: 'a_fine', audience: null, priority: 1 },
      { ...explosive, priority: 5 },
      { ...explosive, name: 'z_fine', audience: null, priority: 9 },
    ];
    rig = await new ProcessorRig(shopProgram({ journeys })).create();
    rig.start();
    await rig.say({ userId: 'broken-1', type: 'explode' }, { userId: 'well', type: 'explode' });
    await rig.settled();
    await rig.pass(10 * MINUTE);
    const of = async (user: string) =>
      (await rig.decisions()).filter(({ userId }) => userId === user).map(({ journey, reason }) => `${journey} ${reason}`);
    expect(await of('broken-1')).toEqual(['a_fine sent', 'z_fine sent']);
    expect(await of('well')).toEqual(['z_fine sent', 'explosive priority', 'a_fine priority']);
    expect((await rig.deadLetters()).map(({ reason, record }) => [reason, record.key?.toString()])).toEqual([
      ['timer_step_failed', 'broken-1'],
    ]);
  });

  test('a rule that throws costs its own timer, which is disarmed with a dead letter, and nobody else', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    rig.start();
    await rig.say(...['broken-1', 'fine-1', 'unclear-1'].map((userId) => ({ userId, type: 'explode', eventId: userId })));
    await rig.settled();
    await rig.pass(10 * MINUTE);
    expect((await rig.commands()).map(({ occurrence }) => occurrence)).toEqual(['fine-1']);
    expect((await rig.deadLetters()).map(({ reason, record }) => [reason, record.key?.toString()])).toEqual([
      ['timer_step_failed', 'broken-1'],
    ]);
    const unclear = (await rig.decisions()).find(({ userId }) => userId === 'unclear-1');
    expect(unclear).toMatchObject({ outcome: 'rejected', reason: 'condition_error' });
    await rig.pass(10 * MINUTE);
    expect(await rig.deadLetters()).toHaveLength(1);
  });

  test('a record that makes a row too large is put aside alone, and the rest of its batch is kept', async () => {
    rig = await new ProcessorRig(shopProgram({ limits: { ...shopProgram().limits, profileAttributes: 1_000_000 } })).create();
    const big = (eventId: string, name: string) => ({
      ...{ userId: 'ann', eventId, type: '$profile' },
      properties: { [name]: 'x'.repeat(100_000) },
    });
    await rig.say(cart('ann', 'c1'), big('p1', 'one'), big('p2', 'two'), big('p3', 'three'), cart('bob', 'c2'), big('p4', 'two'));
    rig.start();
    await rig.settled();
    await rig.pass(61 * MINUTE);
    expect(await reminders()).toEqual(['ann-c1', 'bob-c2']);
    expect((await rig.deadLetters()).map(({ reason }) => reason)).toEqual(['row_too_large']);
  });

  test('leaves no timer and no window behind when everybody has gone', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const store = rig.store();
    const running = rig.start({ store });
    await rig.say(cart('ann', 'c1'), cart('bob', 'c2'), bought('bob', 'c2'), { userId: 'cat', type: 'explode' });
    await rig.settled();
    await rig.pass(30 * 24 * 60 * MINUTE, 24 * 60 * MINUTE);
    await running.stop();
    for (const partition of [0, 1]) {
      const rows = await store.open(partition);
      expect(await rows.scan('timer', { limit: 10 })).toEqual([]);
      await rows.close();
    }
  });

  test('gives the same commands and decisions however often commits fail, and whatever the failure', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    for (let i = 0; i < 6; i++) {
      rig.broker.fail({ step: 'commit', when: i % 2 === 0 ? 'after' : 'before', error: new UnknownResultError('cut'), skip: i * 3 });
      rig.broker.fail({ step: 'sendOffsets', when: 'before', error: new UnknownResultError('cut'), skip: i * 4 + 1 });
    }
    rig.broker.fail({ step: 'send', when: 'after', error: new FencedError('fenced'), skip: 5 });
    rig.start();
    // Back-offs wait on the same clock: it runs by itself here.
    const running = setInterval(() => rig.clock.advance(2_000), 1);
    const expected = Array.from({ length: 20 }, (_, i) => `e${i}`).sort();
    try {
      for (let i = 0; i < 20; i++) await rig.say(cart(`user-${i % 7}`, `c${i}`, `e${i}`));
      await expect.poll(reminders, { timeout: 50_000 }).toEqual(expected);
      await rig.settled();
    } finally {
      clearInterval(running);
    }
    const ids = (await rig.commands()).map(({ commandId }) => commandId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await reminders()).toEqual(expected);
  });

  test('historical input gives the same bytes however it is batched', async () => {
    const events = fc.array(
      fc.record({
        user: fc.integer({ min: 0, max: 4 }),
        type: fc.constantFrom('page_viewed', 'cart_item_added', 'purchase_completed', 'explode'),
        cart: fc.constantFrom('c1', 'c2'),
        afterMs: fc.integer({ min: 0, max: 40 * MINUTE }),
        lateMs: fc.integer({ min: 0, max: 5 * MINUTE }),
      }),
      { minLength: 5, maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(events, fc.integer({ min: 200, max: 3_000 }), async (said, fetchMaxBytes) => {
        const outputs = [];
        for (const bytes of [1_000_000, fetchMaxBytes]) {
          rig = await new ProcessorRig(shopProgram()).create();
          for (const { user, type, cart: cartId, afterMs, lateMs } of said) {
            rig.clock.advance(afterMs);
            const eventId = `e${rig.clock.nowMs()}-${user}-${type}`;
            await rig.say({ userId: `u${user}`, type, eventId, properties: { cartId }, occurredAt: rig.clock.nowMs() - lateMs });
          }
          const untilMs = rig.clock.nowMs() + 24 * 60 * MINUTE;
          const run = rig.start({ bounded: true, fetchMaxBytes: bytes, historical: { allowedLatenessMs: 5 * MINUTE, untilMs } });
          await run.done;
          // The prefix is the only thing that differs between two rigs.
          const plain = (text: string): string => text.replaceAll(rig.prefix, 'P');
          // Between users there is no order: each has one of their own.
          const read = async (topic: string): Promise<Record<string, string[]>> => {
            const byUser: Record<string, string[]> = {};
            for (const { key, value } of await rig.records(topic))
              (byUser[key?.toString() ?? ''] ??= []).push(plain(value?.toString('latin1') ?? ''));
            return byUser;
          };
          outputs.push({ dispatch: await read(rig.topics.dispatch), decisions: await read(rig.topics.decisions) });
          await rig.close();
        }
        expect(outputs[1]).toEqual(outputs[0]);
      }),
      { numRuns: 25 },
    );
  });
});
