import { beforeEach, expect, test } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import type { Timer, UserState } from '../../src/core/state.ts';
import { emptyState, NO_EFFECTS } from '../../src/core/step.ts';
import { TIDY_TIMER } from '../../src/core/timers.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { Overlay, RowError } from '../../src/processor/overlay.ts';
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
    rowGrowth: () => 0,
  });
});

async function becomes(state: UserState): Promise<void> {
  overlay.event(RECORD, await overlay.users.loaded(state.userId), 100, () => ({ state, effects: NO_EFFECTS }));
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
  overlay.timer(RECORD, await overlay.users.loaded('ann'), TIDY(100), () => ({ state: waking('ann', null), effects: NO_EFFECTS }));
  expect(overlay.timers.peek()).toBeUndefined();
  await becomes(waking('ann', 100));
  expect(await next()).toBe(100);
});

test('a timer that has fired and is still armed is disarmed with its dead letter, and fires no more', async () => {
  await overlay.timers.load();
  await becomes(waking('ann', 100));
  const step = { state: { ...waking('ann', 100), lastEventMs: 2 }, effects: NO_EFFECTS };
  overlay.timer(RECORD, await overlay.users.loaded('ann'), TIDY(100), () => step);
  expect(overlay.timers.peek()).toBeUndefined();
  expect(overlay.output({ offset: 2, nowMs: 1 }).records.map(({ headers }) => headers?.['lull-reason']?.toString())).toEqual([
    'timer_step_failed',
  ]);
});

test('a row that cannot be kept shows at the commit, and the second time only its step is refused', async () => {
  const state = { ...waking('ann', 100), lastEventMs: 0.5 };
  await becomes(state);
  expect(() => overlay.output({ offset: 2, nowMs: 1 })).toThrow(RowError);
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
  expect(overlay.full).toBe(false);
  const user = await overlay.users.loaded('ann');
  overlay.users.encoded(user, Buffer.alloc(1024 * 1024));
  await becomes(waking('ann', 100));
  expect(overlay.full).toBe(true);
  await becomes(waking('ann', 200));
  overlay.committed();
  expect(overlay.full).toBe(false);
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
  overlay.event(RECORD, await overlay.users.loaded('ann'), 100, () => step);
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
