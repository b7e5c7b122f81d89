import { describe, expect, it } from 'vitest';
import { EvaluationError } from '../../src/core/condition.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import { HOUR, MINUTE, UserLog, journeyOf, programOf, sendOf, trackerOf } from './support.ts';

const ON_A = { kind: 'event', on: { type: 'a', where: null } } as const;
const CAPPED = { class: 'marketing', category: 'offers' } as const;

/** A journey with a priority whose message counts under caps. */
function rival(name: string, priority: number | null, parts: Partial<Journey> = {}): Journey {
  return journeyOf({ name, pattern: ON_A, priority, send: CAPPED, ...parts });
}

const logOf = (journeys: readonly Journey[], more: Partial<Program> = {}): UserLog =>
  new UserLog(programOf({ trackers: [trackerOf('x', ['x'])], journeys, ...more }));
const reasons = (log: UserLog): Record<string, string> => Object.fromEntries(log.decisions.map(({ journey, reason }) => [journey, reason]));

describe('of the messages that one moment brings', () => {
  it('the one with the highest priority goes out, whatever the names, and the others say which it was', () => {
    const log = logOf([rival('a_low', 10), rival('m_high', 90), rival('z_mid', 50)]);
    log.event('a', 0);
    expect(reasons(log)).toEqual({ m_high: 'sent', z_mid: 'priority', a_low: 'priority' });
    expect(log.decisions[1]!.checks.at(-1)).toEqual({
      name: 'priority',
      passed: false,
      detail: 'm_high was sent at the same moment, with priority 90',
    });
    // The next moment is another one.
    log.event('a', 1);
    expect(log.decisions.slice(3).map(({ reason }) => reason)).toEqual(['sent', 'priority', 'priority']);
  });

  it('the next one has its turn where the first is stopped by its own checks', () => {
    const log = logOf([rival('first', 90, { audience: () => false }), rival('second', 50), rival('third', 10)]);
    log.event('a', 0);
    expect(reasons(log)).toEqual({ first: 'audience', second: 'sent', third: 'priority' });
    const broken = logOf([
      rival('first', 90, {
        audience: () => {
          throw new EvaluationError('unclear');
        },
      }),
      rival('second', 50),
    ]);
    broken.event('a', 0);
    expect(reasons(broken)).toEqual({ first: 'condition_error', second: 'sent' });
  });

  it('those without a priority, in the shadow or of a class that caps do not stop go their own way, and stand in nobody’s', () => {
    const log = logOf([
      rival('plain', null),
      rival('receipt', 99, { steps: [sendOf({ class: 'plain' })] }),
      rival('tried', 95, { shadow: true }),
      rival('low', 2),
      rival('tried_low', 1, { shadow: true }),
    ]);
    log.event('a', 0);
    expect(reasons(log)).toEqual({ plain: 'sent', receipt: 'sent', tried: 'shadow', low: 'sent', tried_low: 'shadow' });
  });

  it('of the same priority the one that is of use for the shorter time goes first', () => {
    const log = logOf([rival('a', 5), rival('b', 5, { expiresAfterMs: HOUR }), rival('c', 5, { expiresAfterMs: 2 * HOUR })]);
    log.event('a', 0);
    expect(log.decisions.map(({ journey, reason }) => `${journey} ${reason}`)).toEqual(['b sent', 'c priority', 'a priority']);
  });

  it('what is due at the same millisecond is one moment, also what a session’s end makes due', () => {
    const silence = { kind: 'inactive', since: null, forMs: 30 * MINUTE } as const;
    const ended = { kind: 'session_ended', where: null, delayMs: 0 } as const;
    const log = logOf([rival('a_silence', 10, { pattern: silence }), rival('z_ended', 90, { pattern: ended })]);
    log.event('a', 0);
    log.tick(HOUR);
    expect(reasons(log)).toEqual({ z_ended: 'sent', a_silence: 'priority' });
    expect(log.state.matches).toEqual([]);
    const apart = logOf([
      rival('a_silence', 10, { pattern: { ...silence, forMs: 29 * MINUTE } }),
      rival('z_ended', 90, { pattern: ended }),
    ]);
    apart.event('a', 0);
    apart.tick(HOUR);
    expect(reasons(apart)).toEqual({ a_silence: 'sent', z_ended: 'sent' });
  });

  it('so is what an update starts that is due at that millisecond too, whoever makes it and whatever it is called', () => {
    const changed = (name: string): Journey['pattern'] => ({
      kind: 'attribute',
      attribute: name,
      changed: (before, after) => before[name] !== after[name],
    });
    const silence = { kind: 'inactive', since: null, forMs: 30 * MINUTE } as const;
    const sets = (name: string, attribute: string): Journey =>
      journeyOf({ name, pattern: silence, steps: [{ kind: 'update', name: 'u', set: new Map([[attribute, () => true]]), next: null }] });
    const log = logOf([
      sets('a_first', 'one'),
      rival('one', 1, { pattern: changed('one') }),
      rival('silence', 5, { pattern: silence }),
      sets('z_last', 'two'),
      rival('two', 9, { pattern: changed('two') }),
    ]);
    log.event('a', 0);
    log.tick(HOUR);
    expect(reasons(log)).toEqual({ two: 'sent', silence: 'priority', one: 'priority' });
  });

  it('a run whose message was left out goes on', () => {
    const steps = [
      sendOf({ ...CAPPED, name: 'now', next: 1 }),
      { kind: 'wait', name: 'w', forMs: HOUR, atMinutes: null, until: [], fromTrigger: false, next: 2 } as const,
      sendOf({ ...CAPPED, name: 'later' }),
    ];
    const log = logOf([rival('low', 1, { steps }), rival('high', 2)]);
    log.event('a', 0);
    log.tick(HOUR);
    expect(log.decisions.map(({ journey, step, reason }) => `${journey}/${step} ${reason}`)).toEqual([
      'high/send sent',
      'low/now priority',
      'low/later sent',
    ]);
  });

  it('a run’s own second message does not stand back for its first', () => {
    const steps = [sendOf({ ...CAPPED, name: 'one', next: 1 }), sendOf({ ...CAPPED, name: 'two' })];
    const log = logOf([rival('both', 5, { steps }), rival('other', 1)]);
    log.event('a', 0);
    expect(log.decisions.map(({ journey, step, reason }) => `${journey}/${step} ${reason}`)).toEqual([
      'both/one sent',
      'both/two sent',
      'other/send priority',
    ]);
  });

  it('where the first is stopped, what its run says next comes before the others, of which it has the higher priority', () => {
    const steps = [sendOf({ ...CAPPED, name: 'one', channels: ['fcm'], next: 1 }), sendOf({ ...CAPPED, name: 'two' })];
    const log = logOf([rival('high', 9, { steps }), rival('low', 1)]);
    log.event('a', 0);
    expect(log.decisions.map(({ journey, step, reason }) => `${journey}/${step} ${reason}`)).toEqual([
      'high/one no_device',
      'high/two sent',
      'low/send priority',
    ]);
  });

  it('leaves no more than one under a cap of one', () => {
    const cap = { name: 'daily', max: 1, windowMs: 24 * HOUR, category: null, channel: null };
    const log = logOf([rival('a', 1), rival('b', 2)], { caps: [cap] });
    log.event('a', 0);
    log.event('a', HOUR);
    expect(log.decisions.map(({ journey, reason }) => `${journey} ${reason}`)).toEqual(['b sent', 'a cap', 'b cap', 'a cap']);
  });
});
