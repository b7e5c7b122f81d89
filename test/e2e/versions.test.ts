import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import type { Decision } from '../../src/core/output.ts';
import { specOf, topicPlans } from '../../src/log/topics.ts';
import { POSITION_KEY } from '../../src/engine/position.ts';
import { PublishedTopologies } from '../../src/processor/published.ts';
import { decodeUserState } from '../../src/processor/user-state-codec.ts';
import { Deployment, type Processor, type Said } from '../faults/deployment.ts';
import { judge } from '../faults/oracles.ts';
import { lull as runLull } from '../cli/run.ts';

// Each test has a prefix, processes and folders of its own, and mostly waits: they run side by side.

/** Two versions of the shop, told apart by what the waits are; in seconds instead of an hour. */
const V1 = ['cartWait=4s', 'checkoutWait=3s', 'sessionGap=4s', 'browseDelay=2s', 'dailyCap=50'];
const V2 = ['cartWait=5s', 'checkoutWait=3s', 'sessionGap=4s', 'browseDelay=2s', 'dailyCap=50'];

async function deployment({ onTestFinished }: TestContext): Promise<Deployment> {
  const created = new Deployment({ params: V1 });
  onTestFinished(() => created.close());
  return created.create();
}

const setsOf = (params: readonly string[]): string[] => params.flatMap((param) => ['--set', param]);

function startVersion(lull: Deployment, params: readonly string[], folder: string): Processor {
  return lull.run(['process', '--topology', lull.topology, ...setsOf(params), '--state-folder', folder]);
}

/** A `lull topology` command of the deployment; what it printed. */
async function topology(lull: Deployment, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runLull(['topology', ...args, '--prefix', lull.prefix], { LULL_BOOTSTRAP: lull.bootstrap });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

interface Listed {
  readonly versions: readonly { readonly number: number; readonly hash: string; readonly newest: boolean; readonly partitions: number }[];
}

async function listed(lull: Deployment): Promise<Listed['versions']> {
  return (JSON.parse(await topology(lull, 'list', '--json')) as Listed).versions;
}

/** Somebody who leaves a cart behind. */
function leaver(userId: string): Said[] {
  return [
    {
      userId,
      type: '$device_added',
      properties: { deviceId: `${userId}-phone`, kind: 'fcm', value: `token-${userId}`, permission: 'granted' },
    },
    { userId, type: '$consent', properties: { category: 'reminders', state: 'in' } },
    { userId, type: 'cart_item_added', properties: { cartId: 'c1', sku: 'sku-1', name: 'Lamp', price: 12.5, qty: 1 } },
  ];
}

async function decisions(lull: Deployment): Promise<readonly Decision[]> {
  const records = await lull.records(lull.topics.decisions);
  await lull.codec.prepare(records.map(({ value }) => value));
  return records.map(({ value }) => lull.codec.decode(value!).value as Decision);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(200);
}

/** The versions that the timeline's records name, partition by partition. */
async function activations(lull: Deployment): Promise<ReadonlyMap<number, readonly number[]>> {
  const found = new Map<number, number[]>();
  for (let partition = 0; partition < lull.partitions; partition++) {
    const reader = lull.log.reader({ topic: lull.topics.timeline, partition, offset: 0 });
    for (let isAtEnd = false; !isAtEnd;) {
      const { records, nextOffset, lastStableOffset } = await reader.fetch({ maxWaitMs: 100 });
      await lull.codec.prepare([...records].map(({ value }) => value));
      for (const { value } of records) {
        const decoded = lull.codec.decode(value!);
        if (decoded.record === 'lull.v1.Control' && decoded.value.topology !== null)
          found.set(partition, [...(found.get(partition) ?? []), decoded.value.topology.number]);
      }
      isAtEnd = nextOffset >= lastStableOffset;
    }
    await reader.close();
  }
  return found;
}

const areAllIn = async (lull: Deployment, number: number): Promise<boolean> => {
  const found = await activations(lull);
  return found.size === lull.partitions && [...found.values()].every((numbers) => numbers.includes(number));
};

describe.concurrent('versions of the topology, on the real broker', () => {
  test(
    'a rolling deploy changes each partition at its record and at nothing else, and an old process that starts again turns nothing back',
    { timeout: 240_000 },
    async (context) => {
      const lull = await deployment(context);
      const folders = await Promise.all([1, 2, 3, 4].map(() => lull.stateFolder()));
      const first = startVersion(lull, V1, folders[0]!);
      await until(async () => (await activations(lull)).size === lull.partitions);
      const second = startVersion(lull, V1, folders[1]!);

      let number = 0;
      const load = new AbortController();
      const loading = (async () => {
        while (!load.signal.aborted) {
          await lull.say(...[1, 2, 3].flatMap(() => leaver(`u${number++}`)));
          await sleep(150);
        }
      })();
      await lull.waitForRecords(lull.topics.dispatch, 5);

      const third = startVersion(lull, V2, folders[2]!);
      await until(async () => (await listed(lull)).length === 2);
      const [v1, v2] = await listed(lull);
      expect(v2).toMatchObject({ newest: true });
      await first.kill();
      const again = startVersion(lull, V1, folders[0]!);
      await until(() => areAllIn(lull, v2!.number));
      const fourth = startVersion(lull, V2, folders[3]!);
      expect(await lull.stop(second)).toBe(0);
      await until(() => Promise.resolve(again.stderr().includes('was superseded')));
      const before = (await lull.records(lull.topics.dispatch)).length;
      await lull.waitForRecords(lull.topics.dispatch, before + 15);
      load.abort();
      await loading;
      // Everybody has left exactly one cart.
      await lull.waitForRecords(lull.topics.dispatch, number);
      await lull.waitUntilRead();
      for (const process of [again, third, fourth]) expect(await lull.stop(process)).toBe(0);

      // Commands, decisions with their hashes, rows and positions: what the core makes of each partition, changing versions at the records.
      const judged = await judge(lull);
      expect(judged).toMatchObject({ commands: number, deadLetters: 0 });
      const hashes = (await decisions(lull)).map(({ topologyHash }) => topologyHash);
      expect(new Set(hashes)).toEqual(new Set([v1!.hash, v2!.hash]));
      expect((await listed(lull)).map(({ hash, partitions }) => [hash, partitions])).toEqual([
        [v1!.hash, 0],
        [v2!.hash, lull.partitions],
      ]);
    },
  );

  test(
    'a process without a folder goes on by what is in force, on an empty disk; and back by `lull topology activate`',
    { timeout: 180_000 },
    async (context) => {
      const lull = await deployment(context);
      const none = lull.run(['process', '--state-folder', await lull.stateFolder()]);
      expect(await none.exited).toBe(1);
      expect(none.stderr()).toContain('give --topology FOLDER, or publish a topology with `lull topology activate FOLDER`');

      const first = startVersion(lull, V1, await lull.stateFolder());
      await until(() => areAllIn(lull, 1));
      expect(await topology(lull, 'activate', lull.topology, ...setsOf(V2))).toMatch(/^published shop \([0-9a-f]{12}\) as version 2/);
      await until(() => areAllIn(lull, 2));
      await lull.waitUntilRead();
      await first.kill();

      lull.run(['process', '--state-folder', await lull.stateFolder()]);
      await lull.say(...leaver('ann'));
      const [v1, v2] = await listed(lull);
      await lull.waitForRecords(lull.topics.decisions, 1);
      expect((await decisions(lull)).map(({ topologyHash }) => topologyHash)).toEqual([v2!.hash]);

      expect(await topology(lull, 'activate', lull.topology, ...setsOf(V2))).toContain('is the newest already');
      await topology(lull, 'activate', lull.topology, ...setsOf(V1));
      await until(() => areAllIn(lull, 3));
      await lull.waitUntilRead();
      await lull.say(...leaver('bob'));
      await lull.waitForRecords(lull.topics.decisions, 2);
      expect((await decisions(lull)).map(({ userId, topologyHash }) => `${userId} ${topologyHash}`).sort()).toEqual(
        [`ann ${v2!.hash}`, `bob ${v1!.hash}`].sort(),
      );
      const shown = JSON.parse(await topology(lull, 'show', v1!.hash.slice(0, 8), '--json')) as {
        readonly number: number;
        readonly hash: string;
      };
      expect(shown).toMatchObject({ number: 3, hash: v1!.hash, topology: { name: 'shop', params: { cartWait: '4s' } } });
      expect(JSON.parse(await topology(lull, 'show'))).toEqual((shown as unknown as { readonly topology: object }).topology);
      expect(await topology(lull, 'list')).toMatch(/^version +hash +name +published +in force on\n2 .*\n3 .*, the newest\n$/);
    },
  );

  test(
    'a journey on a date is new to everybody once, also where the processor is killed while it goes through them',
    { timeout: 180_000 },
    async (context) => {
      const lull = new Deployment({ topology: 'topologies/saas' });
      context.onTestFinished(() => lull.close());
      await lull.create();
      const without = await lull.stateFolder();
      await cp(lull.topology, without, { recursive: true });
      for (const journey of ['trial_ends', 'trial_over']) await rm(join(without, 'journeys', `${journey}.yaml`));

      const first = lull.run(['process', '--topology', without, '--state-folder', await lull.stateFolder()]);
      await until(() => areAllIn(lull, 1));
      const endsAt = (i: number): number => Date.now() + (i % 3 === 0 ? -30 : 30) * 86_400_000;
      await lull.say(
        ...Array.from({ length: 300 }, (_, i) => ({
          userId: `u${i}`,
          type: '$profile',
          properties: { trialEndsAt: endsAt(i), plan: 'trial' },
        })),
      );
      await lull.waitUntilRead();
      await first.kill();

      const folder = await lull.stateFolder();
      // Of the three partitions one or two are done by then.
      const killed = lull.start(folder, { LULL_FAILPOINTS: 'before-commit@5=kill' });
      expect(await killed.exited).toBe('SIGKILL');
      const last = lull.start(folder);
      await until(() => areAllIn(lull, 2));
      const waiting = async (): Promise<readonly (readonly string[])[]> => {
        const rows = (await lull.records(lull.topics.state)).filter(({ key, value }) => value !== null && !key!.equals(POSITION_KEY));
        const states = new Map(rows.map(({ key, value }) => [key!.toString(), decodeUserState(value!, key!.toString())]));
        return [...states.values()].map(({ matches }) => matches.map(({ journey }) => journey)).filter(({ length }) => length > 0);
      };
      await until(async () => (await waiting()).length >= 200);
      expect(await lull.stop(last)).toBe(0);
      // Each row as the core makes it of the log.
      await judge(lull);
      expect(await waiting()).toEqual(Array.from({ length: 200 }, () => ['trial_ends', 'trial_over']));
    },
  );

  test(
    'where the topic of topologies was lost, `lull topology activate` publishes with a number that counts',
    { timeout: 120_000 },
    async (context) => {
      const lull = await deployment(context);
      const { topologies } = lull.topics;
      const folder = await lull.stateFolder();
      const first = startVersion(lull, V1, folder);
      await until(() => areAllIn(lull, 1));
      for (const params of [V2, V1, V2]) await topology(lull, 'activate', lull.topology, ...setsOf(params));
      await until(() => areAllIn(lull, 4));
      await lull.waitUntilRead();
      expect(await lull.stop(first)).toBe(0);
      await lull.log.admin.deleteTopics([topologies]);
      await until(async () => (await lull.log.admin.partitions(topologies)) === undefined);
      await lull.log.admin.createTopics(
        topicPlans(lull.prefix)
          .filter(({ topic }) => topic === topologies)
          .map((plan) => specOf(plan, 1, 1)),
      );

      // What is in force has to be there again, and then what is to be.
      expect(await topology(lull, 'activate', lull.topology, ...setsOf(V2))).toContain('as version 5');
      expect(await topology(lull, 'activate', lull.topology, ...setsOf(V1))).toContain('as version 6');
      lull.run(['process', '--state-folder', folder]);
      await until(() => areAllIn(lull, 6));
    },
  );

  test(
    'a version that nobody published stops the processor, with one line that says where, which and what to do',
    { timeout: 120_000 },
    async (context) => {
      const lull = await deployment(context);
      const processor = lull.start(await lull.stateFolder());
      await until(() => areAllIn(lull, 1));
      const value = lull.codec.encode('lull.v1.Control', { topology: { hash: 'f'.repeat(64), number: 7, name: 'gone' } });
      const [appended] = await lull.log.append([{ topic: lull.topics.timeline, partition: 1, key: null, value }]);
      expect(await processor.exited).toBe(1);
      const fatal = processor
        .stderr()
        .split('\n')
        .filter((line) => line.includes('"level":"fatal"') || line.includes('"level":60'));
      expect(fatal).toHaveLength(1);
      expect(fatal[0]).toContain(
        `${lull.topics.timeline}-1-${appended!.baseOffset}: topology ${'f'.repeat(64)} is not in ${lull.topics.topologies}`,
      );
    },
  );

  test('the numbers are one order for everybody, and a text that is too large is refused', { timeout: 60_000 }, async (context) => {
    const lull = await deployment(context);
    const open = () =>
      PublishedTopologies.open({
        log: lull.log,
        topic: lull.topics.topologies,
        compile: () => {
          throw new Error('not asked for');
        },
        note: () => {},
      });
    const [one, other] = await Promise.all([open(), open()]);
    other.follow();
    context.onTestFinished(() => other.close());
    const [a, b] = await Promise.all([one.publish('a', '{"name":"a"}'), other.publish('b', '{"name":"b"}')]);
    expect(new Set([a.number, b.number])).toEqual(new Set([1, 2]));
    const again = await one.publish('a', '{"name":"a"}');
    expect(again.number).toBe(3);
    await until(() => Promise.resolve(other.newest?.number === 3));
    expect(other.all).toEqual((await open()).all);
    expect(await other.textOf('b')).toBe('{"name":"b"}');
    await expect(one.publish('c', 'x'.repeat(1_000_000))).rejects.toThrow(/has 1000000 bytes as one text, at most 921600 can be published/);
    await one.close();
  });
});
