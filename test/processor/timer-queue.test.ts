import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareTimers, indexed, type IndexedTimer } from '../../src/processor/timer-index.ts';
import { TimerQueue, type LoadTimers } from '../../src/processor/timer-queue.ts';

/** An index that answers as the store and the overlay together do. */
function indexOf(timers: Map<string, IndexedTimer>): LoadTimers {
  return (from, limit) => {
    const sorted = [...timers.values()].sort(compareTimers).filter((timer) => from === null || Buffer.compare(timer.key, from) >= 0);
    const page = sorted.slice(0, limit);
    return Promise.resolve({ timers: page, last: page.length < limit ? null : (page.at(-1)?.key ?? null) });
  };
}

const step = fc.oneof(
  fc.record({ do: fc.constant('arm' as const), user: fc.integer({ min: 0, max: 20 }), dueMs: fc.integer({ min: 0, max: 50 }) }),
  fc.record({ do: fc.constant('disarm' as const), pick: fc.nat() }),
  fc.record({ do: fc.constant('pop' as const) }),
);

describe('the timer queue', () => {
  test('gives, over any arming, disarming and firing and in bounded memory, what a sorted list gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), fc.integer({ min: 4, max: 16 }), async (steps, max) => {
        const model = new Map<string, IndexedTimer>();
        const queue = new TimerQueue(indexOf(model), max, 3);
        for (const action of steps) {
          if (action.do === 'arm') {
            const timer = indexed(`u${action.user}`, { dueMs: action.dueMs, id: 't' });
            if (model.has(timer.key.toString('latin1'))) continue;
            model.set(timer.key.toString('latin1'), timer);
            queue.arm(timer);
          } else if (action.do === 'disarm') {
            const [mark, timer] = [...model][action.pick % Math.max(1, model.size)] ?? [];
            if (mark === undefined || timer === undefined) continue;
            model.delete(mark);
            queue.disarm(timer);
          } else {
            await queue.load();
            const expected = [...model.values()].sort(compareTimers)[0];
            const got = queue.pop();
            expect(got?.key.toString('latin1')).toBe(expected?.key.toString('latin1'));
            if (got !== undefined) model.delete(got.key.toString('latin1'));
          }
        }
        const rest: string[] = [];
        for (;;) {
          await queue.load();
          const timer = queue.pop();
          if (timer === undefined) break;
          model.delete(timer.key.toString('latin1'));
          rest.push(timer.key.toString('latin1'));
        }
        expect(model.size).toBe(0);
        expect(rest).toEqual([...rest].sort());
      }),
      { numRuns: 300 },
    );
  });

  test('looks ahead without taking', async () => {
    const timers = [3, 1, 2, 9].map((dueMs) => indexed('u', { dueMs, id: String(dueMs) }));
    const queue = new TimerQueue(indexOf(new Map(timers.map((timer) => [timer.key.toString('latin1'), timer]))));
    await queue.load();
    expect(queue.ahead(5, 10).map((timer) => timer.dueMs)).toEqual([1, 2, 3]);
    expect(queue.pop()?.dueMs).toBe(1);
  });
});
