import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvaluationError } from '../../src/core/condition.ts';
import { onTimer } from '../../src/core/step.ts';
import { SESSION_TIMER } from '../../src/core/timers.ts';
import { DAY, HOUR, MINUTE, START, UserLog, programOf } from './support.ts';

const GAP = 30 * MINUTE;

const program = programOf({
  silent: ['shipped'],
  sums: [
    {
      name: 'cents',
      type: 'a',
      value: (event) => {
        const price = event.properties['price'];
        if (typeof price !== 'number') throw new EvaluationError('no price');
        return price * 100;
      },
    },
  ],
});

describe('a session window', () => {
  it('counts its events, in total and by type, and sums what is asked for', () => {
    const log = new UserLog(program);
    log.event('a', 0, { id: 'first', properties: { price: 2 } });
    log.event('b', MINUTE);
    log.event('a', 2 * MINUTE, { properties: { price: 0.5 } });
    log.event('a', 3 * MINUTE);
    expect(log.state.session).toEqual({
      id: 'first',
      opened: { topic: 'timeline', partition: 0, offset: 0 },
      startMs: START,
      lastMs: START + 3 * MINUTE,
      lastAppendedAtMs: START + 3 * MINUTE,
      count: 4,
      counts: { a: 3, b: 1 },
      sums: { cents: 250 },
      closeTimerMs: START + GAP,
    });
  });

  it('splits where event time says so: at the gap it joins, beyond it opens the next', () => {
    const log = new UserLog(program);
    log.event('a', 0);
    log.event('a', GAP);
    expect(log.state.session?.count).toBe(2);
    log.event('a', 2 * GAP + 1, { id: 'next' });
    expect(log.state.session).toMatchObject({ id: 'next', count: 1 });
    expect(log.state.lifetime.sessions).toBe(2);
  });

  it('takes a late event within the gap before its start, and moves its start back', () => {
    const log = new UserLog(program);
    log.event('a', HOUR, { id: 'opening' });
    log.event('b', HOUR, { at: HOUR - GAP });
    expect(log.state.session).toMatchObject({ id: 'opening', startMs: START + HOUR - GAP, lastMs: START + HOUR, count: 2 });
  });

  it('leaves what is beyond the gap backward to a closed past', () => {
    const log = new UserLog(program);
    log.event('a', HOUR, { id: 'opening' });
    log.event('b', HOUR, { at: HOUR - GAP - 1 });
    expect(log.state.session).toMatchObject({ id: 'opening', count: 1, startMs: START + HOUR });
    expect(log.state.lifetime).toMatchObject({ sessions: 1, firstSeenAtMs: START + HOUR - GAP - 1 });
  });

  it('is closed by a tick once the gap has passed, not before, and its timer moves lazily', () => {
    const log = new UserLog(program);
    log.event('a', 0);
    log.event('a', 20 * MINUTE);
    expect(log.state.session?.closeTimerMs).toBe(START + GAP);
    log.tick(20 * MINUTE + GAP - 1);
    expect(log.state.session?.closeTimerMs).toBe(START + 20 * MINUTE + GAP);
    log.tick(20 * MINUTE + GAP);
    expect(log.state.session).toBeNull();
  });

  it('takes what was appended before the closing tick, though the gap has passed', () => {
    const log = new UserLog(program);
    log.event('a', 0);
    log.event('b', HOUR - 2, { at: GAP });
    log.tick(HOUR - 1);
    expect(log.state.session).toMatchObject({ count: 2, lastMs: START + GAP });
    log.tick(HOUR);
    expect(log.state.session).toBeNull();
  });

  it('is closed at its end and nowhere before, in the order of timers, also where time has passed it by far', () => {
    const log = new UserLog(program);
    log.event('a', 0);
    log.event('a', 20 * MINUTE);
    const early = onTimer(log.state, { id: SESSION_TIMER, dueMs: START + GAP }, START + 5 * HOUR, program);
    expect(early.state.session?.closeTimerMs).toBe(START + 20 * MINUTE + GAP);
    const end = onTimer(early.state, { id: SESSION_TIMER, dueMs: START + 20 * MINUTE + GAP }, START + 5 * HOUR, program);
    expect(end.state.session).toBeNull();
  });

  it('stays closed: an event of its time that comes after the tick changes no window', () => {
    const log = new UserLog(program);
    log.event('a', 0);
    log.event('a', 10 * MINUTE);
    log.tick(HOUR);
    log.event('b', HOUR, { at: 10 * MINUTE });
    expect(log.state.session).toBeNull();
    expect(log.state.lifetime.sessions).toBe(1);
    log.event('b', HOUR, { at: 10 * MINUTE + 1 });
    expect(log.state.lifetime.sessions).toBe(2);
  });

  it('is neither opened nor kept open by what is no activity', () => {
    const log = new UserLog(program);
    log.event('shipped', 0);
    expect(log.state.session).toBeNull();
    log.event('a', 0);
    log.event('shipped', 20 * MINUTE);
    log.event('unheard', 20 * MINUTE);
    expect(log.state.session?.count).toBe(1);
    expect(log.state.lifetime).toMatchObject({ sessions: 1, lastActivityAtMs: START });
  });

  it('is not touched by an import or by an event that is too old; both tell when the user was first seen', () => {
    const log = new UserLog(program);
    log.event('a', 2 * DAY, { imported: true, at: -300 * DAY });
    log.event('a', 2 * DAY, { at: DAY - 1 });
    expect(log.state.session).toBeNull();
    expect(log.state.lifetime).toEqual({
      sessions: 0,
      firstSeenAtMs: START - 300 * DAY,
      lastActivityAtMs: START + DAY - 1,
      lastActivityAppendedAtMs: null,
    });
    log.event('a', 2 * DAY, { at: DAY });
    expect(log.state.session).not.toBeNull();
  });

  it('equals its definition, for any order of arrival and any ticks', () => {
    const entry = fc.record({
      tick: fc.integer({ min: 0, max: 4 }),
      pause: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 }), fc.integer({ min: 6, max: 20 })),
      late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 8 })),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40, size: 'max' }), (entries) => {
        const log = new UserLog(program);
        const definition = new Definition();
        let now = 0;
        for (const { tick, pause, late } of entries) {
          now += pause * 5 * MINUTE;
          const at = now - late * 5 * MINUTE;
          if (tick === 0) {
            log.tick(now);
            definition.tick(now);
          } else {
            log.event('a', now, { at });
            definition.event(at);
          }
          const { session, lifetime } = log.state;
          const window = session && { start: session.startMs - START, last: session.lastMs - START, count: session.count };
          expect({ window, sessions: lifetime.sessions }).toEqual({ window: definition.window(), sessions: definition.sessions });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Keeps all members of the open session and all events, and derives everything from them anew. */
class Definition {
  sessions = 0;
  #all: number[] = [];
  #open: number[] | null = null;

  event(at: number): void {
    const isNext = this.#open === null ? at > Math.max(-Infinity, ...this.#all) : this.#open.every((other) => at - other > GAP);
    if (isNext) {
      this.#open = [at];
      this.sessions++;
    } else if (this.#open !== null && at >= Math.min(...this.#open) - GAP) this.#open.push(at);
    this.#all.push(at);
  }

  tick(now: number): void {
    if (this.#open?.every((at) => now - at >= GAP)) this.#open = null;
  }

  window(): { start: number; last: number; count: number } | null {
    return this.#open && { start: Math.min(...this.#open), last: Math.max(...this.#open), count: this.#open.length };
  }
}
