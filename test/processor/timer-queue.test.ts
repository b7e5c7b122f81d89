import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareTimers, timerKey, type UserTimer } from '../../src/processor/timer-index.ts';
import { TimerQueue, type LoadTimers } from '../../src/processor/timer-queue.ts';

const mark = (timer: UserTimer): string => timerKey(timer).toString('latin1');

/** An index that answers as the store and the overlay together do. */
function indexOf(timers: Map<string, UserTimer>): LoadTimers {
  return (from, limit) => {
    const sorted = [...timers.values()].sort(compareTimers).filter((timer) => from === null || compareTimers(timer, from) > 0);
    const page = sorted.slice(0, limit);
    return Promise.resolve({ timers: page, last: page.length < limit ? null : (page.at(-1) ?? null) });
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
        const model = new Map<string, UserTimer>();
        const queue = new TimerQueue(indexOf(model), max, 3);
        for (const action of steps) {
          if (action.do === 'arm') {
            const timer = { userId: `u${action.user}`, dueMs: action.dueMs, id: 't' };
            if (model.has(mark(timer))) continue;
            model.set(mark(timer), timer);
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
            expect(got && mark(got)).toBe(expected && mark(expected));
            if (got !== undefined) model.delete(mark(got));
          }
        }
        const rest: string[] = [];
        for (;;) {
          await queue.load();
          const timer = queue.pop();
          if (timer === undefined) break;
          model.delete(mark(timer));
          rest.push(mark(timer));
        }
        expect(model.size).toBe(0);
        expect(rest).toEqual([...rest].sort());
      }),
      { numRuns: 300 },
    );
  });

  test('looks ahead without taking', async () => {
    const timers = [3, 1, 2, 9].map((dueMs) => ({ userId: 'u', dueMs, id: String(dueMs) }));
    const queue = new TimerQueue(indexOf(new Map(timers.map((timer) => [mark(timer), timer]))));
    await queue.load();
    expect(queue.ahead(5, 10).map((timer) => timer.dueMs)).toEqual([1, 2, 3]);
    expect(queue.pop()?.dueMs).toBe(1);
  });
});

describe('the order of timers', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4 });
  const timer = fc.record({ userId: text, dueMs: fc.integer({ min: 0, max: 3 }), id: text });

  test('is the byte order of their keys, whatever the ids', () => {
    fc.assert(
      fc.property(timer, timer, (a, b) => {
        expect(Math.sign(compareTimers(a, b))).toBe(Buffer.compare(timerKey(a), timerKey(b)));
      }),
    );
    const [high, pair] = ['\uffff', '\u{10000}'].map((userId) => ({ userId, dueMs: 1, id: 't' })) as [UserTimer, UserTimer];
    expect(compareTimers(high, pair)).toBeLessThan(0);
  });
});
