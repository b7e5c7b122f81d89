import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withEarlier } from '../../src/core/pinned.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import { timersOf } from '../../src/core/timers.ts';
import { everything, timelines } from './everything.ts';
import { DAY, START, UserLog } from './support.ts';

type Edit = (program: Program) => Program;

/** The versions before `last` whose runs may still be on their way, each with a number of its own. */
function inForce(program: Program, earlier: Program[]): Program {
  const numbered = { ...program, version: earlier.length + 1 };
  const composed = withEarlier(numbered, earlier);
  earlier.push(numbered);
  return composed;
}

/** What an edit of a live topology may do: take away, shuffle what belongs to which journey, and make limits and times smaller. */
function edits(): fc.Arbitrary<Edit> {
  const names = fc.subarray(everything.journeys.map(({ name }) => name));
  const nameOf = fc.constantFrom(...everything.journeys.map(({ name }) => name));
  // A date waits as long as it is ahead, whatever journey it is then.
  const otherOf = fc.constantFrom(...everything.journeys.filter(({ pattern }) => pattern.kind !== 'date').map(({ name }) => name));
  const renamedSteps = (journey: Journey): Journey => ({
    ...journey,
    steps: journey.steps.map((step) => ({ ...step, name: `${step.name}-2` })),
  });
  return fc.oneof(
    fc.constant<Edit>((program) => program),
    names.map<Edit>((kept) => (program) => ({ ...program, journeys: program.journeys.filter(({ name }) => kept.includes(name)) })),
    // The name stays, and everything behind it is another journey's.
    fc.tuple(nameOf, otherOf).map<Edit>(([to, from]) => (program) => {
      const source = program.journeys.find(({ name }) => name === from);
      return source === undefined
        ? program
        : { ...program, journeys: program.journeys.map((journey) => (journey.name === to ? { ...source, name: to } : journey)) };
    }),
    fc.constant<Edit>((program) => ({ ...program, journeys: program.journeys.map(renamedSteps) })),
    fc.constant<Edit>((program) => ({
      ...program,
      journeys: program.journeys.map((one) => ({ ...renamedSteps(one), inFlight: 'pinned' })),
    })),
    fc.constant<Edit>((program) => ({
      ...program,
      journeys: program.journeys.map((journey) => ({ ...renamedSteps(journey), moved: new Map([['answer', 'morning-2']]) })),
    })),
    fc.constant<Edit>((program) => ({ ...program, trackers: program.trackers.map((tracker) => ({ ...tracker, cap: 1, keepMs: 1 })) })),
    fc.constant<Edit>((program) => ({ ...program, limits: { ...program.limits, matchesPerJourney: 1, keysPerTracker: 1, ledger: 1 } })),
    fc.constant<Edit>((program) => ({ ...program, sessionGapMs: 1_000, timeZone: 'Pacific/Apia' })),
    fc.constant<Edit>((program) => ({ ...program, eventTypes: new Map([...program.eventTypes].slice(1)) })),
  );
}

/** Trackers and tallies that no journey asks for are gone with the journeys. */
function withoutUnused(program: Program): Program {
  const text = JSON.stringify(program.journeys);
  const isUsed = ({ id }: { readonly id: string }): boolean => text.includes(JSON.stringify(id));
  return { ...program, trackers: program.trackers.filter(isUsed), tallies: program.tallies.filter(isUsed) };
}

describe('an edit of a topology while people are in their journeys', () => {
  it('makes nothing throw, and leaves nothing behind when everybody has gone', () => {
    fc.assert(
      fc.property(timelines(), fc.array(fc.tuple(fc.nat(), edits()), { maxLength: 4 }), (timeline, changes) => {
        const earlier: Program[] = [];
        const log = new UserLog(inForce(everything, earlier));
        timeline.forEach((entry, i) => {
          for (const [at, edit] of changes) if (at % timeline.length === i) log.program = inForce(withoutUnused(edit(everything)), earlier);
          if (entry.kind === 'tick') log.tick(entry.appendedAt);
          else log.event(entry.type, entry.appendedAt, entry.parts);
        });
        // A date is given up with its attribute, while its journey is there.
        const { program } = log;
        log.program = everything;
        log.event('$profile', log.nowMs - START, { id: 'last', properties: { ends: null } });
        log.program = program;
        log.fired = 0;
        for (let next = log.nextTimer(); next !== null; next = log.nextTimer()) {
          log.tick(Math.max(next.dueMs, log.nowMs) - START);
          expect(log.fired).toBeLessThan(100);
        }
        const { session, matches, trackers, ledger, tidyAtMs } = log.state;
        expect({ session, matches, trackers, ledger, tidyAtMs }).toEqual({
          session: null,
          matches: [],
          trackers: {},
          ledger: [],
          tidyAtMs: null,
        });
        expect(timersOf(log.state)).toEqual([]);
        expect(log.nowMs - START).toBeLessThan((timeline.at(-1)?.appendedAt ?? 0) + 30 * DAY);
      }),
      { numRuns: 1_000 },
    );
  });

  it('lets a date go that was changed meanwhile', () => {
    const log = new UserLog(everything);
    log.event('$profile', 0, { properties: { ends: START + 2 * DAY } });
    log.program = withoutUnused({ ...everything, journeys: [] });
    log.event('$profile', 1, { properties: { ends: START + 5 * DAY } });
    log.program = everything;
    log.tick(2 * DAY);
    expect(log.outcomes).toEqual([]);
    log.tick(5 * DAY);
    expect(log.outcomes).toEqual([`ends ${START + 5 * DAY} sent`]);
  });

  it('decides about each message at most once', () => {
    fc.assert(
      fc.property(timelines(), fc.array(fc.tuple(fc.nat(), edits()), { maxLength: 4 }), (timeline, changes) => {
        const earlier: Program[] = [];
        const log = new UserLog(inForce(everything, earlier));
        timeline.forEach((entry, i) => {
          for (const [at, edit] of changes) if (at % timeline.length === i) log.program = inForce(withoutUnused(edit(everything)), earlier);
          if (entry.kind === 'tick') log.tick(entry.appendedAt);
          // An id that comes again after all is another event.
          else log.event(entry.type, entry.appendedAt, { ...entry.parts, id: `e${i}` });
        });
        log.tick(log.nowMs - START + 20 * DAY);
        const sent = log.commands.map(({ commandId }) => commandId);
        expect(new Set(sent).size).toBe(sent.length);
      }),
      { numRuns: 300 },
    );
  });
});
