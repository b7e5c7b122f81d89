import { beforeEach, expect, test } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import type { UserState } from '../../src/core/state.ts';
import { emptyState, NO_EFFECTS } from '../../src/core/step.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { Overlay } from '../../src/processor/overlay.ts';
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
    cachedUsers: 10,
    rowGrowth: () => 0,
  });
});

async function becomes(state: UserState): Promise<void> {
  overlay.event(RECORD, await overlay.users.loaded(state.userId), () => ({ state, effects: NO_EFFECTS }));
}

async function next(): Promise<number | undefined> {
  await overlay.timers.load();
  return overlay.timers.pop()?.dueMs;
}

test('a timer that fired can be armed again for the same moment', async () => {
  await overlay.timers.load();
  await becomes(waking('ann', 100));
  const timer = overlay.timers.pop()!;
  overlay.timer(RECORD, await overlay.users.loaded('ann'), timer, () => ({ state: waking('ann', null), effects: NO_EFFECTS }));
  await becomes(waking('ann', 100));
  expect(await next()).toBe(100);
});

test('a timer that was moved before the index was read is read once, where it is now', async () => {
  await store.write([
    { table: USER_TABLE, key: Buffer.from('ann'), value: encodeUserState(waking('ann', 100)) },
    ...indexOps('ann', { removed: [], added: [{ id: 'tidy', dueMs: 100 }] }),
  ]);
  await becomes(waking('ann', 200));
  expect([await next(), await next()]).toEqual([200, undefined]);
});

test('a step whose timer cannot be kept leaves nothing but its dead letter', async () => {
  const step = { state: waking('ann', 0.5), effects: { ...NO_EFFECTS, lateSuppressions: 1 } };
  overlay.event(RECORD, await overlay.users.loaded('ann'), () => step);
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
  await store.write(indexOps('ann', { removed: [], added: [{ id: 'tidy', dueMs: 100 }] }));
  await store.write([{ table: USER_TABLE, key: Buffer.from('ann'), value: encodeUserState(waking('ann', 100)) }]);
  await overlay.timers.load();
  await becomes(waking('ann', null));
  await becomes(waking('bob', 50));
  overlay.rollback();
  expect([await next(), await next()]).toEqual([100, undefined]);
  expect(overlay.output({ offset: 2, nowMs: 1 }).rows).toEqual([]);
});
