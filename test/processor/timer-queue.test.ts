import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareDue, dueKey, parseDueKey, type DueUser } from '../../src/processor/timer-index.ts';
import { TimerQueue, type LoadDue } from '../../src/processor/timer-queue.ts';

/** An index that answers as the store and the overlay together do. */
function indexOf(model: ReadonlyMap<string, number>): LoadDue {
  return (from, limit) => {
    const behind = sorted(model).filter((user) => from === null || compareDue(user, from) > 0);
    const page = behind.slice(0, limit);
    return Promise.resolve({ users: page, last: page.length < limit ? null : (page.at(-1) ?? null) });
  };
}

function sorted(model: ReadonlyMap<string, number>): DueUser[] {
  return [...model].map(([userId, dueMs]) => ({ userId, dueMs })).sort(compareDue);
}

const step = fc.oneof(
  fc.record({
    do: fc.constant('move' as const),
    user: fc.integer({ min: 0, max: 20 }),
    dueMs: fc.option(fc.integer({ min: 0, max: 50 }), { freq: 4 }),
  }),
  fc.record({ do: fc.constant('take' as const) }),
);

describe('the timer queue', () => {
  test('gives, over any moving and firing and in bounded memory, what a sorted list gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), fc.integer({ min: 4, max: 16 }), async (steps, max) => {
        const model = new Map<string, number>();
        const queue = new TimerQueue(indexOf(model), max, 3);
        const take = async (): Promise<boolean> => {
          await queue.load();
          const [expected] = sorted(model);
          const next = queue.peek();
          expect(next && [next.userId, next.dueMs]).toEqual(expected && [expected.userId, expected.dueMs]);
          if (next === undefined) return false;
          model.delete(next.userId);
          queue.move(next.userId, null);
          return true;
        };
        for (const action of steps) {
          if (action.do === 'take') {
            await take();
            continue;
          }
          const userId = `u${action.user}`;
          if (action.dueMs === null) model.delete(userId);
          else model.set(userId, action.dueMs);
          queue.move(userId, action.dueMs);
        }
        while (await take());
        expect(model.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('looks ahead without taking', async () => {
    const queue = new TimerQueue(indexOf(new Map([3, 1, 2, 9].map((dueMs) => [`u${dueMs}`, dueMs]))));
    await queue.load();
    expect(queue.ahead(5, 10).map(({ dueMs }) => dueMs)).toEqual([1, 2, 3]);
    expect(queue.peek()?.dueMs).toBe(1);
  });
});

describe('the order of users whose timers are due', () => {
  const user = fc.record({ userId: fc.string({ unit: 'binary', maxLength: 4 }), dueMs: fc.integer({ min: 0, max: 3 }) });

  test('is the byte order of their keys, whatever the ids', () => {
    fc.assert(
      fc.property(user, user, (a, b) => {
        expect(Math.sign(compareDue(a, b))).toBe(Buffer.compare(dueKey(a), dueKey(b)));
        expect(parseDueKey(dueKey(a))).toEqual(a);
      }),
    );
    const [high, pair] = ['\uffff', '\u{10000}'].map((userId) => ({ userId, dueMs: 1 })) as [DueUser, DueUser];
    expect(compareDue(high, pair)).toBeLessThan(0);
  });
});
