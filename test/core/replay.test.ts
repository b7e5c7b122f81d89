import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { momentCount } from '../../src/core/moments.ts';
import type { UserState } from '../../src/core/state.ts';
import { onTimer } from '../../src/core/step.ts';
import { nextDueMs, nextTimer, timersOf } from '../../src/core/timers.ts';
import { everything, timelines, type Entry } from './everything.ts';
import { UserLog } from './support.ts';

function play(log: UserLog, entries: readonly Entry[]): void {
  for (const entry of entries)
    if (entry.kind === 'tick') log.tick(entry.appendedAt);
    else log.event(entry.type, entry.appendedAt, entry.parts);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

describe('a replay', () => {
  it('of any prefix, and then of the rest from its state, makes the same state and the same output', () => {
    fc.assert(
      fc.property(timelines(), fc.nat(), (timeline, at) => {
        const whole = new UserLog(everything);
        play(whole, timeline);
        const parts = new UserLog(everything);
        play(parts, timeline.slice(0, at % (timeline.length + 1)));
        parts.state = structuredClone(parts.state);
        play(parts, timeline.slice(at % (timeline.length + 1)));
        expect(parts.state).toEqual(whole.state);
        expect([parts.commands, parts.decisions, parts.revocations]).toEqual([whole.commands, whole.decisions, whole.revocations]);
      }),
      { numRuns: 300 },
    );
  });

  it('changes no state that it was given', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        for (const entry of timeline) {
          deepFreeze(log.state);
          play(log, [entry]);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keeps every bound', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        const { limits } = everything;
        for (const entry of timeline) {
          play(log, [entry]);
          const { state } = log;
          expect(state.recentEventIds.length).toBeLessThanOrEqual(limits.recentEventIds);
          expect(state.ledger.length).toBeLessThanOrEqual(limits.ledger);
          expect(state.devices.length).toBeLessThanOrEqual(limits.devices);
          for (const lists of Object.values(state.trackers)) {
            expect(Object.keys(lists).length).toBeLessThanOrEqual(limits.keysPerTracker);
            for (const moments of Object.values(lists))
              expect(momentCount(moments)).toBeLessThanOrEqual(4 + 1_000 * Number(lists === state.trackers['shipped']));
          }
          for (const { name } of everything.journeys)
            expect(state.matches.filter((match) => match.journey === name).length).toBeLessThanOrEqual(limits.matchesPerJourney);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('a timer', () => {
  it('that the state no longer has changes nothing', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        let before: UserState = log.state;
        for (const entry of timeline) {
          play(log, [entry]);
          const gone = timersOf(before).filter((timer) => !timersOf(log.state).some((t) => t.id === timer.id && t.dueMs === timer.dueMs));
          for (const timer of gone) {
            const step = onTimer(log.state, timer, log.nowMs, everything);
            expect(step.state).toBe(log.state);
            expect(step.effects.decisions).toEqual([]);
          }
          const [first] = timersOf(log.state).toSorted((a, b) => a.dueMs - b.dueMs || (a.id < b.id ? -1 : 1));
          expect(nextTimer(log.state)).toEqual(first ?? null);
          expect(nextDueMs(log.state)).toBe(first?.dueMs ?? null);
          before = log.state;
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is named by its due time and its id alone', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        for (const entry of timeline) {
          play(log, [entry]);
          const names = timersOf(log.state).map((timer) => `${timer.dueMs} ${timer.id}`);
          expect(new Set(names).size).toBe(names.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
