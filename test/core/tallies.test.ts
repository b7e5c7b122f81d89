import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreakPattern } from '../../src/core/pattern-kinds.ts';
import type { Program } from '../../src/core/program.ts';
import { DAY, HOUR, MINUTE, START, UserLog, journeyOf, programOf } from './support.ts';

const of = (event: { readonly properties: Readonly<Record<string, unknown>> }): string | null => {
  const value = event.properties['of'];
  return typeof value === 'string' ? value : null;
};
const on = { type: 'a', where: null };

function milestones(isReached: (count: number) => boolean, keyed = false): Program {
  const key = keyed ? of : null;
  return programOf({
    tallies: [{ id: 't', of: 'events', on, key }],
    journeys: [journeyOf({ name: 'm', key, pattern: { kind: 'milestone', on, tallyId: 't', isReached } })],
  });
}

function streaks(parts: Partial<StreakPattern>, more: Partial<Program> = {}): Program {
  const pattern: StreakPattern = { kind: 'streak', on, tallyId: 't', isReached: (days) => days === 3, breaksAtMinutes: null, ...parts };
  return programOf({
    ...{ tallies: [{ id: 't', of: 'days', on, key: null }], journeys: [journeyOf({ name: 's', pattern })] },
    ...more,
  });
}

describe('a milestone', () => {
  it('is the event that makes the number, once', () => {
    const log = new UserLog(milestones((count) => count === 1 || count === 3));
    for (let i = 0; i < 5; i++) log.event('a', i * 30 * DAY);
    expect(log.outcomes).toEqual(['m 1 sent', 'm 3 sent']);
    expect(log.decisions[1]?.trigger.offset).toBe(2);
  });

  it('counts what was imported, and starts nothing with it', () => {
    const log = new UserLog(milestones((count) => count % 2 === 0));
    for (let i = 0; i < 3; i++) log.event('a', 0, { at: -300 * DAY, imported: true });
    expect(log.outcomes).toEqual([]);
    log.event('a', 1);
    expect(log.outcomes).toEqual(['m 4 sent']);
  });

  it('counts an event that comes twice once', () => {
    const log = new UserLog(milestones((count) => count === 2));
    log.event('a', 0, { id: 'same' });
    log.event('a', 1, { id: 'same' });
    expect(log.outcomes).toEqual([]);
  });

  it('counts for each value of its key, and tells their messages apart', () => {
    const log = new UserLog(milestones((count) => count === 2, true));
    for (const value of ['x', 'y', 'x', 'y']) log.event('a', 0, { properties: { of: value } });
    expect(log.outcomes).toEqual(['m x#2 sent', 'm y#2 sent']);
  });

  it('forgets at the limit the value that was counted longest ago', () => {
    const program = milestones((count) => count === 2, true);
    const log = new UserLog({ ...program, limits: { ...program.limits, keysPerTracker: 2 } });
    ['x', 'y', 'x', 'z', 'y'].forEach((value, i) => log.event('a', i, { properties: { of: value } }));
    expect(log.outcomes).toEqual(['m x#2 sent']);
    const numbers = new UserLog({ ...program, limits: { ...program.limits, keysPerTracker: 2 } });
    ['7', '5', '9', '5'].forEach((value, i) => numbers.event('a', i, { properties: { of: value } }));
    expect(numbers.outcomes).toEqual(['m 5#2 sent']);
    const one = new UserLog({ ...program, limits: { ...program.limits, keysPerTracker: 1 } });
    ['7', '5', '9', '9'].forEach((value, i) => one.event('a', i, { properties: { of: value } }));
    expect(one.outcomes).toEqual(['m 9#2 sent']);
    expect(Object.keys(one.state.tallies['t']!)).toEqual(['9']);
  });
});

describe('a streak', () => {
  it('is so many days in a row, whenever on each day', () => {
    const log = new UserLog(streaks({}));
    log.event('a', 0);
    log.event('a', HOUR);
    log.event('a', DAY + 10 * HOUR);
    expect(log.outcomes).toEqual([]);
    log.event('a', 2 * DAY - HOUR);
    log.event('a', 2 * DAY);
    log.event('a', 2 * DAY + 1);
    expect(log.outcomes).toEqual(['s 20241+3 sent']);
    log.event('a', 4 * DAY);
    log.event('a', 5 * DAY);
    log.event('a', 6 * DAY);
    expect(log.outcomes).toHaveLength(2);
  });

  it('is made whole by a day that was late, and told of once', () => {
    const log = new UserLog(streaks({}));
    log.event('a', 0);
    log.event('a', 2 * DAY);
    log.event('a', 2 * DAY + HOUR, { at: DAY + 12 * HOUR });
    expect(log.outcomes).toHaveLength(1);
    // Four days now, of which three were told of.
    log.event('a', 3 * DAY);
    expect(log.outcomes).toHaveLength(1);
  });

  it('that two parts make longer than asked for is told of all the same', () => {
    const joined = new UserLog({ ...streaks({}), maxEventAgeMs: 10 * DAY });
    for (const day of [0, 1, 3, 4]) joined.event('a', day * DAY);
    joined.event('a', 4 * DAY + HOUR, { at: 2 * DAY + HOUR });
    expect(joined.outcomes).toEqual(['s 20241+3 sent']);
  });

  it('goes by the days where the user is, also when clocks are changed', () => {
    // 30 March 2025 has 23 hours in Berlin. Just before and just after midnight, three days in a row.
    const program = { ...streaks({}), timeZone: 'Europe/Berlin', maxEventAgeMs: 400 * DAY };
    const at = (text: string): number => Date.parse(text) - START;
    const whole = new UserLog(program);
    for (const text of ['2025-03-29T23:30:00+01:00', '2025-03-30T23:30:00+02:00', '2025-03-31T00:30:00+02:00'])
      whole.event('a', 0, { at: at(text) });
    expect(whole.outcomes).toHaveLength(1);
    const gap = new UserLog(program);
    for (const text of ['2025-03-29T22:30:00Z', '2025-03-30T21:59:00Z', '2025-03-31T22:00:00Z']) gap.event('a', 0, { at: at(text) });
    expect(gap.outcomes).toEqual([]);
  });

  it('that is about to break is told of on the day behind it, if that has none yet', () => {
    const program = { ...streaks({ isReached: (days) => days >= 2, breaksAtMinutes: 19 * 60 }), timeZone: 'Europe/Berlin' };
    const log = new UserLog(program);
    log.event('a', 0);
    log.event('a', DAY);
    const evening = Date.parse('2025-06-04T19:00:00+02:00') - START;
    log.tick(evening - 1);
    expect(log.outcomes).toEqual([]);
    log.tick(evening);
    expect(log.outcomes).toEqual(['s 20241+2 sent']);

    const kept = new UserLog(program);
    kept.event('a', 0);
    kept.event('a', DAY);
    kept.event('a', 2 * DAY + MINUTE);
    kept.tick(evening);
    expect(kept.outcomes).toEqual([]);
    kept.tick(evening + DAY);
    expect(kept.outcomes).toEqual(['s 20241+3 sent']);
  });

  it('is about to break in the evening of where the user is then', () => {
    const log = new UserLog(streaks({ isReached: (days) => days >= 1, breaksAtMinutes: 19 * 60 }));
    log.event('a', 0);
    log.event('$profile', 1, { properties: { zone: 'America/New_York' } });
    const evening = Date.parse('2025-06-03T19:00:00-04:00') - START;
    log.tick(evening - 1);
    expect(log.outcomes).toEqual([]);
    log.tick(evening);
    expect(log.outcomes).toHaveLength(1);
  });

  it('is not about to break where an import has its next day', () => {
    const log = new UserLog(streaks({ isReached: (days) => days >= 1, breaksAtMinutes: 19 * 60 }));
    log.event('a', 0);
    log.event('a', DAY + HOUR, { at: DAY, imported: true });
    log.tick(3 * DAY);
    expect(log.outcomes).toEqual([]);
  });

  it('equals its definition, in whatever order days come', () => {
    const days = fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 9 });
    fc.assert(
      fc.property(days, fc.integer({ min: 2, max: 4 }), (order, length) => {
        const log = new UserLog({ ...streaks({ isReached: (n) => n >= length }), maxEventAgeMs: 400 * DAY });
        for (const day of order) log.event('a', 20 * DAY, { at: day * DAY + HOUR });
        const runs: [number, number][] = [];
        for (const day of order.toSorted((a, b) => a - b)) {
          const last = runs.at(-1);
          if (last !== undefined && last[1] === day - 1) last[1] = day;
          else runs.push([day, day]);
        }
        const kept = log.state.tallies['t']?.[''] ?? [];
        // The latest four are kept; a bridge to one that was forgotten cannot be seen.
        if (runs.length <= 4 && order.length <= 4) expect(kept).toEqual(runs.flat().map((day) => day + Math.floor(START / DAY)));
        expect(kept.length).toBeLessThanOrEqual(8);
      }),
    );
  });
});
