import { describe, expect, it } from 'vitest';
import { EvaluationError, type Condition } from '../../src/core/condition.ts';
import { HOUR, MINUTE, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const GAP = 30 * MINUTE;

function browsed(delayMs: number, where: Condition | null = null, captureSession = false) {
  return programOf({
    activity: ['view', 'cart'],
    silent: ['paid'],
    trackers: [trackerOf('bought', ['cart', 'paid']), trackerOf('any', ['*'])],
    journeys: [
      journeyOf({
        name: 'browsed',
        pattern: { kind: 'session_ended', where, delayMs },
        captureSession,
        cancelOn: [
          { trackerId: 'bought', label: 'bought', goal: true },
          { trackerId: 'any', label: 'came back', goal: false },
        ],
      }),
    ],
  });
}

const withoutCart: Condition = ({ trigger }) => {
  const counts = trigger?.session?.counts;
  if (counts === undefined) throw new EvaluationError('no session');
  return counts['view'] === 2 && counts['cart'] === undefined;
};

describe('a session that has ended', () => {
  it('of a user who never returns is noticed by tick, after its delay, once', () => {
    const log = new UserLog(browsed(5 * MINUTE));
    log.event('view', 0, { id: 'first' });
    log.event('view', MINUTE);
    log.tick(MINUTE + GAP);
    expect(log.state.session).toBeNull();
    expect(log.decisions).toEqual([]);
    log.tick(MINUTE + GAP + 5 * MINUTE);
    log.tick(5 * HOUR);
    expect(log.outcomes).toEqual(['browsed first sent']);
    expect(log.decisions[0]).toMatchObject({ dueAtMs: START + MINUTE + GAP + 5 * MINUTE, trigger: { eventId: 'first', offset: 0 } });
  });

  it('without a delay is decided at the closing tick itself', () => {
    const log = new UserLog(browsed(0));
    log.event('view', 0, { id: 'first' });
    log.tick(GAP);
    expect(log.outcomes).toEqual(['browsed first sent']);
  });

  it('is noticed by the first event of the next one, where no tick came between', () => {
    const log = new UserLog(browsed(0));
    log.event('view', 0, { id: 'first' });
    log.event('view', 2 * HOUR, { id: 'second' });
    expect(log.state.matches).toMatchObject([{ occurrence: 'first', dueMs: START + GAP }]);
    expect(log.decisions).toEqual([]);
    log.tick(2 * HOUR);
    expect(log.outcomes).toEqual(['browsed first suppressed']);
  });

  it('is judged by what it held', () => {
    const log = new UserLog(browsed(0, withoutCart));
    log.event('view', 0, { id: 'two views' });
    log.event('view', MINUTE);
    log.tick(HOUR);
    log.event('view', 2 * HOUR, { id: 'and a cart' });
    log.event('view', 2 * HOUR);
    log.event('cart', 2 * HOUR);
    log.tick(4 * HOUR);
    expect(log.outcomes).toEqual(['browsed two views sent']);
  });

  it('whose condition cannot be evaluated is rejected, and recorded', () => {
    const program = browsed(0, () => {
      throw new EvaluationError('no such field');
    });
    const log = new UserLog(program);
    log.event('view', 0, { id: 'first' });
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['browsed first condition_error']);
    expect(log.decisions[0]?.checks).toEqual([{ name: 'condition', passed: false, detail: 'no such field' }]);
  });

  it('is cancelled by what came behind its last activity, and not by its own events', () => {
    const own = new UserLog(browsed(HOUR));
    own.event('view', 0);
    own.event('cart', MINUTE);
    own.tick(3 * HOUR);
    expect(own.decisions.map((decision) => decision.reason)).toEqual(['sent']);
    const paid = new UserLog(browsed(HOUR));
    paid.event('view', 0);
    paid.event('paid', MINUTE);
    paid.tick(3 * HOUR);
    expect(paid.decisions.map((decision) => decision.reason)).toEqual(['goal']);
  });

  it('is kept with its snapshot only where the journey reads it', () => {
    const kept = new UserLog(browsed(HOUR, withoutCart, true));
    const dropped = new UserLog(browsed(HOUR, withoutCart, false));
    for (const log of [kept, dropped]) {
      log.event('view', 0);
      log.event('view', 1);
      log.tick(HOUR);
    }
    expect(kept.state.matches[0]?.trigger.session).toMatchObject({ count: 2, counts: { view: 2 } });
    expect(dropped.state.matches[0]?.trigger.session).toBeNull();
  });
});
