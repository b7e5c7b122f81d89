import { describe, expect, it } from 'vitest';
import { SESSION_STARTED } from '../../src/core/program-index.ts';
import type { Journey, SendStep, WhileActive } from '../../src/core/journey.ts';
import type { Program } from '../../src/core/program.ts';
import { HOUR, MINUTE, UserLog, journeyOf, programOf, sendOf, trackerOf } from './support.ts';

const HOLD: WhileActive = { kind: 'hold', atMostMs: HOUR };

/** On `a`, in whose program people count as active for two minutes. `quiet` is nothing that they do. */
function logOf(whileActive: WhileActive, parts: Partial<Journey> = {}, more: Partial<Program> = {}, send: Partial<SendStep> = {}): UserLog {
  const pattern = { kind: 'event', on: { type: 'a', where: null } } as const;
  return new UserLog(
    programOf({
      activity: ['a', 'b', 'x'],
      silent: ['quiet'],
      trackers: [trackerOf('x', ['x'])],
      journeys: [journeyOf({ name: 'j', pattern, steps: [sendOf({ whileActive, ...send })], ...parts })],
      ...more,
    }),
  );
}

const outcomes = (log: UserLog): string[] =>
  log.decisions.map(({ reason, decidedAtMs }) => `${reason} ${(decidedAtMs - log.startMs) / MINUTE}`);

describe('a message that is held back while the user is in the app', () => {
  it('goes out when they have been away for long enough', () => {
    const log = logOf(HOLD);
    log.event('a', 0);
    expect(log.state.matches.map(({ wait }) => wait?.step)).toEqual(['send']);
    log.event('b', MINUTE);
    log.event('quiet', 2 * MINUTE);
    log.tick(2 * MINUTE);
    expect(log.decisions).toEqual([]);
    log.tick(3 * MINUTE);
    expect(outcomes(log)).toEqual(['sent 3']);
    expect(log.state.matches).toEqual([]);
  });

  it('goes out at once to who is away', () => {
    const pattern = { kind: 'inactive', since: null, forMs: 10 * MINUTE } as const;
    const log = logOf(HOLD, { pattern });
    log.event('b', 0);
    log.tick(10 * MINUTE);
    expect(outcomes(log)).toEqual(['sent 10']);
  });

  it('is left out when they stay for as long as it may wait', () => {
    const log = logOf(HOLD);
    for (let at = 0; at < 70; at++) {
      log.event(at === 0 ? 'a' : 'b', at * MINUTE);
      log.tick(at * MINUTE);
    }
    expect(outcomes(log)).toEqual(['active 60']);
    expect(log.decisions[0]!.checks.find(({ name }) => name === 'active')!.detail).toMatch(
      /in the app for \d+ ms more, held back for 3600000 ms/,
    );
  });

  it('passes the whole gate when it is let go: the goal, what it is late by', () => {
    const cancelOn = [{ trackerId: 'x', label: 'bought', goal: true }];
    const goal = logOf(HOLD, { cancelOn });
    goal.event('a', 0);
    goal.event('x', MINUTE);
    expect(goal.decisions.map(({ outcome, reason, step }) => [outcome, reason, step])).toEqual([['exited', 'goal', 'send']]);
    expect(goal.state.matches).toEqual([]);
    const late = logOf(HOLD, { expiresAfterMs: MINUTE });
    late.event('a', 0);
    late.tick(2 * MINUTE);
    expect(outcomes(late)).toEqual(['expired 2']);
  });

  it('is what an outage makes of it: looked at when it is over', () => {
    const log = logOf(HOLD);
    log.event('a', 0);
    log.event('b', 30 * MINUTE);
    log.tick(30 * MINUTE);
    expect(log.decisions).toEqual([]);
    log.tick(40 * MINUTE);
    expect(outcomes(log)).toEqual(['sent 40']);
  });

  it('goes on from there: the next wait counts from the message', () => {
    const wait = { kind: 'wait', name: 'w', forMs: HOUR, atMinutes: null, until: [], fromTrigger: false, next: 2 } as const;
    const log = logOf(HOLD, { steps: [sendOf({ name: 'one', whileActive: HOLD, next: 1 }), wait, sendOf({ name: 'two' })] });
    log.event('a', 0);
    log.tick(2 * MINUTE);
    log.tick(2 * MINUTE + HOUR - 1);
    expect(outcomes(log)).toEqual(['sent 2']);
    log.tick(2 * MINUTE + HOUR);
    expect(outcomes(log)).toEqual(['sent 2', 'sent 62']);
  });

  it('ends with a decision where an edit has removed its step', () => {
    const log = logOf(HOLD);
    log.event('a', 0);
    log.program = programOf({
      journeys: [journeyOf({ name: 'j', pattern: { kind: 'event', on: { type: 'a', where: null } }, steps: [sendOf({ name: 'other' })] })],
    });
    log.tick(2 * MINUTE);
    expect(log.decisions.map(({ outcome, reason, step }) => [outcome, reason, step])).toEqual([['exited', 'step_removed', 'send']]);
  });

  it('stands back for another that is let go at the same moment', () => {
    const pattern = { kind: 'event', on: { type: 'a', where: null } } as const;
    const steps = [sendOf({ whileActive: HOLD, class: 'marketing', category: 'offers' })];
    const journeys = [journeyOf({ name: 'a', pattern, steps, priority: 1 }), journeyOf({ name: 'b', pattern, steps, priority: 2 })];
    const log = new UserLog(programOf({ journeys }));
    log.event('a', 0);
    log.tick(2 * MINUTE);
    expect(log.decisions.map(({ journey, reason }) => `${journey} ${reason}`)).toEqual(['b sent', 'a priority']);
  });
});

describe('a message to somebody in the app', () => {
  it('takes another channel instead, and the usual one when they have left', () => {
    const instead: WhileActive = { kind: 'instead', channels: ['log'] };
    const log = logOf(instead, {}, {}, { channels: ['fcm'] });
    log.event('$device_added', 0, { properties: { deviceId: 'd', kind: 'fcm', value: 't' } });
    log.event('a', 1);
    expect(log.commands.map(({ channel, devices }) => [channel, devices.length])).toEqual([['log', 0]]);
    const silence = logOf(instead, { pattern: { kind: 'inactive', since: null, forMs: HOUR } }, {}, { channels: ['fcm'] });
    silence.event('$device_added', 0, { properties: { deviceId: 'd', kind: 'fcm', value: 't' } });
    silence.event('b', 1);
    silence.tick(HOUR + 1);
    expect(silence.commands.map(({ channel, devices }) => [channel, devices.length])).toEqual([['fcm', 1]]);
  });

  it('is left out, or waits, also where it comes of the session that has just begun', () => {
    const pattern = { kind: 'event', on: { type: SESSION_STARTED, where: null } } as const;
    const dropped = logOf({ kind: 'drop' }, { pattern });
    dropped.event('a', 0);
    expect(outcomes(dropped)).toEqual(['active 0']);
    const held = logOf(HOLD, { pattern });
    held.event('a', 0);
    held.tick(2 * MINUTE);
    expect(outcomes(held)).toEqual(['sent 2']);
  });

  it('is left out where the step says so', () => {
    const log = logOf({ kind: 'drop' });
    log.event('a', 0);
    expect(outcomes(log)).toEqual(['active 0']);
    expect(log.decisions[0]!.checks.find(({ name }) => name === 'active')!.detail).toBe('counts as in the app for 120000 ms more');
  });
});
