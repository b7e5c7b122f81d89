import { beforeEach, expect, test } from 'vitest';
import { CHECKPOINT_KEY, encodeCheckpoint, META_TABLE } from '../../src/engine/checkpoint.ts';
import { FORGET_AFTER_MS, LocalState } from '../../src/engine/local-state.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/port.ts';

let store: Store;
let nowMs: number;
const clock = { nowMs: () => nowMs, monotonicMs: () => 0, at: () => () => undefined };

beforeEach(() => {
  store = createMemoryStore({ tables: [META_TABLE, 'rows'] });
  nowMs = 1_000_000_000_000;
});

async function put(partition: number, changelogOffset: number, stateVersion = 1): Promise<void> {
  const one = await store.open(partition);
  await one.write([
    { table: 'rows', key: Buffer.from('k'), value: Buffer.from('v') },
    { table: META_TABLE, key: CHECKPOINT_KEY, value: encodeCheckpoint({ changelogOffset, stateVersion, writtenAtMs: nowMs }) },
  ]);
  await one.close();
}

test('what is on the disk is known by its checkpoints, other than those that this build cannot use', async () => {
  await put(0, 10);
  await put(3, 30);
  await put(5, 50, 2);
  const local = new LocalState(store, 1, clock);
  await local.load();
  expect(Object.fromEntries(local.offsets)).toEqual({ 0: 10, 3: 30 });
  local.stored(0, 11);
  local.stored(3, 0);
  expect(Object.fromEntries(local.offsets)).toEqual({ 0: 11 });
});

test('a partition that was neither owned nor followed for a day is deleted, and no other', async () => {
  await put(0, 10);
  await put(1, 10);
  await put(2, 10);
  const local = new LocalState(store, 1, clock);
  await local.load();
  nowMs += FORGET_AFTER_MS;
  expect(await local.forget(new Set([0]))).toEqual([]);
  local.stored(1, 20);
  nowMs += 1;
  expect(await local.forget(new Set([0]))).toEqual([2]);
  expect(await store.partitions()).toEqual([0, 1]);
  expect(Object.fromEntries(local.offsets)).toEqual({ 0: 10, 1: 20 });
  // Another process has had it since: it is of use again from then on.
  nowMs += FORGET_AFTER_MS + 1;
  expect(await local.forget(new Set([0]))).toEqual([1]);
  expect(await store.partitions()).toEqual([0]);
});
