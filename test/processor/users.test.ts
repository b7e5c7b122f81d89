import { beforeEach, expect, test } from 'vitest';
import type { UserState } from '../../src/core/state.ts';
import { emptyState } from '../../src/core/step.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
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

const stateOf = (users: Users, userId: string) => users.get(userId)?.state.lastEventMs;

test('a user is what the store has, until it is changed, until that is rolled back', async () => {
  const users = new Users({ store, partitions: 4, cacheBytes: 10_000 });
  await users.load(['ann', 'bob', 'ann']);
  expect([stateOf(users, 'ann'), stateOf(users, 'bob'), reads]).toEqual([5, 0, 2]);
  users.set(await users.loaded('ann'), at('ann', 6), 0);
  users.set(await users.loaded('ann'), at('ann', 7), 0);
  expect(users.changed.map(({ userId, before, state }) => [userId, before?.lastEventMs, state.lastEventMs])).toEqual([['ann', 5, 7]]);
  users.rollback();
  expect([(await users.loaded('ann')).state.lastEventMs, users.get('ann')?.before, users.changed]).toEqual([5, null, []]);
});

async function commits(users: Users, state: UserState): Promise<void> {
  const user = await users.loaded(state.userId);
  users.set(user, state, 0);
  users.encoded(user, encodeUserState(state));
  users.committed();
}

test('what is committed is kept for those who come again, and others are forgotten in bounded time', async () => {
  const users = new Users({ store, partitions: 4, cacheBytes: 8 * encodeUserState(at('ann', 6)).length });
  await commits(users, at('ann', 6));
  for (let i = 0; i < 20; i++) {
    await commits(users, at(`user-${i}`, i + 1));
    users.forget();
    expect((await users.loaded('ann')).state.lastEventMs).toBe(6);
  }
  expect(reads).toBe(21);
  expect(users.get('user-0')).toBeUndefined();
  expect(stateOf(users, 'user-19')).toBe(20);
});

test('a user whose row is deleted is not in the cache any more', async () => {
  const users = new Users({ store, partitions: 4, cacheBytes: 10_000 });
  const ann = await users.loaded('ann');
  users.set(ann, emptyState('ann'), 0);
  users.encoded(ann, null);
  users.committed();
  users.forget();
  expect(users.get('ann')).toBeUndefined();
});

test('a changed user is never forgotten before its commit', async () => {
  const users = new Users({ store, partitions: 4, cacheBytes: 0 });
  users.set(await users.loaded('ann'), at('ann', 9), 0);
  await users.load(Array.from({ length: 50 }, (_, i) => `user-${i}`));
  expect(stateOf(users, 'ann')).toBe(9);
  expect([users.isChanged('ann'), users.isChanged('user-1')]).toEqual([true, false]);
});

test('users of a batch are held through its commits, and all forgotten at its end', async () => {
  const users = new Users({ store, partitions: 4, cacheBytes: 0 });
  const before = users.turnOvers;
  await commits(users, at('ann', 9));
  expect([stateOf(users, 'ann'), users.turnOvers]).toEqual([9, before]);
  users.forget();
  expect([users.get('ann'), users.turnOvers]).toEqual([undefined, before + 1]);
});

test('a user knows the partition where its hash belongs', async () => {
  const users = new Users({ store, partitions: 4, cacheBytes: 0 });
  for (const userId of ['ann', 'bob', 'zoë']) expect((await users.loaded(userId)).home).toBe(partitionFor(Buffer.from(userId), 4));
});
