import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, test, type TestContext } from 'vitest';
import { createRandom } from '../../src/dev/shop/random.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { Deployment, PARTITIONS, type Processor } from '../faults/deployment.ts';
import { ForeignOrders, withForeignOrders, type Order } from '../faults/foreign.ts';
import { readAllCommitted } from '../setup/read-committed.ts';

// Each test has a prefix, processes and folders of its own, and mostly waits: they run side by side.

const ORDERS = 10_000;
/** Another number than the timeline's. */
const SOURCE_PARTITIONS = 5;
/** Several commits for what is there. */
const SMALL_FETCHES = { LULL_FETCH_MAX_BYTES: '4KiB', LULL_SESSION_TIMEOUT_MS: '3s' };

async function open({ onTestFinished }: TestContext): Promise<{ lull: Deployment; orders: ForeignOrders }> {
  const lull = new Deployment(withForeignOrders());
  onTestFinished(() => lull.close());
  await lull.create();
  const orders = new ForeignOrders(lull, SOURCE_PARTITIONS);
  onTestFinished(() => orders.delete());
  return { lull, orders: await orders.create() };
}

interface Written {
  /** `cart user`, of those that become events. */
  readonly events: readonly string[];
  readonly refused: readonly string[];
}

/** Orders of some hundred users, keyed by order; some are not paid for, and some nobody can use. */
async function write(lull: Deployment, orders: ForeignOrders, count: number): Promise<Written> {
  const random = createRandom('ingest');
  const events: string[] = [];
  const refused: string[] = [];
  const records = Array.from({ length: count }, (_, number) => {
    const user = `user-${random.int(1, 300)}`;
    const order: Order = {
      ...{ number, status: 'PAID', customer: { id: user }, cart: `c${number}`, amount: random.int(1, 99_999) / 100 },
      paidAt: Date.now() - random.int(0, 60_000),
    };
    const key = `order-${number}`;
    if (random.chance(0.1)) return orders.record(key, orders.encode({ ...order, status: 'OPEN', paidAt: null }));
    if (random.chance(0.02)) {
      refused.push(key);
      const poison = random.pick<() => Buffer | null>([
        () => null,
        () => Buffer.from('no Avro'),
        () => orders.encode(order, 0x7ffffff0),
        () => orders.encode({ ...order, customer: { id: null } }),
        () => orders.encode({ ...order, customer: { id: 'u'.repeat(257) } }),
        () => orders.encode({ ...order, cart: null }),
        () => orders.encode({ ...order, paidAt: null }),
        () => orders.encode(order).subarray(0, -4),
      ])();
      return orders.record(key, poison);
    }
    events.push(`c${number} ${user}`);
    return orders.record(key, orders.encode(order));
  });
  // Small batches: a fetch gives whole ones, and there are to be many commits to be killed in.
  for (let from = 0; from < count; from += 100) await lull.log.append(records.slice(from, from + 100));
  return { events, refused };
}

async function until(what: () => Promise<boolean>, running: Processor): Promise<void> {
  while (!(await what())) {
    if (running.ended() !== undefined) throw new Error(`ingest ended with ${running.ended()}:\n${running.stderr().slice(-2_000)}`);
    await sleep(100);
  }
}

/** What Kafka's own consumer sees of it is every event once, on its user's partition and in its source's order, and every refusal once. */
async function expectExactly(lull: Deployment, { events, refused }: Written, hasAllReasons = true): Promise<void> {
  const { timeline, deadLetters } = lull.topics;
  const judged = await readAllCommitted([timeline, deadLetters], lull.direct);
  expect([...judged.values()].map(({ isStable }) => isStable)).toEqual([true, true]);
  const got: string[] = [];
  const last = new Map<string, number>();
  for (const { key, value, partition } of judged.get(timeline)!.records) {
    const decoded = lull.codec.decode(value!);
    if (decoded.record !== 'lull.v1.Control' || decoded.value.ingested === null) throw new Error(`${decoded.record} is not ingested`);
    const { userId, properties, offset, partition: from, eventId, source } = decoded.value.ingested;
    got.push(`${String(properties['cartId'])} ${userId}`);
    expect(properties).toMatchObject({ items: 2, orderId: Number(String(properties['cartId']).slice(1)) });
    expect([key!.toString(), partition, source]).toEqual([userId, partitionFor(key!, PARTITIONS), 'orders']);
    expect(eventId).toMatch(new RegExp(`/${from}/${offset}/purchase_completed$`));
    const lane = `${userId} ${from}`;
    expect(offset).toBeGreaterThan(last.get(lane) ?? -1);
    last.set(lane, offset);
  }
  expect(got.sort()).toEqual([...events].sort());
  const letters = judged.get(deadLetters)!.records;
  expect(letters.map(({ key }) => key?.toString()).sort()).toEqual([...refused].sort());
  if (!hasAllReasons) return;
  expect(new Set(letters.map(({ headers }) => headers['lull-reason']?.toString()))).toEqual(
    new Set([
      'null_value',
      'not_avro_frame',
      'unknown_schema_id',
      'no_user',
      'user_id_length',
      'property_missing',
      'no_time',
      'undecodable',
    ]),
  );
}

describe.concurrent('lull ingest', () => {
  test(
    'killed between any two steps, brings every record of a foreign schema onto the timeline once',
    { timeout: 240_000 },
    async (context) => {
      const { lull, orders } = await open(context);
      const written = await write(lull, orders, ORDERS);
      const folder = await lull.stateFolder();
      for (const point of ['before-offsets@3', 'before-commit@4', 'after-commit@3', 'after-store@2']) {
        const doomed = orders.start(folder, { ...SMALL_FETCHES, LULL_FAILPOINTS: `${point}=kill` });
        expect(await doomed.exited, doomed.stderr()).toBe('SIGKILL');
      }
      // And in the middle of whatever it does, from outside.
      const timelineEnd = async (): Promise<number> => [...(await lull.ends()).values()].reduce((sum, end) => sum + end, 0);
      const before = await timelineEnd();
      const victim = orders.start(folder, SMALL_FETCHES);
      await until(async () => (await timelineEnd()) > before + 200, victim);
      await victim.kill();
      expect(await orders.isRead(), 'killed before it was done').toBe(false);
      // The rest by two workers, one of which finds another's folder empty.
      const last = orders.start(folder, { ...SMALL_FETCHES, LULL_WORKERS: '2', LULL_DRAIN_MS: '30s' });
      await until(() => orders.isRead(), last);
      expect(await last.stop(), last.stderr()).toBe(0);
      await expectExactly(lull, written);
    },
  );

  test('says in one line what is missing, and how to mend it', { timeout: 120_000 }, async (context) => {
    const { lull, orders } = await open(context);
    const folder = await lull.stateFolder();
    const says = async (args: readonly string[]): Promise<string> => {
      const process = lull.run(['ingest', ...args, '--state-folder', folder]);
      expect(await process.exited).toBeGreaterThan(0);
      return process.stderr();
    };
    expect(await says([lull.topology, '--set', 'orders=not.there'])).toContain(
      'not.there: topic is missing, expected one that exists. To mend: the source `orders` reads it: create it, or correct `sources.orders.topic` in topology.yaml',
    );
    expect(await says(['topologies/shop'])).toContain('topologies/shop has no `sources` in topology.yaml');
    await lull.log.admin.deleteTopics([orders.changelog]);
    expect(await says(orders.arguments)).toContain(
      `1 topic is missing (${orders.changelog}): create with \`lull topics create --prefix ${lull.prefix} --topology FOLDER\``,
    );
  });

  test('its topic may be given more partitions, and the start says how to follow', { timeout: 120_000 }, async (context) => {
    const { lull, orders } = await open(context);
    const kafka = new Kafka({ brokers: lull.direct.split(','), logLevel: logLevel.NOTHING }).admin();
    await kafka.connect();
    context.onTestFinished(() => kafka.disconnect());
    const written = await write(lull, orders, 200);
    const folder = await lull.stateFolder();
    const first = orders.start(folder);
    await until(() => orders.isRead(), first);
    expect(await first.stop(), first.stderr()).toBe(0);

    const grow = (topic: string): Promise<boolean> =>
      kafka.createPartitions({ topicPartitions: [{ topic, count: SOURCE_PARTITIONS + 2 }] });
    await grow(orders.topic);
    const order: Order = { number: 9_999, status: 'PAID', customer: { id: 'late' }, cart: 'c9999', amount: 1, paidAt: Date.now() };
    await lull.log.append([{ ...orders.record('late', orders.encode(order)), partition: SOURCE_PARTITIONS + 1 }]);
    const refused = orders.start(folder);
    expect(await refused.exited).toBe(1);
    expect(refused.stderr()).toContain(
      `${orders.changelog}: partitions is 5, expected 7. To mend: it keeps how far each partition of ${orders.topic} was read: kafka-topics.sh`,
    );
    await grow(orders.changelog);
    const second = orders.start(folder);
    await until(() => orders.isRead(), second);
    expect(await second.stop(), second.stderr()).toBe(0);
    await expectExactly(lull, { ...written, events: [...written.events, 'c9999 late'] }, false);
  });

  test('`lull topics create --topology` makes what it needs, with the partitions of its source', { timeout: 120_000 }, async (context) => {
    const { lull, orders } = await open(context);
    await lull.log.admin.deleteTopics([orders.changelog]);
    const create = lull.run(['topics', 'create', '--topology', ...orders.arguments, '--replication-factor', '1']);
    expect(await create.exited, create.stderr()).toBe(0);
    expect(await lull.log.admin.partitions(orders.changelog)).toBe(SOURCE_PARTITIONS);
    const check = lull.run(['topics', 'check', '--topology', ...orders.arguments]);
    expect(await check.exited, check.stderr()).toBe(0);
  });
});
