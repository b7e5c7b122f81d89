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
  await store.write([{ table: USER_TABLE, key: Buffer.from('ann'), value: encodeUserState(at('ann', 5)) }]);
});

const at = (userId: string, lastEventMs: number) => ({ ...emptyState(userId), lastEventMs });

test('a user is what the store has, until it is changed, until that is rolled back', async () => {
  const users = new Users(store, 10);
  await users.load(['ann', 'bob']);
  expect([users.get('ann').lastEventMs, users.get('bob').lastEventMs]).toEqual([5, 0]);
  users.set('ann', at('ann', 6));
  users.set('ann', at('ann', 7));
  expect([...users.changed()].map(([userId, { before, after }]) => [userId, before.lastEventMs, after.lastEventMs])).toEqual([
    ['ann', 5, 7],
  ]);
  users.rollback();
  expect([users.get('ann').lastEventMs, users.isDirty('ann')]).toEqual([5, false]);
});

test('what is committed is kept for those who come again, and others are forgotten in bounded time', async () => {
  const users = new Users(store, 4);
  await users.load(['ann']);
  users.set('ann', at('ann', 6));
  users.committed();
  for (let i = 0; i < 20; i++) {
    await users.load([`user-${i}`, 'ann']);
    expect(users.get('ann').lastEventMs).toBe(6);
    users.committed();
  }
  expect(reads).toBe(21);
  expect(users.has('user-0')).toBe(false);
  expect(users.has('user-19')).toBe(true);
});

test('a changed user is never forgotten before its commit', async () => {
  const users = new Users(store, 2);
  await users.load(['ann']);
  users.set('ann', at('ann', 9));
  await users.load(Array.from({ length: 50 }, (_, i) => `user-${i}`));
  expect(users.get('ann').lastEventMs).toBe(9);
});
