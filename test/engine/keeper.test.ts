import { expect, test } from 'vitest';
import { Keeper } from '../../src/engine/keeper.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import type { Clock } from '../../src/engine/stage.ts';

/** How long a keeper waits after each of these tasks, which all fail; true: it had committed something. */
async function pauses(tasks: readonly boolean[]): Promise<number[]> {
  const waited: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    at: (ms, callback) => {
      waited.push(ms);
      const soon = setImmediate(callback);
      return () => clearImmediate(soon);
    },
  };
  const left = [...tasks];
  const keeper = new Keeper(
    {
      ...{ stageName: 'test', partition: 0, groupId: 'g', clock, observer: silentObserver, drainMs: 0 },
      createTask: () => {
        const hasCommitted = left.shift();
        const done = Promise.resolve(
          hasCommitted === undefined ? ({ kind: 'finished' } as const) : ({ kind: 'failed', error: new Error('no answer') } as const),
        );
        return { done, hasCommitted: hasCommitted === true, stop: () => done, abandon: () => done };
      },
      isMember: () => true,
      onFatal: (error) => expect.unreachable(error.message),
    },
    Promise.resolve(),
  );
  expect(await keeper.done).toBe(true);
  return waited;
}

test('a partition whose tasks fail is tried again later and later, but never so late that an outage lasts much longer for it than it did', async () => {
  expect(await pauses([false, false, false, false, false, false])).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
});

test('a task that got on makes the next one start soon, however many failed before', async () => {
  expect(await pauses([false, false, false, true, false, true])).toEqual([500, 1_000, 2_000, 500, 1_000, 500]);
});
