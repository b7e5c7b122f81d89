import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { StaleStoreError, type PartitionStore, type Store, type StoreOptions } from '../../src/store/port.ts';

/** Opens an empty store of its own for one test; the suite closes it. */
export type OpenStore = (options: StoreOptions) => Promise<Store>;

const b = (text: string): Buffer => Buffer.from(text, 'latin1');
const text = (row: { readonly key: Buffer; readonly value: Buffer }): string =>
  `${row.key.toString('latin1')}=${row.value.toString('latin1')}`;

async function rowsOf(store: PartitionStore, table: string): Promise<string[]> {
  return (await store.scan(table, { limit: 10_000 })).map(text);
}

/** The contract of `src/store/port.ts`, for every implementation of it. */
export function storeConformance(name: string, openStore: OpenStore): void {
  async function withStore(check: (store: Store) => Promise<void>): Promise<void> {
    const store = await openStore({ tables: ['users', 'timers', 'meta'] });
    try {
      await check(store);
    } finally {
      await store.close();
    }
  }

  describe(`store contract: ${name}`, () => {
    it('gives back what was written, and null for what was not', () =>
      withStore(async (store) => {
        const partition = await store.open(3);
        expect(partition.partition).toBe(3);
        await partition.write([
          { table: 'users', key: b('a'), value: b('1') },
          { table: 'users', key: b('empty'), value: Buffer.alloc(0) },
          { table: 'users', key: Buffer.alloc(0), value: b('under the empty key') },
        ]);
        expect(await partition.get('users', b('a'))).toEqual(b('1'));
        expect(await partition.get('users', b('empty'))).toEqual(Buffer.alloc(0));
        expect(await partition.get('users', Buffer.alloc(0))).toEqual(b('under the empty key'));
        expect(await partition.get('users', b('b'))).toBeNull();
        expect(await partition.get('timers', b('a'))).toBeNull();
      }));

    it('applies the operations of a write in order: the last one on a key counts', () =>
      withStore(async (store) => {
        const partition = await store.open(0);
        await partition.write([
          { table: 'users', key: b('a'), value: b('1') },
          { table: 'users', key: b('a'), value: b('2') },
          { table: 'users', key: b('gone'), value: b('1') },
          { table: 'users', key: b('gone'), value: null },
        ]);
        expect(await rowsOf(partition, 'users')).toEqual(['a=2']);
        await partition.write([
          { table: 'users', key: b('a'), value: null },
          { table: 'users', key: b('never there'), value: null },
        ]);
        expect(await rowsOf(partition, 'users')).toEqual([]);
        await partition.write([]);
      }));

    it('answers many keys in the order asked, with repeats and holes', () =>
      withStore(async (store) => {
        const partition = await store.open(0);
        const keys = Array.from({ length: 9_000 }, (_, index) => b(`key-${index}`));
        await partition.write(keys.filter((_, index) => index % 3 !== 0).map((key) => ({ table: 'users', key, value: key })));
        const shuffled = [...keys].sort((x, y) => Buffer.compare(x.subarray(-2), y.subarray(-2))).concat(keys.slice(0, 10));
        const values = await partition.getMany('users', shuffled);
        expect(values).toEqual(shuffled.map((key) => (Number(key.toString().slice(4)) % 3 === 0 ? null : key)));
        expect(await partition.getMany('users', [])).toEqual([]);
      }));

    it('scans in byte order from an inclusive to an exclusive bound', () =>
      withStore(async (store) => {
        const partition = await store.open(0);
        const keys = ['\x00', '\x00\x00', 'a', 'a\xff', 'b', '\x80', '\xff', '\xff\xff'];
        await partition.write([...keys].reverse().map((key) => ({ table: 'timers', key: b(key), value: b('v') })));
        const scan = async (range: { gte?: Buffer; lt?: Buffer; limit?: number }): Promise<string[]> =>
          (await partition.scan('timers', { limit: 100, ...range })).map((row) => row.key.toString('latin1'));
        expect(await scan({})).toEqual(keys);
        expect(await scan({ gte: b('a'), lt: b('b') })).toEqual(['a', 'a\xff']);
        expect(await scan({ lt: b('\x00\x00') })).toEqual(['\x00']);
        expect(await scan({ gte: b('\xff') })).toEqual(['\xff', '\xff\xff']);
        expect(await scan({ gte: b('a'), limit: 2 })).toEqual(['a', 'a\xff']);
        expect(await scan({ gte: b('b'), lt: b('a') })).toEqual([]);
        expect(await scan({ gte: b('a'), lt: b('a') })).toEqual([]);
        expect(await scan({ limit: 0 })).toEqual([]);
        expect(await scan({ lt: Buffer.alloc(0) })).toEqual([]);
      }));

    it('keeps partitions apart, also in scans of neighbours', () =>
      withStore(async (store) => {
        const [low, middle, high] = await Promise.all([store.open(254), store.open(255), store.open(256)]);
        for (const partition of [low, middle, high]) {
          await partition.write([
            { table: 'users', key: b('\x00'), value: b(`${partition.partition}`) },
            { table: 'users', key: b('\xff\xff\xff\xff\xff'), value: b(`${partition.partition}`) },
          ]);
        }
        expect(await rowsOf(middle, 'users')).toEqual(['\x00=255', '\xff\xff\xff\xff\xff=255']);
        await middle.wipe();
        expect(await rowsOf(middle, 'users')).toEqual([]);
        expect(await rowsOf(low, 'users')).toHaveLength(2);
        expect(await rowsOf(high, 'users')).toHaveLength(2);
      }));

    it('lists the partitions that have rows, in any table', () =>
      withStore(async (store) => {
        expect(await store.partitions()).toEqual([]);
        for (const [number, table] of [
          [300, 'users'],
          [2, 'meta'],
          [0, 'timers'],
          [7, 'users'],
        ] as const) {
          const partition = await store.open(number);
          await partition.write([{ table, key: b('k'), value: b('v') }]);
          if (number === 7) await partition.wipe();
          await partition.close();
        }
        expect(await store.partitions()).toEqual([0, 2, 300]);
      }));

    it('wipes every table of the partition, and takes new rows afterwards', () =>
      withStore(async (store) => {
        const partition = await store.open(1);
        const write = (value: string): Promise<void> =>
          partition.write(['users', 'timers', 'meta'].map((table) => ({ table, key: b('k'), value: b(value) })));
        await write('before');
        await partition.wipe();
        for (const table of ['users', 'timers', 'meta']) expect(await partition.get(table, b('k'))).toBeNull();
        await write('after');
        for (const table of ['users', 'timers', 'meta']) expect(await rowsOf(partition, table)).toEqual(['k=after']);
      }));

    it('refuses a table that it was not opened with, and leaves nothing of that write behind', () =>
      withStore(async (store) => {
        const partition = await store.open(0);
        const write = partition.write([
          { table: 'users', key: b('k'), value: b('v') },
          { table: 'orders', key: b('k'), value: b('v') },
        ]);
        await expect(write).rejects.toThrow(/no table "orders".*users, timers, meta/);
        await expect(partition.get('orders', b('k'))).rejects.toThrow(/no table "orders"/);
        await expect(partition.scan('orders', { limit: 1 })).rejects.toThrow(/no table "orders"/);
        await expect(partition.getMany('orders', [b('k')])).rejects.toThrow(/no table "orders"/);
        expect(await partition.get('users', b('k'))).toBeNull();
      }));

    it('is not changed by a caller who reuses the buffers it passed or was given', () =>
      withStore(async (store) => {
        const partition = await store.open(0);
        const key = b('key');
        const value = b('value');
        await partition.write([{ table: 'users', key, value }]);
        key.fill(0);
        value.fill(0);
        (await partition.get('users', b('key')))?.fill(1);
        for (const row of await partition.scan('users', { limit: 1 })) row.value.fill(2);
        expect(await rowsOf(partition, 'users')).toEqual(['key=value']);
      }));

    it('refuses calls of a closed incarnation, and keeps the rows for the next one', () =>
      withStore(async (store) => {
        const first = await store.open(5);
        const inFlight = first.write([{ table: 'users', key: b('in flight'), value: b('v') }]);
        await first.close();
        await inFlight;
        const late = first.write([{ table: 'users', key: b('late'), value: b('v') }]);
        await expect(late).rejects.toBeInstanceOf(StaleStoreError);
        await expect(first.get('users', b('k'))).rejects.toBeInstanceOf(StaleStoreError);
        await expect(first.getMany('users', [b('k')])).rejects.toBeInstanceOf(StaleStoreError);
        await expect(first.scan('users', { limit: 1 })).rejects.toBeInstanceOf(StaleStoreError);
        await expect(first.wipe()).rejects.toBeInstanceOf(StaleStoreError);
        await first.close();
        const second = await store.open(5);
        expect(await rowsOf(second, 'users')).toEqual(['in flight=v']);
        await expect(first.write([])).rejects.toThrow(/partition 5/);
      }));

    it('opens a partition only when its last incarnation has closed, in the order of asking', () =>
      withStore(async (store) => {
        const opened: string[] = [];
        const first = await store.open(4);
        const second = store.open(4).then((partition) => (opened.push('second'), partition));
        const third = store.open(4).then((partition) => (opened.push('third'), partition));
        await store.open(9);
        await first.write([{ table: 'users', key: b('k'), value: b('first') }]);
        expect(opened).toEqual([]);
        await first.close();
        const next = await second;
        await next.write([{ table: 'users', key: b('k'), value: b('second') }]);
        expect(opened).toEqual(['second']);
        await next.close();
        expect(await (await third).get('users', b('k'))).toEqual(b('second'));
      }));

    it('refuses everything once the store is closed, also who was waiting for a partition', async () => {
      const store = await openStore({ tables: ['users'] });
      const partition = await store.open(0);
      const waiting = expect(store.open(0)).rejects.toBeInstanceOf(StaleStoreError);
      const write = partition.write([{ table: 'users', key: b('k'), value: b('v') }]);
      await store.close();
      await write;
      await waiting;
      await expect(store.open(0)).rejects.toBeInstanceOf(StaleStoreError);
      await expect(store.open(1)).rejects.toBeInstanceOf(StaleStoreError);
      await expect(store.partitions()).rejects.toBeInstanceOf(StaleStoreError);
      await expect(partition.write([])).rejects.toBeInstanceOf(StaleStoreError);
      await store.close();
    });

    it('refuses a number that is not a partition', () =>
      withStore(async (store) => {
        for (const number of [-1, 1.5, Number.NaN, 2 ** 31]) await expect(store.open(number)).rejects.toThrow(/not a partition/);
      }));

    it('behaves like a sorted map under any sequence of writes, scans and wipes', async () => {
      const key = fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes));
      const op = fc.record({
        table: fc.constantFrom('users', 'timers'),
        key,
        value: fc.option(fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes))),
      });
      const step = fc.oneof(
        { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), ops: fc.array(op, { maxLength: 8 }) }) },
        {
          weight: 4,
          arbitrary: fc.record({
            kind: fc.constant('scan' as const),
            gte: fc.option(key, { nil: undefined }),
            lt: fc.option(key, { nil: undefined }),
            limit: fc.nat(6),
          }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const) }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) =>
          withStore(async (store) => {
            const partition = await store.open(1);
            const model = { users: new Map<string, Buffer>(), timers: new Map<string, Buffer>() };
            for (const one of steps) {
              if (one.kind === 'wipe') {
                await partition.wipe();
                model.users.clear();
                model.timers.clear();
              } else if (one.kind === 'write') {
                await partition.write(one.ops);
                for (const change of one.ops) {
                  const rows = model[change.table === 'users' ? 'users' : 'timers'];
                  if (change.value === null) rows.delete(change.key.toString('hex'));
                  else rows.set(change.key.toString('hex'), change.value);
                }
              } else {
                const bounds = { ...(one.gte && { gte: one.gte }), ...(one.lt && { lt: one.lt }) };
                const expected = [...model.users]
                  .map(([hex, value]) => ({ key: Buffer.from(hex, 'hex'), value }))
                  .filter((row) => one.gte === undefined || Buffer.compare(row.key, one.gte) >= 0)
                  .filter((row) => one.lt === undefined || Buffer.compare(row.key, one.lt) < 0)
                  .sort((x, y) => Buffer.compare(x.key, y.key))
                  .slice(0, one.limit);
                expect(await partition.scan('users', { ...bounds, limit: one.limit })).toEqual(expected);
              }
            }
          }),
        ),
        { numRuns: 60 },
      );
    });
  });
}
