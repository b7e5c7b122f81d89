import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { OutRecord } from '../../src/log/port.ts';
import { Deployment, PARTITIONS, type Processor } from '../faults/deployment.ts';
import { readAllCommitted, type JudgedRecord } from '../setup/read-committed.ts';

const USERS = 100_000;
const DAY_MS = 86_400_000;
const MOST = 5_000;
const ITEM = Buffer.from('lamp');

/** What is written for the items topic, all of one item. */
class Lamp {
  readonly #lull: Deployment;
  readonly #until = Date.now() + DAY_MS;

  constructor(lull: Deployment) {
    this.#lull = lull;
  }

  async interests(users: readonly string[], until = this.#until): Promise<void> {
    const records = users.map((userId) =>
      this.#record(this.#lull.codec.encode('lull.v1.ItemInterest', { itemId: 'lamp', change: 'price_changed', userId, until })),
    );
    for (let from = 0; from < records.length; from += 20_000) await this.#lull.log.append(records.slice(from, from + 20_000));
  }

  async change(eventId: string, price: number): Promise<void> {
    const change = { eventId, itemId: 'lamp', type: 'price_changed', occurredAt: Date.now(), properties: { price } };
    await this.#lull.log.append([this.#record(this.#lull.codec.encode('lull.v1.ItemChange', change))]);
  }

  /** Whether everything that is in the topic is committed. */
  async isDone(): Promise<boolean> {
    const { log, prefix, topics } = this.#lull;
    const ends = await log.admin.offsets(topics.items);
    const read = await log.admin.groupOffsets(`${prefix}-items`, topics.items);
    return [...ends].every(([partition, { start, end }]) => (read.get(partition) ?? start) >= end);
  }

  #record(value: Buffer): OutRecord {
    return { topic: this.#lull.topics.items, partition: partitionFor(ITEM, PARTITIONS), key: ITEM, value };
  }
}

async function until(what: () => Promise<boolean>, running: Processor): Promise<void> {
  while (!(await what())) {
    if (running.ended() !== undefined) throw new Error(`items ended with ${running.ended()}:\n${running.stderr().slice(-2_000)}`);
    await sleep(50);
  }
}

/**
 * How many events each transaction wrote, from where they stand. Behind each transaction there is a marker, which takes an offset, so records without a gap between them are of one.
 * Each writes to every partition (it has thousands of users), and one task alone writes: the n-th of each partition are the n-th transaction.
 */
function transactionsOf(records: readonly JudgedRecord[]): number[] {
  const runs = Array.from({ length: PARTITIONS }, (): number[] => []);
  const last = new Map<number, number>();
  for (const { partition, offset } of records) {
    const own = runs[partition]!;
    if (last.get(partition) === offset - 1) own[own.length - 1]!++;
    else own.push(1);
    last.set(partition, offset);
  }
  expect(new Set(runs.map(({ length }) => length)).size).toBe(1);
  return runs[0]!.map((_, n) => runs.reduce((sum, own) => sum + own[n]!, 0));
}

test(
  '100,000 people are told of two changes of an item in order and once, in bounded transactions, whoever is killed meanwhile',
  { timeout: 240_000 },
  async ({ onTestFinished }) => {
    const lull = new Deployment();
    onTestFinished(() => lull.close());
    await lull.create();
    const lamp = new Lamp(lull);
    const users = Array.from({ length: USERS }, (_, i) => `user-${i}`);
    const [leaving, coming] = [new Set(users.slice(0, 150)), Array.from({ length: 150 }, (_, i) => `late-${i}`)];
    await lamp.interests(users);
    await lamp.change('first', 20);
    await lamp.interests([...leaving], 0);
    await lamp.interests(coming);
    await lamp.change('second', 15);

    const folder = await lull.stateFolder();
    const start = (env: Readonly<Record<string, string>>, on = folder): Processor =>
      lull.run(['items', '--state-folder', on], { LULL_SESSION_TIMEOUT_MS: '3s', ...env });
    const told = async (): Promise<number> => [...(await lull.ends()).values()].reduce((sum, end) => sum + end, 0);
    // The first commits are of interest, some 15,000 rows each; then 20 for each change.
    for (const point of ['before-commit@12', 'after-commit@4', 'after-store@3']) {
      const doomed = start({ LULL_FAILPOINTS: `${point}=kill` });
      expect(await doomed.exited, doomed.stderr()).toBe('SIGKILL');
      expect(await told()).toBeGreaterThan(0);
    }
    // From outside: in the middle of a change, which is kept there for long enough.
    const meanwhile = async (end: (victim: Processor) => Promise<number | NodeJS.Signals>): Promise<number | NodeJS.Signals> => {
      const before = await told();
      const victim = start({ LULL_FAILPOINTS: 'before-store@3=delay4', LULL_DRAIN_MS: '30s' });
      await until(async () => (await told()) > before + MOST, victim);
      const ended = await end(victim);
      expect(await lamp.isDone(), 'it was ended before it was done').toBe(false);
      return ended;
    };
    expect(await meanwhile((victim) => victim.kill())).toBe('SIGKILL');
    expect(await meanwhile((victim) => victim.stop())).toBe(0);
    // The rest by two workers, whose folder is empty.
    const last = start({ LULL_WORKERS: '2', LULL_DRAIN_MS: '30s' }, await lull.stateFolder());
    await until(() => lamp.isDone(), last);
    expect(await last.stop(), last.stderr()).toBe(0);

    const { timeline, deadLetters } = lull.topics;
    const judged = await readAllCommitted([timeline, deadLetters], lull.direct);
    expect([...judged.values()].map(({ isStable }) => isStable)).toEqual([true, true]);
    expect(judged.get(deadLetters)!.records).toEqual([]);
    const got = new Map<string, string[]>();
    for (const { key, value, partition } of judged.get(timeline)!.records) {
      const decoded = lull.codec.decode(value!);
      if (decoded.record !== 'lull.v1.Control' || decoded.value.fanOut === null) throw new Error(`${decoded.record} is no fan-out`);
      const { userId, eventId, itemId, type, properties } = decoded.value.fanOut;
      if (key!.toString() !== userId || partition !== partitionFor(key!, PARTITIONS)) throw new Error(`${userId} is not at home`);
      if (itemId !== 'lamp' || type !== 'price_changed') throw new Error(`${itemId} ${type}`);
      const events = got.get(userId) ?? [];
      events.push(`${eventId} ${String(properties['price'])}`);
      got.set(userId, events);
    }
    const expected = (user: string): string =>
      leaving.has(user) ? 'first 20' : user.startsWith('late-') ? 'second 15' : 'first 20,second 15';
    expect(got.size).toBe(USERS + coming.length);
    expect([...got].filter(([user, events]) => events.join() !== expected(user))).toEqual([]);
    const sizes = transactionsOf(judged.get(timeline)!.records);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MOST);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2 * USERS);
  },
);
