import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver, type EngineObserver, type RestoreProgress } from '../../src/engine/observer.ts';
import { Worker, type WorkerOptions } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { bootstrap } from '../setup/env.ts';
import { countingStage } from './counting-stage.ts';

/** Workers on the real broker, each with a log of its own and a RocksDB folder. */
const PARTITIONS = 4;

interface Running {
  readonly owned: () => readonly number[];
  readonly running: ReadonlySet<number>;
  readonly following: ReadonlyMap<number, number>;
  /** Rows restored, by partition; summed. */
  readonly restored: ReadonlyMap<number, number>;
  readonly progress: readonly RestoreProgress[];
  readonly began: readonly number[];
  readonly stop: () => Promise<void>;
}

let log: Log;
let stage: ReturnType<typeof countingStage>;
let folder: string;
const started: Running[] = [];

beforeEach(async () => {
  log = createKafkaLog({ brokers: [bootstrap()] });
  stage = countingStage(`back-${randomUUID().slice(0, 8)}`);
  folder = await mkdtemp(join(tmpdir(), 'lull-back-'));
  await log.admin.createTopics(
    ['in', 'out', 'state'].map((name) => ({ topic: `${stage.name}-${name}`, partitions: PARTITIONS, replicationFactor: 1, config: {} })),
  );
});

afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
  await log.admin.deleteTopics(['in', 'out', 'state'].map((name) => `${stage.name}-${name}`));
  await log.close();
  await rm(folder, { recursive: true });
});

async function start(disk: string, options: Partial<WorkerOptions> = {}): Promise<Running> {
  const [following, restored, progress, began] = [
    new Map<number, number>(),
    new Map<number, number>(),
    [] as RestoreProgress[],
    [] as number[],
  ];
  const running = new Set<number>();
  let owned: readonly number[] = [];
  const observer: EngineObserver = {
    ...silentObserver,
    assigned: (partitions) => (owned = partitions),
    standby: (partition, lag) => (lag === undefined ? following.delete(partition) : following.set(partition, lag)),
    restoring: (_, told) => progress.push(told),
    restored: (partition, { rows }) => restored.set(partition, (restored.get(partition) ?? 0) + rows),
    taskState(partition, state) {
      if (state === 'created') began.push(partition);
      if (state === 'running') running.add(partition);
      if (state === 'closed') running.delete(partition);
    },
  };
  const store = await openRocksStore({ path: join(folder, disk), tables: [META_TABLE, ...stage.tables] });
  const own = createKafkaLog({ brokers: [bootstrap()] });
  const abort = new AbortController();
  const ended = new Worker({ stage, log: own, store, prefix: 'test', clock: systemClock, observer, host: disk, ...options })
    .run(abort.signal)
    .finally(async () => {
      await store.close();
      await own.close();
    });
  ended.catch(() => undefined);
  const one = {
    ...{ owned: () => owned, running, following, restored, progress, began },
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
  started.push(one);
  return one;
}

const users = Array.from({ length: 400 }, (_, i) => `user-${i}`);

/** Every user once. */
async function say(): Promise<void> {
  await log.append(
    users.map((user, i) => ({ topic: stage.inputTopic, partition: i % PARTITIONS, key: Buffer.from(user), value: Buffer.of(1) })),
  );
}

/** Waits until everybody has been counted so often, and sees to it that nobody was counted twice. */
async function counted(times: number): Promise<void> {
  const output = `${stage.name}-out`;
  const counts = new Map<string, number>();
  const position = new Map<number, number>();
  await expect
    .poll(
      async () => {
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const reader = log.reader({ topic: output, partition, offset: position.get(partition) ?? 0 });
          const { records, nextOffset } = await reader.fetch({ maxWaitMs: 50 });
          await reader.close();
          position.set(partition, nextOffset);
          for (const { value } of records) {
            const [user = '', count] = value!.toString().split('=');
            expect(Number(count)).toBe((counts.get(user) ?? 0) + 1);
            counts.set(user, Number(count));
          }
        }
        return users.filter((user) => counts.get(user) === times).length;
      },
      { timeout: 40_000, interval: 50 },
    )
    .toBe(users.length);
}

const sum = (restored: ReadonlyMap<number, number>): number => [...restored.values()].reduce((all, rows) => all + rows, 0);
const waitFor = { timeout: 40_000 };

test('a restart on the same disk replays nothing, on an empty one everything, on an older one what it missed', async () => {
  const first = await start('a');
  await say();
  await counted(1);
  await first.stop();
  const again = await start('a');
  await expect.poll(() => again.running.size, waitFor).toBe(PARTITIONS);
  expect(sum(again.restored)).toBe(0);
  await again.stop();

  const elsewhere = await start('b');
  await expect.poll(() => elsewhere.running.size, waitFor).toBe(PARTITIONS);
  const all = sum(elsewhere.restored);
  // A row for each user, and a position row for each commit.
  expect(all).toBeGreaterThanOrEqual(users.length + PARTITIONS);
  for (const { from, position, end, rows, bytes } of elsewhere.progress) {
    expect([from, rows > 0, bytes > rows, position <= end]).toEqual([0, true, true, true]);
  }
  await say();
  await counted(2);
  await elsewhere.stop();

  const back = await start('a');
  await expect.poll(() => back.running.size, waitFor).toBe(PARTITIONS);
  // A few more or less position rows: as many as there were commits.
  expect(sum(back.restored)).toBeGreaterThanOrEqual(users.length);
  expect(sum(back.restored)).toBeLessThan(users.length * 1.5);
  await say();
  await counted(3);
});

test('a rolling restart of three moves only what the one that is away had, restores next to nothing, and counts exactly once', async () => {
  const names = ['a', 'b', 'c'];
  const members = new Map<string, Running>();
  for (const name of names) members.set(name, await start(name));
  const settled = (): Promise<void> =>
    expect.poll(() => [...members.values()].reduce((all, { running }) => all + running.size, 0), waitFor).toBe(PARTITIONS);
  await expect.poll(() => [...members.values()].map(({ owned }) => owned().length).sort(), waitFor).toEqual([1, 1, 2]);
  await settled();
  await say();
  await counted(1);
  for (const [round, name] of names.entries()) {
    const away = members.get(name)!.owned();
    const others = names.filter((other) => other !== name).map((other) => members.get(other)!);
    const before = others.map(({ owned, began }) => ({ owned: owned(), began: began.length }));
    await members.get(name)!.stop();
    members.set(name, await start(name));
    await expect.poll(() => members.get(name)!.running.size, waitFor).toBeGreaterThan(0);
    await settled();
    await say();
    await counted(round + 2);
    for (const [i, other] of others.entries()) {
      // What they had before was not touched: not closed, not opened again.
      for (const partition of other.began.slice(before[i]!.began)) expect(away).toContain(partition);
      for (const partition of before[i]!.owned) expect(other.owned()).toContain(partition);
    }
    // What it came back to is on its disk; only what was written while it was away has to be read.
    expect(sum(members.get(name)!.restored)).toBeLessThan(PARTITIONS * 2);
  }
});

test('with a standby a takeover restores next to nothing, without one everything', async () => {
  const a = await start('a', { standbys: 1 });
  await say();
  await counted(1);
  const b = await start('b', { standbys: 1 });
  await expect.poll(() => [a.running.size, b.running.size, a.following.size, b.following.size], waitFor).toEqual([2, 2, 2, 2]);
  await say();
  await counted(2);
  await expect.poll(() => [...b.following.values()], waitFor).toEqual([0, 0]);
  const before = sum(b.restored);
  await a.stop();
  await expect.poll(() => b.running.size, waitFor).toBe(PARTITIONS);
  expect(sum(b.restored) - before).toBeLessThan(PARTITIONS * 2);
  await say();
  await counted(3);
  await b.stop();
  const cold = await start('c');
  await expect.poll(() => cold.running.size, waitFor).toBe(PARTITIONS);
  expect(sum(cold.restored)).toBeGreaterThan(users.length * 2);
});
