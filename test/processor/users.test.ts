import { beforeEach, expect, test } from 'vitest';
import { emptyState } from '../../src/core/step.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { encodeUserState } from '../../src/processor/user-state-codec.ts';
import { USER_TABLE, Users } from '../../src/processor/users.ts';

let store: PartitionStore;
let reads: number;

beforeEach(async () => {
  const real = await createMemoryStore({ tables: [USER_TABLE] }).open(0);
  reads = 0;
  store = {
    ...{ partition: 0, get: real.get.bind(real), scan: real.scan.bind(real), write: real.write.bind(real) },
    ...{ wipe: real.wipe.bind(real), close: real.close.bind(real) },
    getMany(table, keys) {
      reads += keys.length;
      return real.getMany(table, keys);
    },
  };
  await store.write([{ table: USER_TABLE, key: Buffer.from('ann'), value: rowOf(5) }]);
});

const rowOf = (lastEventMs: number): Buffer => encodeUserState({ ...emptyState('ann'), lastEventMs });
const changed = (userId: string, row: Buffer | null) => ({ userId, key: Buffer.from(userId), row, dueBeforeMs: null, dueMs: null });

test('a user is what the store has, until it is changed, until that is rolled back', async () => {
  const users = new Users({ store, cacheBytes: 10_000 });
  await users.load(['ann', 'bob']);
  expect([users.row('ann'), users.row('bob'), reads]).toEqual([rowOf(5), null, 2]);
  expect(users.row('cid')).toBeUndefined();
  users.set({ ...changed('ann', rowOf(6)), dueBeforeMs: 1, dueMs: 2 });
  users.set({ ...changed('ann', rowOf(7)), dueBeforeMs: 2, dueMs: 3 });
  expect([...users.changed]).toEqual([{ ...changed('ann', rowOf(7)), dueBeforeMs: 1, dueMs: 3 }]);
  expect([users.changedCount, users.changedBytes]).toEqual([1, rowOf(7).length]);
  users.rollback();
  expect([users.row('ann'), users.changedCount, users.changedBytes]).toEqual([undefined, 0, 0]);
  await users.load(['ann']);
  expect(users.row('ann')).toEqual(rowOf(5));
});

test('what is committed is kept for those who come again, and others are forgotten in bounded time', async () => {
  const users = new Users({ store, cacheBytes: 8 * rowOf(6).length });
  const commits = (userId: string, row: Buffer): void => {
    users.set(changed(userId, row));
    users.committed();
  };
  commits('ann', rowOf(6));
  for (let i = 0; i < 20; i++) {
    commits(`user-${i}`, rowOf(i + 1));
    await users.load(['ann']);
    expect(users.row('ann')).toEqual(rowOf(6));
  }
  expect(reads).toBe(0);
  expect([users.row('user-0'), users.row('user-19')]).toEqual([undefined, rowOf(20)]);
});

test('a user whose row is deleted is not in the cache any more', async () => {
  const users = new Users({ store, cacheBytes: 10_000 });
  users.set(changed('ann', rowOf(6)));
  users.committed();
  users.set(changed('ann', null));
  expect(users.row('ann')).toBeNull();
  users.committed();
  expect(users.row('ann')).toBeUndefined();
});

test('a changed user is never forgotten before its commit', async () => {
  const users = new Users({ store, cacheBytes: 0 });
  users.set(changed('ann', rowOf(9)));
  await users.load(['ann', ...Array.from({ length: 50 }, (_, i) => `user-${i}`)]);
  expect(users.row('ann')).toEqual(rowOf(9));
  expect([users.isChanged('ann'), users.isChanged('user-1'), reads]).toEqual([true, false, 50]);
});
