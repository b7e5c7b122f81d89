import { describe, expect, it } from 'vitest';
import { BUCKETS, bucketOf } from '../../src/core/bucket.ts';
import { EvaluationError } from '../../src/core/condition.ts';
import type { Journey, JourneyStep, WaitStep } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import type { Event } from '../../src/core/event.ts';
import { MAX_ATTRIBUTE_LENGTH } from '../../src/core/updates.ts';
import { DAY, HOUR, MINUTE, UserLog, journeyOf, programOf, sendOf, trackerOf } from './support.ts';

function waitOf(name: string, forMs: number, parts: Partial<WaitStep> = {}): WaitStep {
  return { kind: 'wait', name, forMs, atMinutes: null, until: [], fromTrigger: false, next: null, ...parts };
}

const occurrence = (event: { readonly properties: Readonly<Record<string, unknown>> }): string | null => {
  const value = event.properties['occurrence'];
  return typeof value === 'string' ? value : null;
};

/** On `a`, with what the steps of a test need. */
function journeys(steps: readonly JourneyStep[], parts: Partial<Journey> = {}, more: Partial<Program> = {}): Program {
  const on = { type: 'a', where: null };
  return programOf({
    activity: ['a', 'b', 'c', 'x'],
    silent: ['$opened'],
    trackers: [
      trackerOf('b', ['b'], { restrains: false }),
      trackerOf('c', ['c'], { restrains: false }),
      trackerOf('x', ['x']),
      trackerOf('opened', ['$opened'], { key: occurrence, restrains: false }),
    ],
    journeys: [journeyOf({ name: 'j', pattern: { kind: 'event', on }, steps, ...parts })],
    ...more,
  });
}

const stepsOf = (log: UserLog): string[] =>
  log.decisions.map(({ step, outcome, reason }) => `${step} ${outcome === 'sent' ? outcome : reason}`);
const waitsOf = (log: UserLog): string[] => log.state.matches.map(({ wait }) => wait?.step ?? '');

describe('a run', () => {
  it('whose goal is reached already sets no attributes', () => {
    const cancelOn = [{ trackerId: 'x', label: 'bought', goal: true }];
    const update = { kind: 'update', name: 'mark', set: new Map([['stage', () => 'nudged']]), next: null } as const;
    const silence = { kind: 'inactive', since: { type: 'a', where: null }, forMs: HOUR } as const;
    const log = new UserLog(
      journeys(
        [update],
        { cancelOn, pattern: silence },
        { eventTypes: new Map(['a', 'x'].map((type) => [type, { type, activity: type === 'a' }])) },
      ),
    );
    log.event('a', 0);
    log.event('x', MINUTE);
    log.tick(HOUR);
    expect(log.decisions.map(({ outcome, reason, step }) => [outcome, reason, step])).toEqual([['exited', 'goal', 'mark']]);
    expect(log.state.profile).toEqual({});
  });

  it('that waits for a local time waits for that of the zone where the user has gone', () => {
    const nine = waitOf('w', 0, { atMinutes: 9 * 60, next: 1 });
    const log = new UserLog(journeys([nine, sendOf()], {}, { timeZone: 'Europe/Berlin' }));
    const at = (iso: string): number => Date.parse(iso) - log.startMs;
    log.event('a', at('2025-07-01T10:00:00Z'));
    log.event('$profile', at('2025-07-01T12:00:00Z'), { properties: { zone: 'America/New_York' } });
    expect(log.state.matches.map(({ dueMs }) => new Date(dueMs).toISOString())).toEqual(['2025-07-02T13:00:00.000Z']);
    // Where it has passed there, it keeps its time.
    log.event('$profile', at('2025-07-02T12:00:00Z'), { properties: { zone: 'Asia/Tokyo' } });
    expect(log.state.matches.map(({ dueMs }) => new Date(dueMs).toISOString())).toEqual(['2025-07-02T13:00:00.000Z']);
  });

  it('is not put off by a day where two zones change to and fro', () => {
    const evening = waitOf('w', 0, { atMinutes: 21 * 60, next: 1 });
    const log = new UserLog(journeys([evening, sendOf()], {}, { timeZone: 'America/New_York' }));
    const at = (iso: string): number => Date.parse(iso) - log.startMs;
    const dueIn = (zone: string, iso: string): string => {
      log.event('$profile', at(iso), { properties: { zone } });
      return new Date(log.state.matches[0]!.dueMs).toISOString();
    };
    log.event('a', at('2025-07-02T20:00:00Z'));
    // The evening has passed there, and so it has in the next zone; back at home it is as it was.
    expect(dueIn('Asia/Tokyo', '2025-07-02T22:00:00Z')).toBe('2025-07-03T01:00:00.000Z');
    expect(dueIn('Europe/Berlin', '2025-07-02T22:01:00Z')).toBe('2025-07-03T01:00:00.000Z');
    expect(dueIn('America/New_York', '2025-07-02T22:02:00Z')).toBe('2025-07-03T01:00:00.000Z');
    expect(dueIn('America/Los_Angeles', '2025-07-02T22:03:00Z')).toBe('2025-07-03T04:00:00.000Z');
  });

  it('ends with its event also where another run, which that ends too, has moved it to another zone', () => {
    const until = [{ trackerId: 'b', by: 'key', next: 1 } as const];
    const nine = waitOf('w', DAY, { atMinutes: 9 * 60, until, next: null });
    const move = { kind: 'update', name: 'move', set: new Map([['zone', () => 'Asia/Tokyo']]), next: 2 } as const;
    const log = new UserLog(journeys([nine, move, sendOf()], {}, { trackers: [trackerOf('b', ['b'], { restrains: false })] }));
    log.event('a', 0);
    log.event('a', 1);
    log.event('b', 2);
    expect(stepsOf(log)).toEqual(['send sent', 'send sent']);
  });

  it('goes from message to message, each wait counting from when the one before was decided', () => {
    const log = new UserLog(
      journeys([sendOf({ name: 'first', next: 1 }), waitOf('w', DAY, { next: 2 }), sendOf({ name: 'second', next: null })]),
    );
    log.event('a', 0);
    expect(stepsOf(log)).toEqual(['first sent']);
    expect(waitsOf(log)).toEqual(['w']);
    log.tick(DAY - 1);
    expect(stepsOf(log)).toEqual(['first sent']);
    log.tick(DAY);
    expect(stepsOf(log)).toEqual(['first sent', 'second sent']);
    expect(log.state.matches).toEqual([]);
    expect(new Set(log.commands.map(({ commandId }) => commandId)).size).toBe(2);
  });

  it('that was late waits from then on, and does not send everything at once', () => {
    const log = new UserLog(
      journeys([
        waitOf('w', HOUR, { next: 1 }),
        sendOf({ name: 'first', next: 2 }),
        waitOf('v', HOUR, { next: 3 }),
        sendOf({ name: 'second' }),
      ]),
    );
    log.event('a', 0);
    log.tick(5 * HOUR);
    expect(stepsOf(log)).toEqual(['first sent']);
    log.tick(6 * HOUR);
    expect(stepsOf(log)).toEqual(['first sent', 'second sent']);
  });

  it('adds waits up to the millisecond where nothing lies between', () => {
    const log = new UserLog(journeys([waitOf('w', HOUR, { next: 1 }), waitOf('v', HOUR, { next: 2 }), sendOf()]));
    log.event('a', 0);
    log.tick(HOUR + MINUTE);
    log.tick(2 * HOUR);
    expect(log.decisions[0]).toMatchObject({ dueAtMs: log.decisions[0]!.decidedAtMs });
  });

  it('goes one way where what it waits for comes, and another where it does not', () => {
    const until = [{ trackerId: 'b', by: 'key', next: 1 }] as const;
    const steps = [waitOf('w', HOUR, { until, next: 2 }), sendOf({ name: 'came' }), sendOf({ name: 'over' })];
    const came = new UserLog(journeys(steps));
    came.event('a', 0);
    came.event('b', HOUR - 1);
    expect(stepsOf(came)).toEqual(['came sent']);
    came.tick(2 * HOUR);
    expect(stepsOf(came)).toEqual(['came sent']);

    const over = new UserLog(journeys(steps));
    over.event('a', 0);
    over.tick(HOUR);
    over.event('b', HOUR);
    expect(stepsOf(over)).toEqual(['over sent']);
  });

  it('sees what came between its trigger and the wait, and what was appended before its trigger', () => {
    const steps = [waitOf('w', HOUR, { until: [{ trackerId: 'b', by: 'key', next: 1 }] }), sendOf({ name: 'came' })];
    const log = new UserLog(journeys(steps));
    log.event('b', 10, { at: 8 });
    log.event('a', 12, { at: 5 });
    expect(stepsOf(log)).toEqual(['came sent']);
    const earlier = new UserLog(journeys(steps));
    earlier.event('b', 10, { at: 3 });
    earlier.event('a', 12, { at: 5 });
    expect(waitsOf(earlier)).toEqual(['w']);
  });

  it('ends one wait with an event, and the next with one behind it, though that may have reached us before', () => {
    const until = (next: number) => [{ trackerId: 'b', by: 'key', next }] as const;
    const steps = [
      waitOf('w', HOUR, { until: until(1) }),
      waitOf('v', HOUR, { until: until(2) }),
      waitOf('u', HOUR, { until: [{ trackerId: 'c', by: 'key', next: 3 }] }),
      sendOf({ name: 'came' }),
    ];
    const log = new UserLog(journeys(steps));
    log.event('a', 0);
    log.event('b', 10);
    expect(waitsOf(log)).toEqual(['v']);
    log.event('b', 10);
    expect(waitsOf(log)).toEqual(['u']);

    const late = new UserLog(journeys(steps));
    late.event('a', 0);
    late.event('c', MINUTE, { at: 30 });
    late.event('b', MINUTE, { at: 10 });
    late.event('b', MINUTE, { at: 20 });
    expect(stepsOf(late)).toEqual(['came sent']);
  });

  it('ends no wait with an event that its pattern is made of', () => {
    const until = [{ trackerId: 'b', by: 'key', next: 1 }] as const;
    const steps = [waitOf('w', HOUR, { until }), sendOf({ name: 'came' })];
    const links = [{ trackerId: 'b', withoutId: null }];
    const sequence = { kind: 'sequence', on: { type: 'a', where: null }, links, withoutId: null, withinMs: DAY } as const;
    const count = { kind: 'count', on: { type: 'b', where: null }, trackerId: 'b', withoutId: null, times: 2, withinMs: HOUR } as const;
    for (const [pattern, first] of [
      [sequence, 'a'],
      [count, 'b'],
    ] as const)
      for (const order of [
        [0, 1],
        [1, 0],
      ]) {
        const log = new UserLog(journeys(steps, { pattern }));
        for (const at of order) log.event(at === 0 ? first : 'b', 10, { at });
        expect(waitsOf(log)).toEqual(['w']);
        log.event('b', 20);
        expect(stepsOf(log)).toEqual(['came sent']);
      }
  });

  it('takes the way that it would have taken without an outage', () => {
    const until = [{ trackerId: 'b', by: 'key', next: 1 }] as const;
    const log = new UserLog(journeys([waitOf('w', HOUR, { until, next: 2 }), sendOf({ name: 'came' }), sendOf({ name: 'over' })]));
    log.event('a', 0);
    log.event('b', 2 * HOUR, { at: HOUR });
    log.tick(3 * HOUR);
    expect(stepsOf(log)).toEqual(['over sent']);
  });

  it('looks back to the step before, or to the trigger where it says so', () => {
    const of = (fromTrigger: boolean): UserLog => {
      const until = [{ trackerId: 'b', by: 'key', next: 2 }] as const;
      const log = new UserLog(
        journeys([waitOf('v', HOUR, { next: 1 }), waitOf('w', HOUR, { until, fromTrigger, next: null }), sendOf({ name: 'came' })]),
      );
      log.event('a', 0);
      log.event('b', MINUTE);
      log.tick(HOUR);
      return log;
    };
    expect(waitsOf(of(false))).toEqual(['w']);
    expect(stepsOf(of(true))).toEqual(['came sent']);
  });

  it('waits for the answer to its own message, not to that of another run', () => {
    const until = [{ trackerId: 'opened', by: 'occurrence', next: 2 }] as const;
    const log = new UserLog(
      journeys([
        sendOf({ name: 'push', next: 1 }),
        waitOf('w', DAY, { until, next: 3 }),
        sendOf({ name: 'thanks' }),
        sendOf({ name: 'email' }),
      ]),
    );
    log.event('a', 0);
    log.event('a', MINUTE);
    expect(waitsOf(log)).toEqual(['w', 'w']);
    log.event('$opened', 2 * MINUTE, { properties: { commandId: log.commands[1]!.commandId } });
    expect(stepsOf(log)).toEqual(['push sent', 'push sent', 'thanks sent']);
    log.tick(DAY);
    expect(stepsOf(log)).toEqual(['push sent', 'push sent', 'thanks sent', 'email sent']);
  });

  it('takes the answer of a device whose clock is slow, and none for a message that is not known', () => {
    const until = [{ trackerId: 'opened', by: 'occurrence', next: 3 }] as const;
    const log = new UserLog(
      journeys([
        waitOf('v', HOUR, { next: 1 }),
        sendOf({ name: 'push', next: 2 }),
        waitOf('w', DAY, { until }),
        sendOf({ name: 'thanks' }),
      ]),
    );
    log.event('a', 0, { id: 'e' });
    log.tick(HOUR);
    log.event('$opened', HOUR + 1, { properties: { commandId: 'forged', journey: 'j', step: 'push', occurrence: 'e' } });
    expect(waitsOf(log)).toEqual(['w']);
    log.event('$opened', HOUR + MINUTE, { at: 0, properties: { commandId: log.commands[0]!.commandId } });
    expect(stepsOf(log)).toEqual(['push sent', 'thanks sent']);
  });

  it('ends at once where it waits and its goal is reached', () => {
    const cancelOn = [{ trackerId: 'x', label: 'bought', goal: true }];
    const log = new UserLog(journeys([sendOf({ next: 1 }), waitOf('w', DAY, { next: 2 }), sendOf({ name: 'second' })], { cancelOn }));
    log.event('a', 0);
    log.event('x', HOUR);
    expect(log.state.matches).toEqual([]);
    expect(log.decisions.map(({ step, outcome, reason }) => [step, outcome, reason])).toEqual([
      ['send', 'sent', 'sent'],
      ['w', 'exited', 'goal'],
    ]);
    log.tick(2 * DAY);
    expect(log.commands).toHaveLength(1);
  });

  it('does not begin to wait where its goal was reached before', () => {
    const cancelOn = [{ trackerId: 'x', label: 'bought', goal: true }];
    const log = new UserLog(journeys([waitOf('w', DAY, { next: 1 }), sendOf()], { cancelOn }));
    log.event('x', 10, { at: 8 });
    log.event('a', 12, { at: 5 });
    expect(log.state.matches).toEqual([]);
    expect(stepsOf(log)).toEqual(['w goal']);
  });

  it('goes on behind a message that may not go out, and ends where the whole journey is pointless', () => {
    const steps = [
      sendOf({ name: 'first', class: 'marketing', category: 'offers', next: 1 }),
      waitOf('w', HOUR, { next: 2 }),
      sendOf({ name: 'second' }),
    ];
    const out = new UserLog(journeys(steps));
    out.event('$consent', 0, { properties: { category: 'offers', state: 'out' } });
    out.event('a', 1);
    out.tick(1 + HOUR);
    expect(stepsOf(out)).toEqual(['first consent', 'second sent']);

    const nobody = new UserLog(journeys(steps, { audience: () => false }));
    nobody.event('a', 1);
    nobody.tick(1 + HOUR);
    expect(stepsOf(nobody)).toEqual(['first audience']);
  });

  it('enters once, where its journey says so, and still sends all of its messages', () => {
    const steps = [sendOf({ name: 'first', next: 1 }), waitOf('w', HOUR, { next: 2 }), sendOf({ name: 'second' })];
    const log = new UserLog(journeys(steps, { reentry: { kind: 'once' } }));
    log.event('a', 0);
    log.event('a', 1);
    log.tick(DAY);
    expect(stepsOf(log)).toEqual(['first sent', 'first reentry', 'second sent']);
  });

  it('stays entered in the shadow, and where its first message is no longer remembered', () => {
    const steps = [sendOf({ name: 'first', next: 1 }), waitOf('w', HOUR, { next: 2 }), sendOf({ name: 'second' })];
    const shadow = new UserLog(journeys(steps, { reentry: { kind: 'once' }, shadow: true }));
    shadow.event('a', 0);
    shadow.tick(DAY);
    expect(stepsOf(shadow)).toEqual(['first shadow', 'second shadow']);

    const other = journeyOf({ name: 'other', pattern: { kind: 'event', on: { type: 'b', where: null } } });
    const program = journeys(steps, { reentry: { kind: 'once' } });
    const log = new UserLog({ ...program, journeys: [...program.journeys, other], limits: { ...program.limits, ledger: 1 } });
    log.event('a', 0);
    log.event('b', 1);
    log.tick(DAY);
    expect(stepsOf(log)).toEqual(['first sent', 'send sent', 'second sent']);
  });

  it('remembers its own messages as long as it runs', () => {
    const steps = [sendOf({ name: 'first', next: 1 }), waitOf('w', 30 * DAY, { next: 2 }), sendOf({ name: 'second' })];
    const log = new UserLog(journeys(steps, { reentry: { kind: 'every', intervalMs: 60 * DAY } }));
    log.event('a', 0);
    for (let day = 1; day <= 29; day++) log.tick(day * DAY);
    expect(log.state.ledger).toHaveLength(1);
    log.tick(30 * DAY);
    expect(stepsOf(log)).toEqual(['first sent', 'second sent']);
    log.tick(90 * DAY);
    expect(log.state.ledger).toEqual([]);
  });

  it('takes the first case that holds; one that cannot be evaluated does not', () => {
    const fails = (): boolean => {
      throw new EvaluationError('missing');
    };
    const plan =
      (name: string) =>
      ({ state }: { readonly state: UserLog['state'] }) =>
        state.profile['plan'] === name;
    const cases = [
      { when: fails, next: 1 },
      { when: plan('pro'), next: 2 },
    ];
    const steps: JourneyStep[] = [
      { kind: 'branch', name: 'plan', cases, next: 3 },
      sendOf({ name: 'never' }),
      sendOf({ name: 'pro' }),
      sendOf({ name: 'other' }),
    ];
    const log = new UserLog(journeys(steps));
    log.event('a', 0);
    log.event('$profile', 1, { properties: { plan: 'pro' } });
    log.event('a', 2);
    expect(stepsOf(log)).toEqual(['other sent', 'pro sent']);
  });

  it('sets attributes, but for those that cannot be computed', () => {
    const fails = (): string => {
      throw new EvaluationError('missing');
    };
    const set = new Map([
      ['stage', () => 'nudged'],
      ['lost', fails],
    ]);
    const log = new UserLog(journeys([{ kind: 'update', name: 'mark', set, next: null }]));
    log.event('$profile', 0, { properties: { lost: 'kept' } });
    log.event('a', 1);
    expect(log.state.profile).toEqual({ lost: 'kept', stage: 'nudged' });
  });

  it('leaves out attributes that there is no room for, that are too long, and that are no number', () => {
    const set = new Map<string, () => string | number>([
      ['new', () => 'x'],
      ['newer', () => 'x'],
      ['long', () => 'x'.repeat(MAX_ATTRIBUTE_LENGTH + 1)],
      ['number', () => Number.NaN],
      ['old', () => 'set'],
    ]);
    const program = journeys([{ kind: 'update', name: 'mark', set, next: 1 }, sendOf()]);
    const log = new UserLog({ ...program, limits: { ...program.limits, profileAttributes: 2 } });
    log.event('$profile', 0, { properties: { old: 'kept' } });
    log.event('a', 1);
    expect(log.state.profile).toEqual({ old: 'set', new: 'x' });
    expect(stepsOf(log)).toEqual(['send sent']);
  });

  it('does not begin again while it waits', () => {
    const pattern = { kind: 'milestone', on: { type: 'a', where: null }, tallyId: 't', isReached: (n: number) => n === 1 } as const;
    const key = (event: Event): string => String(event.properties['k']);
    const tallies = [{ id: 't', of: 'events', on: { type: 'a', where: null }, key }] as const;
    const program = journeys([waitOf('w', DAY, { next: 1 }), sendOf()], { pattern, key }, { tallies });
    const log = new UserLog({ ...program, limits: { ...program.limits, keysPerTracker: 1 } });
    for (const k of ['x', 'y', 'x']) log.event('a', 0, { properties: { k } });
    expect(log.state.matches.map(({ occurrence: id }) => id)).toEqual(['x#1', 'y#1']);
  });

  it('sets none in the shadow', () => {
    const set = new Map([['stage', () => 'nudged']]);
    const log = new UserLog(journeys([{ kind: 'update', name: 'mark', set, next: 1 }, sendOf()], { shadow: true }));
    log.event('a', 0);
    expect(log.state.profile).toEqual({});
    expect(stepsOf(log)).toEqual(['send shadow']);
  });

  it('says where it exits', () => {
    const log = new UserLog(journeys([{ kind: 'exit', name: 'enough' }]));
    log.event('a', 0);
    expect(log.decisions).toMatchObject([{ step: 'enough', outcome: 'exited', reason: 'exit' }]);
  });

  it('goes on at another wait where an edit has removed its own, and else ends with a reason', () => {
    const before = journeys([waitOf('old', DAY, { next: 1 }), sendOf({ name: 'old_send' })]);
    const log = new UserLog(before);
    log.event('a', 0);
    const moved = new Map([['old', 'new']]);
    log.program = journeys(
      [
        waitOf('new', HOUR, { until: [{ trackerId: 'b', by: 'key', next: 1 }], next: 2 }),
        sendOf({ name: 'came' }),
        sendOf({ name: 'over' }),
      ],
      { moved },
    );
    const other = new UserLog(before);
    other.event('a', 0);
    other.program = journeys([waitOf('new', HOUR, { next: 1 }), sendOf()]);
    log.event('b', MINUTE);
    expect(stepsOf(log)).toEqual(['came sent']);
    other.tick(DAY);
    expect(stepsOf(other)).toEqual(['old step_removed']);
  });

  it('drops the oldest of too many that wait, with a decision', () => {
    const program = journeys([waitOf('w', DAY)]);
    const log = new UserLog({ ...program, limits: { ...program.limits, matchesPerJourney: 2 } });
    for (let i = 0; i < 3; i++) log.event('a', i, { id: `a${i}` });
    expect(log.state.matches.map(({ occurrence: id }) => id)).toEqual(['a1', 'a2']);
    expect(stepsOf(log)).toEqual(['w limit']);
  });
});

describe('a split', () => {
  it('divides users by its shares, always in the same way, and growing the first arm only adds to it', () => {
    const users = Array.from({ length: 4_000 }, (_, i) => `user-${i}`);
    const inFirst = (share: number): Set<string> => new Set(users.filter((user) => bucketOf('salt', user) < share * BUCKETS));
    const [small, large] = [inFirst(0.1), inFirst(0.3)];
    expect(small.size / users.length).toBeGreaterThan(0.07);
    expect(small.size / users.length).toBeLessThan(0.13);
    expect([...small].every((user) => large.has(user))).toBe(true);
    const both = users.filter((user) => bucketOf('salt', user) < 5_000 && bucketOf('other', user) < 5_000);
    expect(both.length / users.length).toBeGreaterThan(0.2);
    expect(both.length / users.length).toBeLessThan(0.3);
  });

  it('sends a user down one arm', () => {
    const arms = [
      { name: 'a', upTo: 5_000, next: 1 },
      { name: 'b', upTo: BUCKETS, next: 2 },
    ];
    const steps: JourneyStep[] = [{ kind: 'split', name: 's', salt: 'x', arms }, sendOf({ name: 'a' }), sendOf({ name: 'b' })];
    for (let i = 0; i < 20; i++) {
      const log = new UserLog(journeys(steps), `user-${i}`);
      log.event('a', 0);
      expect(stepsOf(log)).toEqual([`${bucketOf('x', `user-${i}`) < 5_000 ? 'a' : 'b'} sent`]);
    }
  });
});
