import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LATE_MS } from '../../src/items/items-task.ts';
import { END_TABLE, INTEREST_TABLE } from '../../src/items/tables.ts';
import { ItemsTaskRig, T0, type Trouble } from './task-rig.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const users = (count: number): string[] => Array.from({ length: count }, (_, i) => `user-${String(i).padStart(3, '0')}`);

async function rigOf(maxRecords = 10): Promise<ItemsTaskRig> {
  const rig = new ItemsTaskRig(maxRecords);
  await rig.start();
  return rig;
}

describe('a change of an item', () => {
  test('is told to those who are interested then: neither to those of before, nor of later, nor of other items', async () => {
    const rig = await rigOf();
    rig.interest('lamp', 'ann', T0 + DAY, T0);
    rig.interest('lamp', 'bob', T0 + DAY, T0);
    rig.interest('lamp', 'bob', 0, T0 + 1);
    rig.interest('lamp', 'cid', T0 + 2, T0 + 1);
    rig.interest('lampshade', 'dora', T0 + DAY, T0 + 1);
    rig.change('lamp', 'drop', T0 + 2, T0 + 2);
    rig.interest('lamp', 'eve', T0 + DAY, T0 + 3);
    await rig.run([100]);
    expect(rig.lines).toEqual(['ann drop']);
    expect(rig.told[0]).toMatchObject({
      ...{ eventId: 'drop', userId: 'ann', itemId: 'lamp', type: 'price_changed', occurredAt: T0 + 2, appendedAt: T0 + 2 },
      ...{ partition: 0, offset: 5, properties: { price: 1 } },
    });
  });

  test('did not happen after the broker had it', async () => {
    const rig = await rigOf();
    rig.interest('lamp', 'ann', T0 + HOUR, T0);
    rig.change('lamp', 'drop', T0 + 10 * HOUR, T0 + 5);
    await rig.run([100]);
    expect(rig.told).toEqual([expect.objectContaining({ occurredAt: T0 + 5 })]);
  });

  test('that is appended late still finds those who were interested when it happened, for an hour', async () => {
    const rig = await rigOf();
    rig.interest('lamp', 'ann', T0 + HOUR, T0);
    rig.change('lamp', 'late', T0 + HOUR - 1, T0 + HOUR + LATE_MS - 1);
    rig.change('lamp', 'later', T0 + HOUR - 1, T0 + HOUR + LATE_MS);
    await rig.run([100]);
    expect(rig.lines).toEqual(['ann late']);
  });

  test('is told in transactions of bounded size, in the order of changes for each user', async () => {
    const rig = await rigOf(10);
    for (const user of users(47)) rig.interest('lamp', user, T0 + DAY, T0);
    rig.change('lamp', 'first', T0, T0);
    rig.change('lamp', 'second', T0, T0);
    await rig.run([1000]);
    expect(rig.lines).toEqual([...users(47).map((user) => `${user} first`), ...users(47).map((user) => `${user} second`)]);
    expect(Math.max(...rig.transactions.map(({ length }) => length))).toBe(10);
  });

  test('of a large event is told in transactions of fewer', async () => {
    const rig = await rigOf(5_000);
    for (const user of users(300)) rig.interest('lamp', user, T0 + DAY, T0);
    rig.change('lamp', 'e'.repeat(200_000), T0, T0);
    await rig.run([1000]);
    expect(rig.told).toHaveLength(300);
    for (const records of rig.transactions)
      expect(records.reduce((sum, { value }) => sum + value!.length, 0)).toBeLessThanOrEqual(16 * 1024 * 1024);
  });
});

describe('whoever comes back in the middle of a change', () => {
  test.each<['kept' | 'empty', Trouble]>([
    ['kept', 'lost'],
    ['kept', 'unheard'],
    ['kept', 'stop'],
    ['empty', 'lost'],
    ['empty', 'unheard'],
    ['empty', 'stop'],
  ])('on a disk that is %s, after a commit (%s), goes on behind those who were told', async (disk, trouble) => {
    const rig = await rigOf(10);
    for (const user of users(47)) rig.interest('lamp', user, T0 + DAY, T0);
    rig.change('lamp', 'first', T0, T0);
    // The second change finds another set, and what was told of the first is no matter to it.
    rig.interest('lamp', users(47)[20]!, 0, T0);
    rig.change('lamp', 'second', T0, T0);
    for (const commit of [1, 2, 4, 6, 9, 10]) rig.trouble.set(commit, trouble);
    await rig.run([1000], { disk });
    const others = users(47).filter((_, i) => i !== 20);
    expect(rig.lines).toEqual([...users(47).map((user) => `${user} first`), ...others.map((user) => `${user} second`)]);
  });
});

describe('interest', () => {
  test('that is over is deleted in batches, by the time of the log alone, and an item that never changes leaves nothing', async () => {
    const rig = await rigOf(10);
    for (const user of users(25)) rig.interest('lamp', user, T0 + HOUR, T0);
    rig.interest('vase', 'ann', T0 + DAY, T0 + HOUR + LATE_MS - 1);
    await rig.run([1000]);
    expect(await rig.wake()).toBe(false);
    rig.interest('vase', 'bob', T0 + DAY, T0 + HOUR + LATE_MS);
    await rig.run([1000]);
    for (const left of [17, 7, 2]) {
      expect(await rig.wake()).toBe(true);
      expect([await rig.rows(INTEREST_TABLE), await rig.rows(END_TABLE)]).toEqual([left, left]);
    }
    expect(await rig.wake()).toBe(false);
    rig.change('nothing', 'x', T0, T0 + 2 * DAY);
    await rig.run([1000]);
    while (await rig.wake());
    expect([await rig.rows(INTEREST_TABLE), await rig.rows(END_TABLE)]).toEqual([0, 0]);
  });

  test('a later one takes the place of the earlier, and one that is over already leaves nothing', async () => {
    const rig = await rigOf();
    rig.interest('lamp', 'ann', T0 + DAY, T0);
    rig.interest('lamp', 'ann', T0 + 2 * DAY, T0);
    rig.interest('lamp', 'bob', T0 - LATE_MS, T0);
    rig.interest('vase', 'ann', T0 + DAY, T0);
    rig.interest('vase', 'ann', T0 - DAY, T0);
    await rig.run([2, 1]);
    expect([await rig.rows(INTEREST_TABLE), await rig.rows(END_TABLE)]).toEqual([1, 1]);
    rig.change('lamp', 'drop', T0 + DAY, T0 + DAY);
    await rig.run([1]);
    expect(rig.lines).toEqual(['ann drop']);
  });
});

/** Whom each change has to be told to, as slowly and plainly as it can be said. */
interface Step {
  readonly item: string;
  readonly user: string | null;
  /** Of an interest: until, from now; of a change: how long ago it happened. */
  readonly ms: number;
  readonly passMs: number;
}

function expectedOf(steps: readonly Step[]): string[] {
  const lines: string[] = [];
  const until = new Map<string, Map<string, number>>();
  let nowMs = T0;
  for (const [i, { item, user, ms, passMs }] of steps.entries()) {
    nowMs += passMs;
    const of = until.get(item) ?? new Map<string, number>();
    until.set(item, of);
    if (user !== null) of.set(user, nowMs + ms);
    else
      for (const [who, untilMs] of of) if (untilMs > nowMs - Math.max(0, ms) && untilMs + LATE_MS > nowMs) lines.push(`${who} change-${i}`);
  }
  return lines;
}

const byUser = (lines: readonly string[]) => Map.groupBy(lines, (line) => line.split(' ')[0]!);

describe('whatever happens', () => {
  const step = fc.record<Step>({
    item: fc.constantFrom('lamp', 'vase'),
    user: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...users(9)) }, { weight: 1, arbitrary: fc.constant(null) }),
    ms: fc.constantFrom(0, 1, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR, -HOUR, -2 * HOUR),
    passMs: fc.constantFrom(0, 0, 0, 1, HOUR / 2, HOUR),
  });

  test('each user is told of the same changes in the same order, once, and no transaction is too large', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 80 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(80), fc.constantFrom<Trouble>('lost', 'unheard', 'stop')), { maxLength: 40 }),
        fc.constantFrom<'kept' | 'empty'>('kept', 'empty'),
        fc.boolean(),
        async (steps, sizes, trouble, disk, wakes) => {
          const rig = await rigOf(2);
          let nowMs = T0;
          for (const [i, { item, user, ms, passMs }] of steps.entries()) {
            nowMs += passMs;
            if (user !== null) rig.interest(item, user, nowMs + ms, nowMs);
            else rig.change(item, `change-${i}`, nowMs - ms, nowMs);
          }
          for (const [commit, kind] of trouble) rig.trouble.set(commit, kind);
          await rig.run(sizes, { wakes, disk });
          expect(byUser(rig.lines)).toEqual(byUser(expectedOf(steps)));
          for (const records of rig.transactions) expect(records.length).toBeLessThanOrEqual(2);
          expect(await rig.rows(END_TABLE)).toBe(await rig.rows(INTEREST_TABLE));
        },
      ),
      { numRuns: 300 },
    );
  });
});
