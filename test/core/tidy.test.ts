import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyState, isEmpty } from '../../src/core/step.ts';
import { TIDY_TIMER, timersOf } from '../../src/core/timers.ts';
import { everything, timelines } from './everything.ts';
import { DAY, HOUR, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

describe('a user who never returns', () => {
  it('keeps the timer of a date that comes again every year: it hangs on an attribute, which lasts as well', () => {
    const log = new UserLog(everything);
    log.event('$profile', 0, { properties: { ends: START - 400 * DAY }, imported: true });
    for (let year = 0; year < 3; year++) log.tick(log.nextTimer()!.dueMs - START);
    expect(log.state.matches.map(({ journey }) => journey)).toEqual(['yearly']);
    log.event('$profile', log.nowMs - START, { properties: { ends: null } });
    expect(log.state.matches).toEqual([]);
  });

  it('keeps nothing else for such a date, and nothing from before the last one speaks against the next', () => {
    const pattern = { kind: 'date', attribute: 'born', offsetMs: 0, atMinutes: null, yearly: true } as const;
    const cancelOn = [{ trackerId: 't', label: 'came', goal: true }];
    const log = new UserLog(programOf({ trackers: [trackerOf('t', ['a'])], journeys: [journeyOf({ name: 'j', pattern, cancelOn })] }));
    log.event('$profile', 0, { properties: { born: START - 10 * 365 * DAY } });
    log.event('a', 1);
    const reasons = [];
    for (let year = 1; year <= 3; year++) {
      log.tick(year * 366 * DAY);
      reasons.push(log.decisions.at(-1)?.reason);
    }
    expect(reasons).toEqual(['goal', 'sent', 'sent']);
    for (const day of [1_110, 1_120]) log.tick(day * DAY);
    expect(timersOf(log.state).map(({ id }) => id)).toEqual(['match/j/']);
    expect(log.state.trackers).toEqual({});
  });

  it('leaves no window, no partial match and no timer, whatever was noticed and whatever kind it was', () => {
    const program = { ...everything, journeys: everything.journeys.filter(({ name }) => name !== 'yearly') };
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(program);
        for (const entry of timeline)
          if (entry.kind === 'tick') log.tick(entry.appendedAt);
          else log.event(entry.type, entry.appendedAt, entry.parts);
        log.fired = 0;
        for (let next = log.nextTimer(); next !== null; next = log.nextTimer()) {
          log.tick(Math.max(next.dueMs, log.nowMs) - START);
          expect(log.fired).toBeLessThan(60);
        }
        const { session, matches, trackers, ledger, recentEventIds, tidyAtMs, entries } = log.state;
        expect({ session, matches, trackers, ledger, recentEventIds, tidyAtMs }).toEqual({
          session: null,
          matches: [],
          trackers: {},
          ledger: [],
          recentEventIds: [],
          tidyAtMs: null,
        });
        // Only what was entered once and for all is kept.
        expect(Object.keys(entries).filter((name) => !name.startsWith('stuck/'))).toEqual([]);
        expect(log.nowMs - START).toBeLessThan((timeline.at(-1)?.appendedAt ?? 0) + 20 * DAY);
      }),
      { numRuns: 500 },
    );
  });

  it('of whom nothing lasting was known leaves nothing at all', () => {
    const log = new UserLog(programOf({}));
    expect(isEmpty(emptyState('user'))).toBe(true);
    log.event('unheard', 0);
    expect(isEmpty(log.state)).toBe(false);
    log.tick(DAY);
    expect(isEmpty(log.state)).toBe(true);
  });

  it('keeps profile, devices, consent, re-entry marks and lifetime counts', () => {
    const log = new UserLog(
      programOf({
        journeys: [journeyOf({ name: 'j', pattern: { kind: 'event', on: { type: 'a', where: null } }, reentry: { kind: 'once' } })],
      }),
    );
    log.event('$profile', 0, { properties: { plan: 'pro' } });
    log.event('$device_added', 0, { properties: { deviceId: 'd', kind: 'fcm', value: 't' } });
    log.event('$consent', 0, { properties: { category: 'offers', state: 'out' } });
    log.event('a', 0);
    log.tick(300 * DAY);
    expect(timersOf(log.state)).toEqual([]);
    expect(log.state).toMatchObject({
      profile: { plan: 'pro' },
      devices: [{ deviceId: 'd' }],
      entries: { j: START },
      lifetime: { sessions: 1 },
    });
    expect(Object.keys(log.state.consent)).toEqual(['offers']);
    expect(isEmpty(log.state)).toBe(false);
  });
});

describe('the tidy timer', () => {
  it('stays where it is while the user is active: one wake per maxEventAge, not one per event', () => {
    const log = new UserLog(programOf({ trackers: [trackerOf('t', ['*'])] }));
    for (let hour = 0; hour < 72; hour++) {
      log.event('a', hour * HOUR);
      expect(timersOf(log.state).find((timer) => timer.id === TIDY_TIMER)?.dueMs).toBeLessThanOrEqual(log.nowMs + DAY + 1);
    }
    log.fired = 0;
    log.tick(72 * HOUR);
    expect(log.fired).toBeLessThan(8);
  });

  it('forgets trackers that the topology no longer asks for', () => {
    const log = new UserLog(programOf({ trackers: [trackerOf('t', ['a'], { keepMs: 30 * DAY })] }));
    log.event('a', 0);
    log.program = programOf({});
    log.tick(DAY);
    expect(log.state.trackers).toEqual({});
  });

  it('forgets that a journey was entered in a session also where the journey is gone, or has another rule', () => {
    const on = { kind: 'event', on: { type: 'a', where: null } } as const;
    for (const journeys of [
      [],
      [journeyOf({ name: 'j', pattern: on })],
      [journeyOf({ name: 'j', pattern: on, reentry: { kind: 'every', intervalMs: DAY } })],
    ]) {
      const log = new UserLog(programOf({ journeys: [journeyOf({ name: 'j', pattern: on, reentry: { kind: 'session' } })] }));
      log.event('a', 0);
      expect(log.state.entries).toEqual({ j: 1 });
      log.program = programOf({ journeys });
      log.tick(3 * DAY);
      expect(log.state.entries).toEqual({});
    }
  });

  it('is set again where a match fires after everything else was forgotten', () => {
    const pattern = { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 't', withinMs: 10 * DAY } as const;
    const log = new UserLog(programOf({ trackers: [trackerOf('t', ['a'])], journeys: [journeyOf({ name: 'j', pattern })] }));
    log.event('a', 0);
    log.tick(5 * DAY);
    expect(log.state.tidyAtMs).toBeNull();
    log.tick(10 * DAY);
    expect(log.state.ledger).toHaveLength(1);
    log.tick(12 * DAY);
    expect(log.state.ledger).toEqual([]);
    expect(timersOf(log.state)).toEqual([]);
  });

  it('forgets a moment once it is older than it is kept, not before', () => {
    const kept = (log: UserLog): number[] =>
      Object.values(log.state.trackers['t'] ?? {}).flatMap((list) => list.filter((_, i) => i % 2 === 0).map((atMs) => atMs - START));
    const program = programOf({ trackers: [trackerOf('t', ['a'], { keepMs: HOUR })], maxEventAgeMs: HOUR });
    const byEvents = new UserLog(program);
    byEvents.event('a', 0);
    byEvents.event('a', HOUR);
    expect(kept(byEvents)).toEqual([0, HOUR]);
    byEvents.event('a', HOUR, { at: 0 });
    byEvents.event('a', HOUR, { at: -1 });
    expect(kept(byEvents)).toEqual([0, 0, HOUR]);
    byEvents.event('a', HOUR + 1);
    expect(kept(byEvents)).toEqual([HOUR, HOUR + 1]);
    const byTicks = new UserLog(program);
    byTicks.event('a', 0);
    byTicks.tick(HOUR);
    expect(kept(byTicks)).toEqual([0]);
    byTicks.tick(HOUR + 1);
    expect(kept(byTicks)).toEqual([]);
  });

  it('keeps trackers bounded: by moments, and by keys, of which the one longest unseen goes', () => {
    const key = (event: { properties: Readonly<Record<string, unknown>> }): string => String(event.properties['k']);
    const program = programOf({ trackers: [trackerOf('t', ['a'], { key, cap: 2 })] });
    const log = new UserLog({ ...program, limits: { ...program.limits, keysPerTracker: 2 } });
    for (const [i, k] of ['9', '9', '9', '5', '9', '7'].entries()) log.event('a', i, { properties: { k } });
    expect(log.state.trackers).toEqual({
      t: {
        7: [START + 5, 5],
        9: [START + 2, 2, START + 4, 4],
      },
    });
  });
});
