import { beforeEach, expect, test } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import type { Timer, UserState } from '../../src/core/state.ts';
import { emptyState, NO_EFFECTS } from '../../src/core/step.ts';
import { TIDY_TIMER } from '../../src/core/timers.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { Overlay, type User } from '../../src/processor/overlay.ts';
import { RowError } from '../../src/processor/rows.ts';
import { indexOps, TIMER_TABLE } from '../../src/processor/timer-index.ts';
import { USER_TABLE } from '../../src/processor/users.ts';
import { encodeUserState } from '../../src/processor/user-state-codec.ts';

const RECORD = { offset: 1, timestampMs: 1, key: null, value: null };
const waking = (userId: string, tidyAtMs: number | null): UserState => ({ ...emptyState(userId), lastEventMs: 1, tidyAtMs });

let store: PartitionStore;
let overlay: Overlay;

beforeEach(async () => {
  store = await createMemoryStore({ tables: [USER_TABLE, TIMER_TABLE] }).open(0);
  const source = { topic: 'lull.timeline', partition: 0 };
  overlay = new Overlay({
    codec: createCodec(),
    topics: topicNames('lull'),
    store,
    source,
    partitions: 1,
    cacheBytes: 10_000,
  });
});

async function opened(userId: string): Promise<User> {
  return overlay.open(userId) ?? (await overlay.load(userId, []));
}

async function becomes(state: UserState): Promise<void> {
  const user = await opened(state.userId);
  overlay.event(RECORD, user, 100, () => ({ state, effects: NO_EFFECTS }));
  overlay.close(user);
}

async function fires(userId: string, timer: Timer, state: UserState): Promise<void> {
  const user = await opened(userId);
  overlay.timer(RECORD, user, timer, 0, () => ({ state, effects: NO_EFFECTS }));
  overlay.close(user);
}

const TIDY = (dueMs: number): Timer => ({ dueMs, id: TIDY_TIMER });

async function next(): Promise<number | undefined> {
  await overlay.timers.load();
  const first = overlay.timers.peek();
  if (first !== undefined) overlay.timers.move(first.userId, null);
  return first?.dueMs;
}

test('a timer that fired can be armed again for the same moment', async () => {
  await overlay.timers.load();
  await becomes(waking('ann', 100));
  await fires('ann', TIDY(100), waking('ann', null));
  expect(overlay.timers.peek()).toBeUndefined();
  await becomes(waking('ann', 100));
  expect(await next()).toBe(100);
});

test('a timer that has fired and is still armed is disarmed with its dead letter, and fires no more', async () => {
  await overlay.timers.load();
  await becomes(waking('ann', 100));
  await fires('ann', TIDY(100), { ...waking('ann', 100), lastEventMs: 2 });
  expect(overlay.timers.peek()).toBeUndefined();
  expect(overlay.output({ offset: 2, nowMs: 1 }).records.map(({ headers }) => headers?.['lull-reason']?.toString())).toEqual([
    'timer_step_failed',
  ]);
});

test('a row that cannot be kept shows when its user is closed, and the second time only its step is refused', async () => {
  const state = { ...waking('ann', 100), lastEventMs: 0.5 };
  await expect(becomes(state)).rejects.toThrow(RowError);
  overlay.rollback();
  overlay.careful = true;
  await becomes(state);
  await becomes(waking('bob', 100));
  const output = overlay.output({ offset: 2, nowMs: 1 });
  expect(output.rows.map(({ key }) => key.toString())).toEqual(['bob']);
  expect(output.records.map(({ headers }) => headers?.['lull-reason']?.toString())).toEqual(['step_failed']);
});

test('a transaction is full at so many bytes, of rows as of records', async () => {
  const record = { ...RECORD, value: Buffer.alloc(1024 * 1024) };
  for (let i = 0; i < 15; i++) overlay.refuse(record, { reason: 'large', detail: '' });
  expect(overlay.fill).toBeLessThan(1);
  const large = (bytes: number): void =>
    overlay.users.set({ userId: 'ann', key: Buffer.from('ann'), row: Buffer.alloc(bytes), dueBeforeMs: null, dueMs: null });
  large(1024 * 1024);
  expect(overlay.fill).toBeGreaterThanOrEqual(1);
  large(1024);
  expect(overlay.fill).toBeLessThan(1);
  large(1024 * 1024);
  overlay.committed();
  expect(overlay.fill).toBeLessThan(1);
});

test('a timer that was moved before the index was read is read once, where it is now', async () => {
  await store.write([
    { table: USER_TABLE, key: Buffer.from('ann'), value: encodeUserState(waking('ann', 100)) },
    ...indexOps('ann', null, 100),
  ]);
  await becomes(waking('ann', 200));
  expect([await next(), await next()]).toEqual([200, undefined]);
});

test('a step whose timer cannot be kept leaves nothing but its dead letter', async () => {
  const step = { state: waking('ann', 0.5), effects: { ...NO_EFFECTS, lateSuppressions: 1 } };
  const user = await opened('ann');
  overlay.event(RECORD, user, 100, () => step);
  overlay.close(user);
  const output = overlay.output({ offset: 2, nowMs: 1 });
  expect(output.rows).toEqual([]);
  expect(output.records.map(({ topic, headers }) => [topic, headers?.['lull-reason']?.toString()])).toEqual([
    ['lull.dead-letters', 'step_failed'],
  ]);
  const said: string[] = [];
  const observer = {
    ...silentProcessorObserver,
    lateSuppressions: () => said.push('late'),
    deadLetter: (reason: string) => said.push(reason),
  };
  overlay.tally.report(observer, 1);
  expect(said).toEqual(['step_failed']);
  expect(await next()).toBeUndefined();
});

test('a rollback leaves what is committed', async () => {
  await store.write(indexOps('ann', null, 100));
  await store.write([{ table: USER_TABLE, key: Buffer.from('ann'), value: encodeUserState(waking('ann', 100)) }]);
  await overlay.timers.load();
  await becomes(waking('ann', null));
  await becomes(waking('bob', 50));
  overlay.rollback();
  expect([await next(), await next()]).toEqual([100, undefined]);
  expect(overlay.output({ offset: 2, nowMs: 1 }).rows).toEqual([]);
});

test('a user who was taken out of the queue is back in it when their turn is over', async () => {
  await overlay.timers.load();
  await becomes(waking('ann', 100));
  overlay.take('ann');
  expect(overlay.timers.peek()).toBeUndefined();
  overlay.close(await opened('ann'));
  expect(overlay.timers.peek()).toMatchObject({ userId: 'ann', dueMs: 100 });
});
