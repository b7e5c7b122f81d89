import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SESSION_STARTED } from '../../src/core/program-index.ts';
import type { Journey, JourneyStep } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import { MAX_ATTRIBUTE_LENGTH } from '../../src/core/updates.ts';
import { onTimer } from '../../src/core/step.ts';
import { rowGrowthOf } from '../../src/processor/row-growth.ts';
import { dueWith } from '../../src/processor/turns.ts';
import { encodeUserState } from '../../src/processor/user-state-codec.ts';
import { timelines as atRandom, topologies } from '../core/at-random.ts';
import { everything, timelines, type Entry } from '../core/everything.ts';
import { DAY, HOUR, UserLog, journeyOf, programOf, sendOf } from '../core/support.ts';

/** Plays a timeline, and holds the growth of each step against the bound. */
function expectBound(program: Program, timeline: readonly Entry[]): void {
  const growthOf = rowGrowthOf(program);
  const log = new UserLog(program);
  const size = (): number => encodeUserState(log.state).length;
  const hold = (inputBytes: number, type: string | null, step: () => void, runs = 1): void => {
    const before = size();
    step();
    const [growth, bound] = [size() - before, growthOf(before, inputBytes, type, runs)];
    expect(growth <= bound, `${type ?? 'a timer'} adds ${growth} bytes, at most ${bound} were reckoned`).toBe(true);
  };
  for (const entry of timeline) {
    if (entry.kind === 'event') {
      const { id, properties } = entry.parts;
      hold(JSON.stringify([id, entry.type, properties]).length, entry.type, () => log.event(entry.type, entry.appendedAt, entry.parts));
      continue;
    }
    log.tick(-Infinity);
    log.nowMs = Math.max(log.nowMs, log.build('', entry.appendedAt).appendedAtMs);
    for (let next = log.nextTimer(); next !== null && next.dueMs <= log.nowMs; next = log.nextTimer()) {
      const timer = next;
      const runs = dueWith(log.state, timer, program);
      hold(0, null, () => (log.state = onTimer(log.state, timer, log.nowMs, program).state), runs);
    }
  }
}

const many = <T>(make: (i: number) => T): T[] => Array.from({ length: 40 }, (_, i) => make(i));
const wait: JourneyStep = { kind: 'wait', name: 'w', forMs: HOUR, atMinutes: null, fromTrigger: false, until: [], next: 1 };
const started = { kind: 'event', on: { type: 'a', where: null } } as const;

/** What one event, or one timer, may set going at once. */
const WIDE: Readonly<Record<string, Program>> = {
  'every attribute has its journey': programOf({
    journeys: many((i): Journey => {
      const pattern = {
        kind: 'attribute',
        attribute: 'plan',
        changed: (before, after) => before['plan'] !== after['plan'],
      } as const satisfies Journey['pattern'];
      return journeyOf({ name: `changed-${i}`, capture: ['from', 'to'], pattern, steps: [wait, sendOf()] });
    }),
  }),
  'every attribute is a date': programOf({
    journeys: many((i) =>
      journeyOf({ name: `date-${i}`, pattern: { kind: 'date', attribute: 'ends', offsetMs: i, atMinutes: null, yearly: false } }),
    ),
  }),
  'a session has many to begin with it': programOf({
    journeys: many((i) => journeyOf({ name: `start-${i}`, pattern: { kind: 'event', on: { type: SESSION_STARTED, where: null } } })),
  }),
  'many of a priority are due at one millisecond, each with messages to many devices': programOf({
    limits: { ...programOf({}).limits, devices: 40 },
    journeys: many((i) => {
      const steps = [...Array(8).keys()].map((n) =>
        sendOf({
          name: `s${n}`,
          channels: ['fcm'],
          class: n === 0 ? 'marketing' : 'plain',
          category: 'offers',
          next: n === 7 ? null : n + 1,
        }),
      );
      return journeyOf({ name: `quiet-${i}`, pattern: { kind: 'inactive', since: null, forMs: HOUR }, priority: 1, steps });
    }),
  }),
  'everything is counted': programOf({
    tallies: many((i) => ({ id: `tally-${i}`, of: i % 2 === 0 ? 'days' : 'events', on: { type: 'a', where: null }, key: null })),
  }),
  'a run sets attributes, and these start others': programOf({
    limits: { ...programOf({}).limits, profileAttributes: 100 },
    journeys: [
      journeyOf({
        name: 'set',
        pattern: started,
        steps: [
          wait,
          { kind: 'update', name: 'u', set: new Map(many((i) => [`a${i}`, () => '€'.repeat(MAX_ATTRIBUTE_LENGTH)])), next: null },
        ],
      }),
      ...many((i) => journeyOf({ name: `set-${i}`, pattern: { kind: 'attribute', attribute: `a${i}`, changed: () => true } })),
    ],
  }),
};

describe('what a step may add to a row', () => {
  it('is never more than was reckoned', () => {
    fc.assert(
      fc.property(timelines(), (timeline) => {
        expectBound(everything, timeline);
      }),
      { numRuns: 300 },
    );
  });

  it('is not with journeys at random', () => {
    fc.assert(
      fc.property(topologies({ most: 1 }), atRandom(), ([program], timeline) => {
        expectBound(
          program!,
          timeline.filter((entry) => entry.kind !== 'edit'),
        );
      }),
      { numRuns: 300 },
    );
  });

  it.each(Object.entries(WIDE))('is not where %s', (_name, program) => {
    const event = (type: string, appendedAt: number, properties: Record<string, string | number> = {}): Entry => ({
      kind: 'event',
      type,
      appendedAt,
      parts: { id: `${type}${appendedAt}`, properties },
    });
    const profile = event('$profile', 0, { plan: 'x'.repeat(50), ends: 2e12 });
    const devices = many((i) => event('$device_added', 0, { deviceId: `${i}`.repeat(80), kind: 'fcm', value: `token-${i}` }));
    expectBound(program, [
      ...devices.map(
        (one, i) => ({ ...one, parts: { id: `d${i}`, properties: one.kind === 'event' ? one.parts.properties! : {} } }) as Entry,
      ),
      profile,
      event('a', 1),
      { kind: 'tick', appendedAt: HOUR + 1 },
      { kind: 'tick', appendedAt: 2 * DAY },
      event('a', 2 * DAY),
    ]);
  });
});
