import { beforeEach, describe, expect, test } from 'vitest';
import { CHECKPOINT_KEY, decodeCheckpoint, encodeCheckpoint, META_TABLE } from '../../src/engine/checkpoint.ts';
import { silentObserver, type RestoreProgress } from '../../src/engine/observer.ts';
import { encodePosition, POSITION_KEY, type PositionRow } from '../../src/engine/position.ts';
import { MAX_STORE_AGE_MS } from '../../src/engine/changelog.ts';
import { restore, type RestoreInput } from '../../src/engine/restore.ts';
import { startPosition } from '../../src/engine/start-position.ts';
import { createMemoryBroker, type MemoryBroker } from '../../src/log/memory/broker.ts';
import type { Log } from '../../src/log/port.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { countingStage } from './counting-stage.ts';

const ROW: PositionRow = { offset: 7, nowMs: 70, stateVersion: 1, partitions: 1, generationId: 3 };
const GROUP = 'test-group';

let broker: MemoryBroker;
let log: Log;
let store: PartitionStore;
let notes: string[];
let rows: number;
let nowMs: number;

beforeEach(async () => {
  broker = createMemoryBroker();
  log = broker.connect();
  await log.admin.createTopics(['c-in', 'c-state'].map((topic) => ({ topic, partitions: 1, replicationFactor: 1, config: {} })));
  store = await createMemoryStore({ tables: [META_TABLE, 'count', 'index'] }).open(0);
  notes = [];
  rows = -1;
  nowMs = 1_000_000_000_000;
});

const write = (key: string | Buffer, value: string | Buffer | null): Promise<unknown> =>
  log.append([
    { topic: 'c-state', partition: 0, key: Buffer.from(key as string), value: value === null ? null : Buffer.from(value as string) },
  ]);

function run(changes: Partial<RestoreInput> = {}): Promise<PositionRow | undefined> {
  const signal = new AbortController().signal;
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0, at: () => () => undefined };
  const stageTask = countingStage('c').createTask({ partition: 0, partitions: 1, store, signal, clock, changed: () => undefined });
  return restore({
    ...{
      log,
      store,
      stageTask,
      partition: 0,
      partitions: 1,
      changelogTopic: 'c-state',
      rowTable: 'count',
      stateVersion: 1,
      oldestStateVersion: 1,
      clock,
      signal,
    },
    observer: { ...silentObserver, note: (_, message) => notes.push(message), restored: (_, result) => (rows = result.rows) },
    onStored: () => undefined,
    ...changes,
  });
}

const count = async (key: string): Promise<string | undefined> => (await store.get('count', Buffer.from(key)))?.toString();
const index = async (): Promise<string[]> => (await store.scan('index', { limit: 100 })).map(({ key }) => key.toString());
const checkpoint = async (): Promise<number | undefined> =>
  decodeCheckpoint((await store.get(META_TABLE, CHECKPOINT_KEY)) ?? Buffer.alloc(0))?.changelogOffset;

describe('a restore', () => {
  test('of an empty changelog gives an empty store and no position', async () => {
    expect(await run()).toBeUndefined();
    expect(rows).toBe(0);
  });

  test('gives the rows as they were last, also where a later one deletes, and the latest position', async () => {
    await write('ann', '1');
    await write(POSITION_KEY, encodePosition({ ...ROW, offset: 1 }));
    await write('bob', '1');
    await write('ann', '2');
    await write('bob', null);
    await write(POSITION_KEY, encodePosition(ROW));
    expect(await run()).toEqual(ROW);
    expect([await count('ann'), await count('bob')]).toEqual(['2', undefined]);
    expect(await index()).toEqual(['2/ann']);
    expect(await checkpoint()).toBe(6);
  });

  test('goes on where the store ends, and takes what changed since', async () => {
    await write('ann', '1');
    await write(POSITION_KEY, encodePosition(ROW));
    await run();
    await write('ann', '2');
    await write(POSITION_KEY, encodePosition({ ...ROW, offset: 8 }));
    expect(await run()).toMatchObject({ offset: 8 });
    expect(rows).toBe(2);
    expect(await index()).toEqual(['2/ann']);
    await run();
    expect(rows).toBe(0);
  });

  test('of a batch of many rows writes it in parts, each of which says how far the store is', async () => {
    await log.append(
      Array.from({ length: 2_500 }, (_, i) => ({
        ...{ topic: 'c-state', partition: 0, key: Buffer.from(`user-${i % 1_200}`), value: Buffer.from(String(i)) },
      })),
    );
    await write(POSITION_KEY, encodePosition(ROW));
    const stored: number[] = [];
    expect(await run({ onStored: (offset) => stored.push(offset) })).toEqual(ROW);
    expect(stored).toEqual([1_000, 2_000, 2_501]);
    expect(await checkpoint()).toBe(2_501);
    expect([await count('user-99'), await count('user-100'), await count('user-1199')]).toEqual(['2499', '1300', '2399']);
    expect(await store.scan('index', { limit: 5_000 })).toHaveLength(1_200);
  });

  test('that was interrupted goes on from the batch that was written', async () => {
    for (let i = 0; i < 10; i++) await write(`user-${i}`, String(i));
    await write(POSITION_KEY, encodePosition(ROW));
    const small: Log['reader'] = (options) => log.reader({ ...options, maxBytes: 1 });
    const cut = new AbortController();
    const observer = {
      ...silentObserver,
      restoring: (_: number, { position }: RestoreProgress) => {
        if (position === 4) cut.abort();
      },
    };
    const changes = { log: { ...log, admin: log.admin, reader: small } };
    await expect(run({ ...changes, signal: cut.signal, observer })).rejects.toThrow();
    expect(await checkpoint()).toBe(4);
    expect(await run()).toEqual(ROW);
    expect(rows).toBe(7);
    expect(await index()).toHaveLength(10);
  });

  test.each<[string, (end: number) => Promise<unknown> | Buffer, RegExp]>([
    ['its checkpoint cannot be read', () => Buffer.from('{"changelogOffset":'), /checkpoint cannot be read/],
    [
      'it has another version',
      (end) => encodeCheckpoint({ changelogOffset: end, stateVersion: 2, writtenAtMs: nowMs }),
      /version 2, this build 1/,
    ],
    [
      'it ends behind the changelog',
      (end) => encodeCheckpoint({ changelogOffset: end + 1, stateVersion: 1, writtenAtMs: nowMs }),
      /ends at 4/,
    ],
    [
      'it was not written for long',
      (end) => encodeCheckpoint({ changelogOffset: end, stateVersion: 1, writtenAtMs: nowMs - MAX_STORE_AGE_MS - 1 }),
      /too long ago/,
    ],
    [
      'it ends before the changelog begins',
      () => encodeCheckpoint({ changelogOffset: 0, stateVersion: 1, writtenAtMs: nowMs }),
      /spans 1 to 3/,
    ],
  ])('wipes a store where %s, and says so', async (_, damage, note) => {
    await write('old', '1');
    await write('ann', '1');
    await write(POSITION_KEY, encodePosition(ROW));
    await log.admin.deleteRecords('c-state', new Map([[0, 1]]));
    await store.write([
      { table: 'count', key: Buffer.from('stale'), value: Buffer.from('9') },
      { table: META_TABLE, key: CHECKPOINT_KEY, value: (await damage(3)) as Buffer },
    ]);
    expect(await run()).toEqual(ROW);
    expect([await count('stale'), await count('ann')]).toEqual([undefined, '1']);
    expect(notes).toEqual([expect.stringMatching(note)]);
  });

  test('begins anew where the changelog was cut after its start was asked for', async () => {
    await write('gone', '1');
    await write('ann', '1');
    await write(POSITION_KEY, encodePosition(ROW));
    await store.write([{ table: 'count', key: Buffer.from('stale'), value: Buffer.from('9') }]);
    const reader: Log['reader'] = (options) => {
      void log.admin.deleteRecords('c-state', new Map([[0, 1]]));
      return log.reader(options);
    };
    expect(await run({ log: { ...log, admin: log.admin, reader } })).toEqual(ROW);
    expect([await count('stale'), await count('ann'), await count('gone')]).toEqual([undefined, '1', undefined]);
  });

  test('that an open transaction holds up fails after a minute and names it', async () => {
    const writer = log.transactionalWriter({ transactionalId: 'other', transactionTimeoutMs: 600_000 });
    await writer.fence();
    await (await writer.begin()).send([{ topic: 'c-state', partition: 0, key: Buffer.from('a'), value: Buffer.from('1') }]);
    const reader: Log['reader'] = (options) => {
      const real = log.reader(options);
      return {
        get position() {
          return real.position;
        },
        fetch: () => {
          nowMs += 30_000;
          return real.fetch({ maxWaitMs: 1 });
        },
        close: () => real.close(),
      };
    };
    await expect(run({ log: { ...log, admin: log.admin, reader } })).rejects.toThrow(
      /c-state-0: restoring stopped at offset 0 of 1 .*open transaction/,
    );
  });

  test('takes a position of an older version whose rows it reads, and no older one', async () => {
    await write(POSITION_KEY, encodePosition({ ...ROW, stateVersion: 4 }));
    expect(await run({ stateVersion: 5, oldestStateVersion: 4 })).toMatchObject({ stateVersion: 4 });
    const older =
      'was written with state version 4, this build reads 5 to 6: run the build that wrote it, or start over with another --prefix';
    await expect(run({ stateVersion: 6, oldestStateVersion: 5 })).rejects.toThrow(older);
    await expect(run({ stateVersion: 3, oldestStateVersion: 3 })).rejects.toThrow(
      'this build has 3: run the build that wrote it, or a newer one',
    );
  });

  test('refuses a row without a key, an unreadable position and another number of partitions', async () => {
    await write(POSITION_KEY, encodePosition({ ...ROW, partitions: 8 }));
    await expect(run()).rejects.toThrow(/written with 8 input partitions, now there are 1/);
    await expect(run({ inputMayGrow: true })).rejects.toThrow(/written with 8 input partitions, now there are 1/);
    // More than there were, where what is kept is of no keys.
    await expect(run({ partitions: 9 })).rejects.toThrow(/written with 8 input partitions, now there are 9/);
    expect(await run({ partitions: 9, inputMayGrow: true })).toMatchObject({ partitions: 8 });
    await write(POSITION_KEY, encodePosition({ ...ROW, offset: 1.5 }));
    await expect(run()).rejects.toThrow(/c-state-0: the position row cannot be read/);
    await log.append([{ topic: 'c-state', partition: 0, key: null, value: Buffer.from('x') }]);
    await expect(run()).rejects.toThrow(/c-state-0@2: a row without a key/);
  });
});

describe('a start position', () => {
  const start = (position: PositionRow | undefined, sleep: () => Promise<void> = () => Promise.resolve()) =>
    startPosition({ log, groupId: GROUP, inputTopic: 'c-in', partition: 0, position, sleep });
  const commit = (offset: number): Promise<void> => log.admin.setGroupOffsets(GROUP, 'c-in', new Map([[0, offset]]));
  const produce = async (records: number): Promise<void> => {
    for (let i = 0; i < records; i++) await log.append([{ topic: 'c-in', partition: 0, key: null, value: Buffer.of(i) }]);
  };

  test('is the start of the log where nothing was ever committed', async () => {
    await produce(5);
    await log.admin.deleteRecords('c-in', new Map([[0, 2]]));
    expect(await start(undefined)).toEqual({ offset: 2, nowMs: 0 });
  });

  test('is the position row where the group agrees, at once or a moment later', async () => {
    await produce(9);
    let slept = 0;
    const later = async (): Promise<void> => {
      if (++slept === 3) await commit(7);
    };
    expect(await start(ROW, later)).toEqual({ offset: 7, nowMs: 70 });
    expect(slept).toBe(3);
  });

  test('is refused where only the group has one, or only the changelog', async () => {
    await produce(9);
    await expect(start(ROW)).rejects.toThrow(/position is 7, group test-group has no offset/);
    await commit(7);
    await expect(start(undefined)).rejects.toThrow(/has the committed offset 7, but the changelog has no position/);
  });

  test('is refused outside of the log, and taken at its very ends', async () => {
    await produce(7);
    await commit(7);
    expect(await start(ROW)).toMatchObject({ offset: 7 });
    await produce(2);
    await log.admin.deleteRecords('c-in', new Map([[0, 7]]));
    expect(await start(ROW)).toMatchObject({ offset: 7 });
    await log.admin.deleteRecords('c-in', new Map([[0, 8]]));
    await expect(start(ROW)).rejects.toThrow(/position 7 is outside of the log \(8 to 9\)/);
  });

  test('is said to be outside of the log where the group has no offset either, as after the topic was recreated: to set one would mend nothing', async () => {
    await produce(3);
    await expect(start(ROW)).rejects.toThrow(/position 7 is outside of the log \(0 to 3\).* start over with another --prefix/);
  });
});
