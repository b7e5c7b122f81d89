import { describe, expect, it } from 'vitest';
import { longestRunMs, MAX_EARLIER, stillNeeded, withEarlier } from '../../src/core/pinned.ts';
import { indexProgram } from '../../src/core/program-index.ts';
import type { Journey, JourneyStep, WaitStep } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import { DAY, HOUR, UserLog, journeyOf, programOf, sendOf, trackerOf } from './support.ts';

function waitOf(name: string, forMs: number, parts: Partial<WaitStep> = {}): WaitStep {
  return { kind: 'wait', name, forMs, atMinutes: null, until: [], fromTrigger: false, next: null, ...parts };
}

function version(number: number, steps: readonly JourneyStep[] | null, parts: Partial<Journey> = {}, more: Partial<Program> = {}): Program {
  const pattern = { kind: 'event', on: { type: 'a', where: null } } as const;
  const journeys = steps === null ? [] : [journeyOf({ name: 'j', pattern, steps, ...parts })];
  return programOf({ activity: ['a', 'b', 'x'], version: number, hash: `v${number}`, journeys, ...more });
}

const series = (first: string, second: string): readonly JourneyStep[] => [
  sendOf({ name: first, next: 1 }),
  waitOf(`behind_${first}`, DAY, { next: 2 }),
  sendOf({ name: second }),
];

const saidBy = (log: UserLog): string[] => log.decisions.map(({ step, reason, topologyHash }) => `${topologyHash} ${step} ${reason}`);

describe('a run that began under an earlier version', () => {
  it('follows the journey as it is, where that does not say otherwise', () => {
    const v1 = version(1, series('old', 'older'), { inFlight: 'pinned' });
    const log = new UserLog(v1);
    log.event('a', 0);
    log.program = withEarlier(version(2, series('old', 'newer')), [v1]);
    log.tick(DAY);
    expect(saidBy(log)).toEqual(['v1 old sent', 'v2 newer sent']);
  });

  it('goes on by its own steps where the journey as it is pins it, and says the version in force', () => {
    const v1 = version(1, series('old', 'older'));
    const log = new UserLog(v1);
    log.event('a', 0);
    log.program = withEarlier(version(2, series('new', 'newer'), { inFlight: 'pinned' }), [v1]);
    log.event('a', HOUR);
    log.tick(2 * DAY);
    log.tick(3 * DAY);
    expect(saidBy(log)).toEqual(['v1 old sent', 'v2 new sent', 'v2 older sent', 'v2 newer sent']);
  });

  it('is woken and ended by what its own version waits for, of types that the catalogue has no more', () => {
    const waiting = (step: string): readonly JourneyStep[] => [
      waitOf(step, DAY, { until: [{ trackerId: 'b', by: 'key', next: 1 }], next: 2 }),
      sendOf({ name: `${step}_came` }),
      sendOf({ name: `${step}_over` }),
    ];
    const trackers = [trackerOf('b', ['b'], { restrains: false }), trackerOf('x', ['x'])];
    const v1 = version(1, waiting('w'), { cancelOn: [{ trackerId: 'x', label: 'x', goal: true }] }, { trackers });
    const v2 = version(2, [waitOf('v', DAY, { next: 1 }), sendOf()], { inFlight: 'pinned' });
    const program = withEarlier({ ...v2, eventTypes: new Map([['a', { type: 'a', activity: true }]]) }, [v1]);
    const [woken, ended] = [new UserLog(v1), new UserLog(v1)];
    for (const log of [woken, ended]) {
      log.event('a', 0);
      log.program = program;
      log.event('a', 1);
    }
    woken.event('b', HOUR);
    expect(saidBy(woken)).toEqual(['v2 w_came sent']);
    ended.event('x', HOUR);
    expect(saidBy(ended)).toEqual(['v2 w goal']);
    // The one that began under the new version waits for neither.
    for (const log of [woken, ended]) expect(log.state.matches.map(({ wait }) => wait?.step)).toEqual(['v']);
  });

  it('waits for changes of items also where the catalogue has them no more: they still say which item', () => {
    const trackers = [trackerOf('price', ['price'], { key: ({ properties }) => properties['sku'] as string | null, restrains: false })];
    const steps = [waitOf('w', DAY, { until: [{ trackerId: 'price', by: 'key', next: null }] })];
    const price = { type: 'price', activity: false, item: 'sku' };
    const v1 = { ...version(1, steps, {}, { trackers }), eventTypes: new Map([[price.type, price]]) };
    expect(withEarlier(version(2, steps, { inFlight: 'pinned' }), [v1]).eventTypes.get('price')).toEqual(price);
  });

  it('has its last message taken back by its own goal, where its journey is gone', () => {
    const parts: Partial<Journey> = { inFlight: 'pinned', cancelOn: [{ trackerId: 'x', label: 'x', goal: true }] };
    const v1 = version(1, series('old', 'older'), parts, { trackers: [trackerOf('x', ['x'])] });
    const log = new UserLog(v1);
    log.event('a', 0);
    log.program = withEarlier(version(2, null), [v1]);
    log.event('x', 1);
    expect(saidBy(log)).toEqual(['v1 old sent', 'v2 behind_old goal']);
    expect(log.revocations.map(({ commandId, reason }) => [commandId, reason])).toEqual([[log.commands[0]!.commandId, 'goal']]);
  });

  it('ends with a decision where its journey is gone, and goes on where its last version pinned it', () => {
    for (const [last, expected] of [
      ['follow', 'v3 behind_old journey_removed'],
      ['pinned', 'v3 older sent'],
    ] as const) {
      const [v1, v2] = [version(1, series('old', 'older')), version(2, series('new', 'newer'), { inFlight: last })];
      const log = new UserLog(v1);
      log.event('a', 0);
      log.program = withEarlier(version(3, null), [v1, v2]);
      log.tick(DAY);
      expect(saidBy(log)).toEqual(['v1 old sent', expected]);
      expect(log.state.matches).toEqual([]);
    }
  });

  it('follows where its version is not kept any more, and where it has come to a step that its version never had', () => {
    const [v1, v2] = [
      version(1, series('old', 'older')),
      version(2, series('new', 'newer'), { moved: new Map([['behind_old', 'behind_new']]) }),
    ];
    const v3 = version(3, series('new', 'newest'), { inFlight: 'pinned', moved: new Map([['behind_old', 'behind_new']]) });
    const log = new UserLog(v1);
    log.event('a', 0);
    log.program = withEarlier(v3, [v2]);
    log.tick(DAY);
    expect(saidBy(log)).toEqual(['v1 old sent', 'v3 newest sent']);

    const further = [waitOf('w', DAY, { next: 1 }), waitOf('added', DAY, { next: 2 }), sendOf({ name: 'end' })];
    const [short, long] = [version(1, [waitOf('w', DAY, { next: 1 }), sendOf({ name: 'short_end' })]), version(2, further)];
    const other = new UserLog(short);
    other.event('a', 0);
    other.program = withEarlier(long, [short]);
    other.tick(DAY);
    other.program = withEarlier(version(3, further, { inFlight: 'pinned' }), [short, long]);
    other.tick(2 * DAY);
    expect(saidBy(other)).toEqual(['v3 end sent']);
  });

  it('lets a pattern that only waits to come true go with its journey, without a word', () => {
    const pattern = { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 'b', withinMs: DAY } as const;
    const trackers = [trackerOf('b', ['a', 'b'])];
    const log = new UserLog(version(1, [sendOf()], { pattern, inFlight: 'pinned' }, { trackers }));
    log.event('a', 0);
    const v1 = log.program;
    log.program = withEarlier(version(2, null), [v1]);
    log.tick(DAY);
    expect([saidBy(log), log.state.matches]).toEqual([[], []]);
  });
});

describe('earlier versions', () => {
  it('cost nothing where nobody is pinned to them', () => {
    const [v1, v2] = [version(1, series('a', 'b')), version(2, series('a', 'b'))];
    expect(withEarlier(v2, [v1])).toBe(v2);
    expect(indexProgram(v2).retired.size).toBe(0);
  });

  it('are kept for as long as a run of them may live, and no more of them than can be counted', () => {
    const program = { ...version(1, [waitOf('w', DAY, { next: 1 }), waitOf('v', HOUR, { atMinutes: 540 })]), maxEventAgeMs: HOUR };
    expect(longestRunMs(program)).toBe(DAY + HOUR + 25 * HOUR);
    const one = { program, replacedAtMs: 5 };
    const endMs = 5 + longestRunMs(program) + HOUR;
    expect(stillNeeded([one], endMs)).toEqual([one]);
    expect(stillNeeded([one], endMs + 1)).toEqual([]);
    const many = Array.from({ length: 12 }, (_, i) => ({ program, replacedAtMs: i }));
    expect(stillNeeded(many, 0)).toEqual(many.slice(-MAX_EARLIER));
  });
});
