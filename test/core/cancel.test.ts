import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvaluationError } from '../../src/core/condition.ts';
import type { Journey, SendStep } from '../../src/core/journey.ts';
import type { Program, Tracker } from '../../src/core/program.ts';
import { DAY, HOUR, MINUTE, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const cart: Journey['key'] = (event) => {
  const value = event.properties['cart'];
  return typeof value === 'string' ? value : null;
};

/** `a`, then an hour later a message, whatever else happens; `b` is the goal, `x` a suppressor. */
function reminder(send: Partial<SendStep> = {}, key: Journey['key'] = null, tracker: Partial<Tracker> = {}): Program {
  return programOf({
    trackers: [trackerOf('none', ['c'], { key }), trackerOf('b', ['b'], { key, ...tracker }), trackerOf('x', ['x', 'a'])],
    journeys: [
      journeyOf({
        name: 'j',
        key,
        pattern: { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 'none', withinMs: HOUR },
        cancelOn: [
          { trackerId: 'b', label: 'bought', goal: true },
          { trackerId: 'x', label: 'left', goal: false },
        ],
        send,
      }),
    ],
  });
}

describe('what cancels', () => {
  it('does so when it is appended before the firing tick, also at and after the deadline', () => {
    for (const [at, appendedAt] of [
      [MINUTE, MINUTE],
      [HOUR, HOUR],
      [HOUR, HOUR + MINUTE],
      [2 * HOUR, 2 * HOUR],
    ] as const) {
      const log = new UserLog(reminder());
      log.event('a', 0, { id: 'e' });
      log.event('b', appendedAt, { at });
      log.tick(appendedAt + HOUR);
      expect(log.outcomes).toEqual(['j e goal']);
    }
  });

  it('does so in the same millisecond before the tick, and no more behind it', () => {
    const behind = new UserLog(reminder());
    behind.event('a', 0, { id: 'e' });
    behind.tick(HOUR);
    behind.event('b', HOUR);
    expect(behind.outcomes).toEqual(['j e sent']);
    const before = new UserLog(reminder());
    before.event('a', 0, { id: 'e' });
    before.event('b', HOUR);
    before.tick(HOUR);
    expect(before.outcomes).toEqual(['j e goal']);
  });

  it('does so where it was appended before its trigger, if it is not older than it', () => {
    const log = new UserLog(reminder());
    log.event('b', 2 * MINUTE, { at: MINUTE });
    log.event('a', 3 * MINUTE, { id: 'at the same time', at: MINUTE });
    log.event('a', 4 * MINUTE, { id: 'later', at: MINUTE + 1 });
    log.tick(3 * HOUR);
    expect(log.reasonOf('at the same time')).toBe('goal');
    expect(log.reasonOf('later')).toBe('sent');
  });

  it('is never the trigger itself, but an equal event after it', () => {
    const log = new UserLog(reminder());
    log.event('a', 0, { id: 'first' });
    log.event('a', MINUTE, { id: 'second' });
    log.tick(3 * HOUR);
    expect(log.outcomes).toEqual(['j first suppressed', 'j second sent']);
  });

  it('is taken after an outage that was longer than moments are kept', () => {
    const log = new UserLog(reminder());
    log.event('a', 0, { id: 'e' });
    log.event('b', 5 * DAY, { at: MINUTE });
    log.tick(5 * DAY);
    expect(log.outcomes).toEqual(['j e goal']);
    log.tick(9 * DAY);
    expect(log.state.trackers).toEqual({});
  });

  it('is kept for as long as a match waits that it cancels', () => {
    const pattern = { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 'none', withinMs: 10 * DAY } as const;
    const program = reminder();
    const log = new UserLog({ ...program, journeys: [{ ...program.journeys[0]!, pattern }] });
    log.event('a', 0, { id: 'e' });
    log.event('b', MINUTE);
    for (let day = 1; day < 10; day++) log.tick(day * DAY);
    log.tick(10 * DAY);
    expect(log.outcomes).toEqual(['j e goal']);
    log.tick(20 * DAY);
    expect(log.state.trackers).toEqual({});
  });

  it('is looked for under the key of the journey: two carts, one bought', () => {
    const log = new UserLog(reminder({}, cart));
    log.event('a', 0, { id: 'one', properties: { cart: '1' } });
    log.event('b', MINUTE, { properties: { cart: '2' } });
    log.event('a', 2 * MINUTE, { id: 'two', at: 0, properties: { cart: '2' } });
    log.event('b', 3 * MINUTE);
    log.tick(2 * HOUR);
    expect(log.decisions.filter((d) => d.reason !== 'suppressed').map((d) => [d.occurrence, d.reason])).toEqual([['two', 'goal']]);
    expect(log.decisions.find((d) => d.occurrence === 'one')?.checks.find((c) => c.name === 'goal')?.passed).toBe(true);
  });

  it('finds one match per occurrence, though its event came again when its id was forgotten', () => {
    const program = reminder();
    const log = new UserLog({ ...program, limits: { ...program.limits, recentEventIds: 1 } });
    log.event('a', 0, { id: 'e' });
    log.event('view', 0, { id: 'other' });
    log.event('a', 0, { id: 'e' });
    expect(log.duplicates).toBe(0);
    expect(log.state.matches).toHaveLength(1);
  });

  it('holds where its condition cannot be evaluated: nothing is sent in doubt', () => {
    const where = (): never => {
      throw new EvaluationError('no total');
    };
    const log = new UserLog(reminder({}, null, { matches: [{ type: 'b', where }] }));
    log.event('a', 0, { id: 'e' });
    log.event('b', MINUTE);
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['j e goal']);
  });

  it('takes an absence away with a decision where its condition cannot be evaluated', () => {
    const where = (): never => {
      throw new EvaluationError('no total');
    };
    const program = programOf({
      trackers: [{ ...trackerOf('t', ['a']), matches: [{ type: 'b', where }] }],
      journeys: [
        journeyOf({ name: 'j', pattern: { kind: 'sequence', on: { type: 'a', where: null }, links: [], withoutId: 't', withinMs: HOUR } }),
      ],
    });
    const log = new UserLog(program);
    log.event('a', 0, { id: 'e' });
    log.event('b', MINUTE);
    log.tick(2 * HOUR);
    expect(log.outcomes).toEqual(['j e condition_error']);
  });

  it('equals its definition, for any order of arrival', () => {
    const entry = fc.record({
      type: fc.constantFrom('a', 'a', 'b', 'c', 'tick'),
      pause: fc.integer({ min: 0, max: 4 }),
      late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 9 })),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 25, size: 'max' }), (entries) => {
        const log = new UserLog(reminder());
        const appended: { type: string; t: number; off: number; tick: number; id: string }[] = [];
        let now = 0;
        for (const [off, { type, pause, late }] of [...entries, { type: 'tick', pause: 20, late: 0 }].entries()) {
          now += pause * 10 * MINUTE;
          const t = now - late * 10 * MINUTE;
          if (type === 'tick') log.tick(now);
          else log.event(type, now, { id: `e${off}`, at: t });
          appended.push({ type, t, off, tick: type === 'tick' ? now : -Infinity, id: `e${off}` });
        }
        const expected = appended.flatMap((a, i) => {
          if (a.type !== 'a') return [];
          const firing = appended.findIndex((other, j) => j > i && other.tick >= a.t + HOUR);
          const known = appended.slice(0, firing);
          if (known.some((c) => c.type === 'c' && (c.t > a.t || (c.t === a.t && c.off > a.off)) && c.t < a.t + HOUR)) return [];
          if (known.some((b) => b.type === 'b' && b.t >= a.t)) return [`j ${a.id} goal`];
          return [`j ${a.id} ${known.some((x) => x.type === 'a' && x !== a && x.t >= a.t) ? 'suppressed' : 'sent'}`];
        });
        expect(log.outcomes.toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what comes after the send', () => {
  const sent = (send: Partial<SendStep> = {}): UserLog => {
    const log = new UserLog(reminder({ ttlMs: HOUR, ...send }));
    log.event('$device_added', 0, { properties: { deviceId: 'd', kind: 'fcm', value: 't' } });
    log.event('a', 0, { id: 'e' });
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['j e sent']);
    return log;
  };

  it('takes back what is still open, and is a late suppression where it happened before the decision', () => {
    const log = sent();
    log.event('b', HOUR + MINUTE, { at: 30 * MINUTE });
    expect(log.revocations).toEqual([
      { commandId: log.commands[0]!.commandId, userId: 'user', channel: 'log', reason: 'goal', atMs: START + HOUR + MINUTE },
    ]);
    expect(log.lateSuppressions).toBe(1);
    expect(log.state.ledger[0]?.outcome).toBe('revoked');
    log.event('b', HOUR + MINUTE, { at: 30 * MINUTE });
    expect([log.revocations.length, log.lateSuppressions]).toEqual([1, 1]);
  });

  it('takes back, and counts nothing, where it happened after the decision: nothing could have stopped that', () => {
    const log = sent();
    log.event('x', HOUR + MINUTE);
    expect(log.revocations).toMatchObject([{ reason: 'suppressed' }]);
    expect(log.lateSuppressions).toBe(0);
  });

  it('is counted and takes nothing back where the provider has accepted, and is nothing where the message has expired', () => {
    const accepted = sent();
    accepted.event('$accepted', HOUR, { properties: { commandId: accepted.commands[0]!.commandId } });
    accepted.event('b', HOUR + MINUTE, { at: 30 * MINUTE });
    expect([accepted.revocations.length, accepted.lateSuppressions]).toEqual([0, 1]);
    const expired = sent();
    expired.event('b', 2 * HOUR, { at: 30 * MINUTE });
    expect([expired.revocations.length, expired.lateSuppressions]).toEqual([0, 0]);
  });

  it('is nothing where it is older than the trigger', () => {
    const log = sent();
    log.event('b', HOUR + MINUTE, { at: -1 });
    expect([log.revocations.length, log.lateSuppressions]).toEqual([0, 0]);
  });

  it('is an opt-out: what is open of its category is taken back, but nothing that needs no consent', () => {
    const marketing = sent({ class: 'marketing', category: 'offers' });
    marketing.event('$consent', HOUR, { properties: { category: 'other', state: 'out' } });
    expect(marketing.revocations).toEqual([]);
    marketing.event('$consent', HOUR, { properties: { category: 'offers', state: 'out' } });
    expect(marketing.revocations).toMatchObject([{ reason: 'opt_out' }]);
    const transactional = sent({ category: 'offers' });
    transactional.event('$consent', HOUR, { properties: { category: 'offers', state: 'out' } });
    expect(transactional.revocations).toEqual([]);
  });

  it('is the death of the last device that the command goes to', () => {
    const log = sent({ channels: ['fcm'] });
    log.event('$device_added', HOUR, { properties: { deviceId: 'other', kind: 'fcm', value: 't2' } });
    log.event('$device_removed', HOUR, { properties: { deviceId: 'other' } });
    expect(log.revocations).toEqual([]);
    log.event('$device_unreachable', HOUR + 1, { properties: { deviceId: 'd', sentAt: START + HOUR, reason: 'gone' } });
    expect(log.revocations).toMatchObject([{ reason: 'no_device' }]);
  });

  it('is the truth where the revocation lost the race: the outcome of the sender stands', () => {
    const log = sent();
    log.event('x', HOUR + MINUTE);
    log.event('$accepted', HOUR + MINUTE, { properties: { commandId: log.commands[0]!.commandId } });
    expect(log.state.ledger[0]?.outcome).toBe('accepted');
  });
});
