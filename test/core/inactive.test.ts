import { describe, expect, it } from 'vitest';
import { timersOf } from '../../src/core/timers.ts';
import { HOUR, MINUTE, SECOND, START, UserLog, journeyOf, programOf } from './support.ts';

const checkout = programOf({
  activity: ['checkout', 'view'],
  silent: ['shipped'],
  journeys: [
    journeyOf({
      name: 'stuck',
      pattern: { kind: 'inactive', since: { type: 'checkout', where: null }, forMs: 90 * SECOND },
      capture: ['step'],
    }),
  ],
});
const quiet = programOf({
  activity: ['checkout', 'view'],
  silent: ['shipped'],
  journeys: [journeyOf({ name: 'quiet', pattern: { kind: 'inactive', since: null, forMs: HOUR } })],
});

describe('inactivity after an event', () => {
  it('fires when nothing was done for as long, counted from append time', () => {
    const log = new UserLog(checkout);
    log.event('checkout', 60 * SECOND, { id: 'c', at: 0 });
    log.tick(150 * SECOND - 1);
    expect(log.decisions).toEqual([]);
    log.tick(150 * SECOND);
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['stuck c sent']);
    expect(log.decisions[0]?.dueAtMs).toBe(START + 150 * SECOND);
  });

  it('is ended by any later activity, also one that happened before, and not by what is no activity', () => {
    const ended = new UserLog(checkout);
    ended.event('checkout', MINUTE);
    ended.event('view', 2 * MINUTE, { at: 0 });
    expect(ended.state.matches).toEqual([]);
    const silent = new UserLog(checkout);
    silent.event('checkout', 0, { id: 'c' });
    silent.event('shipped', MINUTE);
    silent.event('$opened', MINUTE, { properties: { commandId: 'x' } });
    silent.event('view', MINUTE, { imported: true });
    silent.tick(HOUR);
    expect(silent.outcomes).toEqual(['stuck c sent']);
  });

  it('runs from the last of repeated triggers', () => {
    const log = new UserLog(checkout);
    log.event('checkout', 0, { id: 'first', properties: { step: 1 } });
    log.event('checkout', MINUTE, { id: 'second', properties: { step: 2 } });
    log.tick(90 * SECOND);
    expect(log.decisions).toEqual([]);
    expect(log.state.matches[0]?.trigger.properties).toEqual({ step: 2 });
    log.tick(150 * SECOND);
    expect(log.outcomes).toEqual(['stuck second sent']);
  });

  it('is not ended by an ingested event that was first appended before the trigger', () => {
    const log = new UserLog(checkout);
    log.event('checkout', MINUTE, { id: 'c' });
    log.event('view', 2 * MINUTE, { appendedAt: 30 * SECOND, at: 30 * SECOND });
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['stuck c sent']);
  });
});

describe('inactivity after anything', () => {
  it('fires once per silence; the occurrence is the last activity before it', () => {
    const log = new UserLog(quiet);
    log.event('view', 0, { id: 'one' });
    log.event('view', 10 * MINUTE, { id: 'two' });
    log.tick(2 * HOUR);
    log.event('view', 3 * HOUR, { id: 'three' });
    log.tick(5 * HOUR);
    expect(log.outcomes).toEqual(['quiet two sent', 'quiet three sent']);
    expect(log.decisions.map((decision) => decision.dueAtMs - START)).toEqual([HOUR + 10 * MINUTE, 4 * HOUR]);
  });

  it('leaves its timer in place while the user is active', () => {
    const log = new UserLog(quiet);
    log.event('view', 0);
    const before = timersOf(log.state).filter((timer) => timer.id.startsWith('match'));
    log.event('view', 10 * MINUTE);
    log.event('checkout', 20 * MINUTE);
    expect(timersOf(log.state).filter((timer) => timer.id.startsWith('match'))).toEqual(before);
    log.tick(HOUR);
    expect(log.decisions).toEqual([]);
    expect(timersOf(log.state)).toContainEqual({ ...before[0], dueMs: START + HOUR + 20 * MINUTE });
  });
});
