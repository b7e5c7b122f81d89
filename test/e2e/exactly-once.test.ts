import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { commandIdOf } from '../../src/core/ids.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { readCommitted } from '../setup/read-committed.ts';
import { Deployment, PARTITIONS, type Said } from '../faults/deployment.ts';

// Each test has a prefix, processes and folders of its own, and mostly waits: they run side by side.

/** Seconds instead of an hour. Long enough that a script of a second is over before the first is due. */
const PARAMS = ['cartWait=6s', 'checkoutWait=5s', 'sessionGap=4s', 'browseDelay=2s', 'dailyCap=5'];

async function deployment({ onTestFinished }: TestContext, params = PARAMS): Promise<Deployment> {
  const created = new Deployment({ params });
  onTestFinished(() => created.close());
  return created.create();
}

function reachable(userId: string): Said[] {
  return [
    {
      userId,
      type: '$device_added',
      properties: { deviceId: `${userId}-phone`, kind: 'fcm', value: `token-${userId}`, permission: 'granted' },
    },
    { userId, type: '$consent', properties: { category: 'reminders', state: 'in' } },
  ];
}

const item = (userId: string, cartId: string): Said => ({
  ...{ userId, type: 'cart_item_added', eventId: `${userId}/${cartId}/item` },
  properties: { cartId, sku: 'sku-1', name: 'Lamp', price: 12.5, qty: 1 },
});
const purchase = (userId: string, cartId: string): Said => ({
  ...{ userId, type: 'purchase_completed', properties: { cartId, orderId: `order-${cartId}`, total: 12.5 } },
});
const checkout = (userId: string, cartId: string): Said => ({
  ...{ userId, type: 'checkout_started', eventId: `${userId}/${cartId}/checkout`, properties: { cartId, total: 12.5 } },
});
const view = (userId: string, n: number): Said => ({
  ...{ userId, type: 'product_viewed', eventId: `${userId}/view/${n}` },
  properties: { sku: `sku-${n}`, name: 'Lamp', price: 12.5, currency: 'EUR' },
});

/** Five kinds of people; three of them get one message each. */
function script(group: string, each: number): { readonly events: Said[]; readonly commandIds: (app: string) => string[] } {
  const people = Array.from({ length: each }, (_, i) => `${group}-${i}`);
  const events = people.flatMap((person) => {
    const [leaver, buyer, idler, browser, refuser] = ['leaver', 'buyer', 'idler', 'browser', 'refuser'].map(
      (kind) => `${person}-${kind}`,
    ) as [string, string, string, string, string];
    return [
      ...[leaver, buyer, idler, browser, refuser].flatMap(reachable),
      item(leaver, 'c1'),
      ...[item(buyer, 'c1'), purchase(buyer, 'c1')],
      ...[item(idler, 'c1'), checkout(idler, 'c1')],
      ...[view(browser, 1), view(browser, 2)],
      ...[{ userId: refuser, type: '$consent', properties: { category: 'reminders', state: 'out' } }, item(refuser, 'c1')],
    ];
  });
  const commandIds = (app: string): string[] =>
    people
      .flatMap((person) => [
        { userId: `${person}-leaver`, journey: 'cart_abandoned', occurrence: `${person}-leaver/c1/item`, step: 'reminder' },
        { userId: `${person}-idler`, journey: 'checkout_idle', occurrence: `${person}-idler/c1/checkout`, step: 'nudge' },
        { userId: `${person}-browser`, journey: 'browsed_no_cart', occurrence: `${person}-browser/view/1`, step: 'invitation' },
      ])
      .map((name) => commandIdOf({ app, channel: 'fcm', ...name }));
  return { events, commandIds };
}

/** What the judge sees on dispatch is exactly this, once each, and no transaction dangles. */
async function expectExactly(lull: Deployment, ids: readonly string[]): Promise<void> {
  await lull.waitForRecords(lull.topics.dispatch, ids.length);
  await lull.waitUntilRead();
  // A repetition would come with the next ticks.
  await sleep(1_500);
  const { records, isStable } = await readCommitted(lull.topics.dispatch);
  const got = records.map(({ headers }) => headers['command-id']?.toString() ?? 'no command id');
  expect([...got].sort()).toEqual([...ids].sort());
  expect(isStable).toBe(true);
}

describe.concurrent('exactly once, on the real broker', () => {
  test('a script of events gives exactly the expected commands, by id', { timeout: 120_000 }, async (context) => {
    const lull = await deployment(context);
    const processor = lull.start(await lull.stateFolder());
    const { events, commandIds } = script('a', 4);
    await lull.say(...events);
    await expectExactly(lull, commandIds(lull.prefix));
    const decisions = (await lull.records(lull.topics.decisions)).map(({ value }) => value as Buffer);
    await lull.codec.prepare(decisions);
    const refused = decisions.flatMap((value) => {
      const decoded = lull.codec.decode(value);
      return decoded.record === 'lull.v1.Decision' && decoded.value.outcome === 'rejected' ? [decoded.value] : [];
    });
    expect(refused.filter(({ userId }) => userId.endsWith('-refuser')).map(({ reason }) => reason)).toEqual(Array(4).fill('consent'));
    expect(await lull.stop(processor)).toBe(0);
  });

  test.for(['before-commit', 'after-commit'])(
    'a kill %s neither loses nor repeats a command',
    { timeout: 120_000 },
    async (failpoint, context) => {
      const lull = await deployment(context);
      const state = await lull.stateFolder();
      const [first, second] = [script('a', 3), script('b', 3)];
      const doomed = lull.start(state, { LULL_FAILPOINTS: `${failpoint}@4=kill` });
      await lull.say(...first.events);
      for (const event of second.events) await lull.say(event);
      expect(await doomed.exited).toBe('SIGKILL');
      lull.start(state);
      await expectExactly(lull, [...first.commandIds(lull.prefix), ...second.commandIds(lull.prefix)]);
    },
  );

  test('a kill in the middle of a restore neither loses nor repeats a command', { timeout: 120_000 }, async (context) => {
    const lull = await deployment(context);
    const state = await lull.stateFolder();
    const [first, second] = [script('a', 3), script('b', 3)];
    const killed = lull.start(state);
    await lull.say(...first.events);
    await lull.waitUntilRead();
    killed.signal('SIGKILL');
    await killed.exited;
    await rm(state, { recursive: true });
    const doomed = lull.start(state, { LULL_FAILPOINTS: 'while-restoring@2=kill' });
    expect(await doomed.exited).toBe('SIGKILL');
    lull.start(state);
    await lull.say(...second.events);
    await expectExactly(lull, [...first.commandIds(lull.prefix), ...second.commandIds(lull.prefix)]);
  });

  test(
    'a processor that is stopped past its session timeout and continued commits nothing more of what it held',
    { timeout: 120_000 },
    async (context) => {
      const lull = await deployment(context);
      const [first, second, third] = [script('a', 2), script('b', 2), script('c', 2)];
      const env = { LULL_SESSION_TIMEOUT_MS: '3s' };
      const zombie = lull.start(await lull.stateFolder(), env);
      await lull.say(...first.events);
      await lull.waitUntilRead();
      lull.start(await lull.stateFolder(), env);
      await lull.say(...second.events);
      await lull.waitUntilRead();
      zombie.signal('SIGSTOP');
      await lull.say(...third.events);
      await lull.waitUntilRead();
      zombie.signal('SIGCONT');
      await expectExactly(
        lull,
        [first, second, third].flatMap(({ commandIds }) => commandIds(lull.prefix)),
      );
      expect(await lull.stop(zombie)).toBe(0);
    },
  );
});

describe.concurrent('an outage, on the real broker', () => {
  test('whoever bought while the processor was down is not reminded; whoever did not, is', { timeout: 120_000 }, async (context) => {
    // Long enough for a processor to start, read and stop on a busy machine before the carts are due.
    const lull = await deployment(context, ['cartWait=25s', 'sessionGap=4s', 'browseDelay=2s']);
    const began = Date.now();
    const state = await lull.stateFolder();
    const before = lull.start(state);
    await lull.say(...['ann', 'bob'].flatMap((user) => [...reachable(user), item(user, 'c1')]));
    await lull.waitUntilRead();
    expect(await lull.stop(before)).toBe(0);
    await lull.say(purchase('ann', 'c1'));
    expect(await lull.records(lull.topics.dispatch)).toEqual([]);
    await sleep(Math.max(0, began + 27_000 - Date.now()));
    lull.start(state);
    const name = { userId: 'bob', journey: 'cart_abandoned', occurrence: 'bob/c1/item', step: 'reminder', channel: 'fcm' };
    await expectExactly(lull, [commandIdOf({ app: lull.prefix, ...name })]);
  });
});

describe.concurrent('poison, on the real broker', () => {
  test(
    'each unreadable or refused record is a dead letter with its reason, and everything else is unaffected',
    { timeout: 120_000 },
    async (context) => {
      const lull = await deployment(context);
      lull.start(await lull.stateFolder());
      const { events, commandIds } = script('a', 2);
      const good = lull.encode(item('ann', 'c1'));
      const put = async (key: string | null, value: Buffer | null): Promise<void> => {
        await lull.log.append([{ topic: lull.topics.timeline, partition: 0, key: key === null ? null : Buffer.from(key), value }]);
      };
      const inZero = userOfPartitionZero();
      await lull.say(...events.slice(0, events.length / 2));
      await put(inZero, Buffer.from('random bytes'));
      await put(inZero, Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), good.subarray(5)]));
      await put(inZero, lull.codec.encode('lull.v1.Revocation', { commandId: 'x', userId: inZero, channel: 'fcm', reason: 'r', atMs: 0 }));
      await put(null, good);
      await put(inZero, null);
      await put('somebody-else', good);
      await put(inZero, lull.encode({ userId: inZero, type: '$tick' }));
      await put(inZero, lull.encode({ userId: inZero, type: 'page_viewed', properties: { path: 'x'.repeat(300_000) } }));
      await lull.say(...events.slice(events.length / 2));
      await expectExactly(lull, commandIds(lull.prefix));
      const { records } = await readCommitted(lull.topics.deadLetters);
      const reasons = records.map(({ headers }) => headers['lull-reason']?.toString()).sort();
      expect(reasons).toEqual([
        'key_mismatch',
        'not_avro_frame',
        'null_key',
        'null_value',
        'reserved_event',
        'too_large',
        'unexpected_schema',
        'unknown_schema_id',
      ]);
      for (const { headers } of records) expect(headers['lull-topic']?.toString()).toBe(lull.topics.timeline);
    },
  );
});

function userOfPartitionZero(): string {
  return (
    Array.from({ length: 50 }, (_, i) => `poisoner-${i}`).find((user) => partitionFor(Buffer.from(user), PARTITIONS) === 0) ?? 'poisoner'
  );
}
