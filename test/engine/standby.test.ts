import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ACCEPTABLE_LAG } from '../../src/engine/assign.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver, type EngineObserver } from '../../src/engine/observer.ts';
import type { Stage } from '../../src/engine/stage.ts';
import { Worker, type WorkerOptions } from '../../src/engine/worker.ts';
import { createMemoryBroker, type MemoryBroker } from '../../src/log/memory/broker.ts';
import type { Log } from '../../src/log/port.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { StoreCorruptError, type Store } from '../../src/store/port.ts';
import { countingStage } from './counting-stage.ts';
import { fastClock } from './fast-clock.ts';

const PARTITIONS = 4;

/** One process: what it was given, what it follows and how far, and what it had to restore. */
interface Process {
  readonly owned: () => readonly number[];
  readonly following: ReadonlyMap<number, number>;
  readonly restored: { readonly partition: number; readonly rows: number }[];
  readonly notes: string[];
  readonly ended: Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
}

let broker: MemoryBroker;
let log: Log;
let stage: ReturnType<typeof countingStage>;
let processes: Process[];

beforeEach(async () => {
  broker = createMemoryBroker();
  log = broker.connect();
  stage = countingStage(`standby-${randomUUID().slice(0, 8)}`);
  processes = [];
  await log.admin.createTopics(
    ['in', 'out', 'state'].map((name) => ({ topic: `${stage.name}-${name}`, partitions: PARTITIONS, replicationFactor: 1, config: {} })),
  );
});

afterEach(async () => {
  for (const one of processes) await one.stop().catch(() => undefined);
  await log.close();
});

const newStore = (): Store => createMemoryStore({ tables: [META_TABLE, ...stage.tables] });

function start(options: Partial<WorkerOptions> = {}): Process {
  let owned: readonly number[] = [];
  const following = new Map<number, number>();
  const restored: Process['restored'] = [];
  const notes: string[] = [];
  const observer: EngineObserver = {
    ...silentObserver,
    assigned: (partitions) => (owned = partitions),
    standby: (partition, lag) => (lag === undefined ? following.delete(partition) : following.set(partition, lag)),
    restored: (partition, { rows }) => restored.push({ partition, rows }),
    note: (_, message) => notes.push(message),
  };
  const abort = new AbortController();
  const processLog = broker.connect();
  const worker = new Worker({
    ...{ stage, log: processLog, store: newStore(), prefix: 'test', clock: fastClock(), observer, host: randomUUID() },
    ...options,
  });
  const ended = worker.run(abort.signal);
  ended.catch(() => undefined);
  const stop = async (): Promise<void> => {
    abort.abort();
    await ended;
  };
  const process = { owned: () => owned, following, restored, notes, ended, stop, kill: () => abort.abort() };
  processes.push(process);
  return process;
}

/** One record for each partition, `rounds` times: so many rows of each partition's changelog, and as many position rows. */
async function produce(rounds: number, keys = 1): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await log.append(
      Array.from({ length: PARTITIONS * keys }, (_, i) => ({
        topic: stage.inputTopic,
        partition: i % PARTITIONS,
        key: Buffer.from(`user-${i}`),
        value: Buffer.of(1),
      })),
    );
  }
}

/** Waits until all that was produced has been counted, and gives the output. */
async function counted(records: number): Promise<Map<string, number[]>> {
  const counts = new Map<string, number[]>();
  await expect
    .poll(
      async () => {
        counts.clear();
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const { end } = (await log.admin.offsets(`${stage.name}-out`)).get(partition)!;
          const reader = log.reader({ topic: `${stage.name}-out`, partition, offset: 0, maxBytes: 1 << 26 });
          while (reader.position < end) {
            const batch = await reader.fetch({ maxWaitMs: 20 });
            for (const { value } of batch.records) {
              const [key = '', count] = value!.toString().split('=');
              counts.set(key, [...(counts.get(key) ?? []), Number(count)]);
            }
            if (batch.nextOffset >= batch.lastStableOffset) break;
          }
          await reader.close();
        }
        return [...counts.values()].flat().length;
      },
      { timeout: 30_000, interval: 50 },
    )
    .toBe(records);
  return counts;
}

const eventually = <T>(get: () => T) => expect.poll(get, { timeout: 30_000, interval: 20 });
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const total = (process: Process): number => process.restored.reduce((sum, { rows }) => sum + rows, 0);

describe('a standby', () => {
  test('follows what it does not own, and a takeover restores only the rest of it', async () => {
    const a = start({ standbys: 1 });
    await produce(50);
    await counted(50 * PARTITIONS);
    const b = start({ standbys: 1 });
    await eventually(() => [a.owned().length, b.owned().length, a.following.size, b.following.size]).toEqual([2, 2, 2, 2]);
    expect([...b.following.keys()]).toEqual(a.owned());
    await produce(50);
    await counted(100 * PARTITIONS);
    await eventually(() => [...b.following.values()]).toEqual([0, 0]);
    b.restored.length = 0;
    await a.stop();
    await eventually(() => b.restored.length).toBe(2);
    // The marker of the last transaction, and what one look at the changelog is behind.
    expect(total(b)).toBeLessThanOrEqual(4);
    await produce(1);
    for (const counts of (await counted(101 * PARTITIONS)).values()) expect(counts).toEqual(upTo(101));
    expect(b.following.size).toBe(0);
  });

  test('has the derived rows too', async () => {
    const stores = [newStore(), newStore()] as const;
    const a = start({ standbys: 1, store: stores[0] });
    const b = start({ standbys: 1, store: stores[1] });
    await produce(20, 3);
    await counted(20 * 3 * PARTITIONS);
    await eventually(() => [a.following.size, b.following.size]).toEqual([2, 2]);
    await eventually(() => [...a.following.values(), ...b.following.values()]).toEqual([0, 0, 0, 0]);
    await Promise.all([a.stop(), b.stop()]);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const [one, other] = [await stores[0].open(partition), await stores[1].open(partition)];
      for (const table of stage.tables) {
        const rows = await one.scan(table, { limit: 1000 });
        expect(rows).toHaveLength(3);
        expect(await other.scan(table, { limit: 1000 })).toEqual(rows);
      }
    }
  });

  test('whose changelog was cut behind its back begins anew, and the process goes on', async () => {
    const a = start({ standbys: 1 });
    await produce(30);
    await counted(30 * PARTITIONS);
    const ends = await log.admin.offsets(stage.changelogTopic);
    await log.admin.deleteRecords(stage.changelogTopic, new Map([...ends].map(([partition, { end }]) => [partition, end - 2])));
    // Its disk ends before the changelog begins.
    const b = start({ standbys: 1 });
    await eventually(() => [a.following.size, b.following.size]).toEqual([2, 2]);
    await eventually(() => [...b.following.values()]).toEqual([0, 0]);
    expect(b.owned()).toHaveLength(2);
  });

  test('on files that cannot be read ends the process with that error, for the store to be made anew', async () => {
    const whole = newStore();
    let b: Process | undefined;
    const store: Store = {
      partitions: () => whole.partitions(),
      close: () => whole.close(),
      open: async (partition) =>
        new Proxy(await whole.open(partition), {
          get(real, name) {
            if (name === 'write' && b?.following.has(partition) === true)
              return () => Promise.reject(new StoreCorruptError('/state: the state folder is damaged: checksum mismatch'));
            const value: unknown = Reflect.get(real, name);
            return typeof value === 'function' ? (value.bind(real) as unknown) : value;
          },
        }),
    };
    start({ standbys: 1 });
    await produce(2);
    await counted(2 * PARTITIONS);
    const damaged = (b = start({ standbys: 1, store }));
    await eventually(() => damaged.following.size).toBe(2);
    await produce(5);
    await expect(damaged.ended).rejects.toThrow(StoreCorruptError);
  });
});

describe('a partition with much state', () => {
  test('stays where it is until the store of the new member has caught up, and then moves without a restore', async () => {
    const a = start();
    // A row for each.
    const keys = ACCEPTABLE_LAG + 1_000;
    await produce(1, keys);
    await counted(keys * PARTITIONS);
    const b = start();
    await eventually(() => b.notes.some((note) => /partitions none, warm-ups \d, \d$/.test(note))).toBe(true);
    expect(a.owned()).toHaveLength(PARTITIONS);
    await eventually(() => [a.owned().length, b.owned().length]).toEqual([2, 2]);
    await eventually(() => b.restored.length).toBe(2);
    expect(total(b)).toBeLessThan(10);
    await produce(1, 100);
    const counts = await counted((keys + 100) * PARTITIONS);
    for (let i = 0; i < keys * PARTITIONS; i++) expect(counts.get(`user-${i}`)).toEqual(upTo(i < 100 * PARTITIONS ? 2 : 1));
  });

  test('goes back to the disk that has it after a restart, and what stayed elsewhere did not stop', async () => {
    const disks = [newStore(), newStore()] as const;
    const [a, b] = [start({ store: disks[0] }), start({ store: disks[1] })];
    await eventually(() => [a.owned().length, b.owned().length]).toEqual([2, 2]);
    await produce(30, 3);
    await counted(30 * 3 * PARTITIONS);
    const before = [a.owned(), b.owned()];
    b.restored.length = 0;
    await a.stop();
    await eventually(() => b.owned().length).toBe(PARTITIONS);
    const again = start({ store: disks[0] });
    await eventually(() => [again.owned(), b.owned()]).toEqual(before);
    await eventually(() => again.restored.length).toBe(2);
    // Only the partitions of the one that was away were opened anew by the other.
    expect(b.restored.map(({ partition }) => partition).sort()).toEqual(before[0]);
  });
});

test('a stage that drains finishes what it has begun before another process begins with its partition', async () => {
  const began: number[] = [];
  const [stopping, drained] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const slow: Stage = {
    ...stage,
    drains: true,
    createTask(context) {
      const real = stage.createTask(context);
      return new Proxy(real, {
        get(target, name) {
          if (name === 'start') began.push(context.partition);
          if (name === 'stop')
            return async (...args: Parameters<typeof real.stop>) => {
              stopping.resolve(undefined);
              await drained.promise;
              await real.stop(...args);
            };
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
  const a = start({ stage: slow, clock: systemClock });
  await eventually(() => began.length).toBe(PARTITIONS);
  const b = start({ stage: slow, clock: systemClock });
  await stopping.promise;
  // Another generation, in the middle of it, gives it to nobody either.
  const c = start({ stage: slow, clock: systemClock });
  await eventually(() => c.notes.some((note) => note.includes('generation'))).toBe(true);
  expect([a.owned().length, b.owned().length, c.owned().length].reduce((x, y) => x + y)).toBeLessThan(PARTITIONS);
  expect(began).toHaveLength(PARTITIONS);
  drained.resolve(undefined);
  await eventually(() => [a, b, c].map(({ owned }) => owned().length).sort()).toEqual([1, 1, 2]);
  await produce(1);
  for (const counts of (await counted(PARTITIONS)).values()) expect(counts).toEqual([1]);
});

test('who knows the id of the process that died takes its place in the group, and tells its own', async () => {
  const ids: (string | undefined)[] = [];
  const first = start({ onMemberId: (memberId) => ids.push(memberId) });
  await eventually(() => first.owned().length).toBe(PARTITIONS);
  const second = start({ onMemberId: (memberId) => ids.push(memberId), predecessor: ids[0]! });
  await eventually(() => second.owned().length).toBe(PARTITIONS);
  expect(ids).toEqual([ids[0], ids[0]]);
  await second.stop();
  expect(ids).toEqual([ids[0], ids[0], undefined]);
});
