import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvaluationError } from '../../src/core/condition.ts';
import type { SequenceLink, SequencePattern } from '../../src/core/pattern-kinds.ts';
import type { Program } from '../../src/core/program.ts';
import { DAY, HOUR, MINUTE, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const of = (event: { readonly properties: Readonly<Record<string, unknown>> }): string | null => {
  const value = event.properties['of'];
  return typeof value === 'string' ? value : null;
};

/** a, b, c in this order within an hour. */
function sequences(parts: Partial<SequencePattern> = {}, keyed = false): Program {
  const key = keyed ? of : null;
  const leads = { key, restrains: false };
  return programOf({
    activity: ['a', 'b', 'c', 'x'],
    trackers: [trackerOf('b', ['b'], leads), trackerOf('c', ['c'], leads), trackerOf('x', ['x'], { key })],
    journeys: [
      journeyOf({
        name: 'abc',
        key,
        pattern: {
          ...{ kind: 'sequence', on: { type: 'a', where: null }, withoutId: null, withinMs: HOUR },
          links: [
            { trackerId: 'b', withoutId: null },
            { trackerId: 'c', withoutId: null },
          ],
          ...parts,
        },
      }),
    ],
  });
}

const BETWEEN: Partial<SequencePattern> = {
  links: [
    { trackerId: 'b', withoutId: null },
    { trackerId: 'c', withoutId: 'x' },
  ],
};

describe('the sequence pattern', () => {
  it('comes true with its last event', () => {
    const log = new UserLog(sequences());
    log.event('a', 0, { id: 'a' });
    log.event('b', MINUTE);
    expect(log.outcomes).toEqual([]);
    log.event('c', 2 * MINUTE);
    expect(log.outcomes).toEqual(['abc a sent']);
    expect(log.state.matches).toEqual([]);
  });

  it('may ask for its first event again: the last of them in a row count', () => {
    const again = (links: SequencePattern['links'], withoutId: string | null = null): Program => {
      const program = sequences({ links, withoutId });
      return { ...program, trackers: [...program.trackers, trackerOf('a', ['a'], { restrains: false })] };
    };
    const [a, b, c] = ['a', 'b', 'c'].map((trackerId) => ({ trackerId, withoutId: null })) as [SequenceLink, SequenceLink, SequenceLink];
    const aab = new UserLog(again([a, b]));
    for (let i = 1; i <= 5; i++) aab.event('a', i * MINUTE, { id: `a${i}` });
    // No more of them wait than count.
    expect(aab.state.matches.map(({ trigger }) => trigger.eventId)).toEqual(['a4', 'a5']);
    aab.event('b', 6 * MINUTE);
    expect([aab.outcomes, aab.state.matches]).toEqual([['abc a4 sent'], []]);
    aab.event('a', 7 * MINUTE);
    aab.event('b', 8 * MINUTE);
    aab.tick(3 * HOUR);
    expect(aab.outcomes).toHaveLength(1);

    const aaac = new UserLog(again([a, a, c]));
    for (let i = 1; i <= 4; i++) aaac.event('a', i * MINUTE, { id: `a${i}` });
    aaac.event('c', 5 * MINUTE);
    expect(aaac.outcomes).toEqual(['abc a2 sent']);

    const quiet = new UserLog(again([a], 'x'));
    quiet.event('a', 0, { id: 'a1' });
    quiet.event('a', MINUTE, { id: 'a2' });
    quiet.tick(2 * HOUR);
    expect(quiet.outcomes).toEqual(['abc a1 sent']);
    const loud = new UserLog(again([a], 'x'));
    loud.event('a', 0);
    loud.event('a', MINUTE);
    loud.event('x', 2 * MINUTE);
    loud.tick(2 * HOUR);
    expect(loud.outcomes).toEqual([]);
  });

  it('wants the order', () => {
    const log = new UserLog(sequences());
    log.event('b', 0);
    log.event('a', 1);
    log.event('c', 2);
    log.tick(2 * HOUR);
    expect(log.decisions).toEqual([]);
  });

  it('wants the last before the time is over', () => {
    const log = new UserLog(sequences());
    log.event('a', 0);
    log.event('b', 1);
    log.event('c', HOUR);
    log.tick(2 * HOUR);
    expect(log.decisions).toEqual([]);
    expect(log.state.matches).toEqual([]);
  });

  it('is the same in whatever order its events reach us', () => {
    const orders = fc.shuffledSubarray(['a', 'b', 'c'], { minLength: 3 });
    fc.assert(
      fc.property(orders, (order) => {
        const log = new UserLog(sequences());
        const at: Readonly<Record<string, number>> = { a: 0, b: 1, c: 2 };
        order.forEach((type, i) => log.event(type, 10 + i, { id: type, at: at[type]! }));
        expect(log.outcomes).toEqual(['abc a sent']);
      }),
    );
  });

  it('uses its events up: a last event ends one sequence, that of the first which came last', () => {
    const log = new UserLog(sequences({ links: [{ trackerId: 'c', withoutId: null }] }));
    log.event('a', 0, { id: 'a1' });
    log.event('a', 1, { id: 'a2' });
    log.event('c', 2);
    log.event('a', 3, { id: 'late', at: 1.5 });
    log.event('c', 4);
    expect(log.outcomes).toEqual(['abc a2 sent']);
  });

  it('keeps a first event whose second has come, when another first one follows', () => {
    const log = new UserLog(sequences());
    log.event('a', 0, { id: 'a1' });
    log.event('b', 1);
    log.event('a', 2, { id: 'a2' });
    log.event('c', 3);
    expect(log.outcomes).toEqual(['abc a1 sent']);
  });

  it('may forbid something between two of its events, and only there', () => {
    const between = new UserLog(sequences(BETWEEN));
    between.event('a', 0);
    between.event('b', 1);
    between.event('x', 2);
    between.event('c', 3);
    expect(between.decisions).toEqual([]);
    // Another second event behind it starts anew.
    between.event('b', 4);
    between.event('c', 5);
    expect(between.outcomes).toHaveLength(1);

    const before = new UserLog(sequences(BETWEEN));
    before.event('a', 0);
    before.event('x', 1);
    before.event('b', 2);
    before.event('c', 3);
    expect(before.outcomes).toHaveLength(1);
  });

  it('that ends with what must not come, comes true at the deadline', () => {
    const pattern = { links: [{ trackerId: 'b', withoutId: null }], withoutId: 'x' };
    const quiet = new UserLog(sequences(pattern));
    quiet.event('a', 0, { id: 'a' });
    quiet.event('x', 1);
    quiet.event('b', 2);
    quiet.tick(HOUR - 1);
    expect(quiet.decisions).toEqual([]);
    quiet.event('x', HOUR);
    quiet.tick(HOUR);
    expect(quiet.outcomes).toEqual(['abc a sent']);

    const negated = new UserLog(sequences(pattern));
    negated.event('a', 0);
    negated.event('b', 1);
    negated.event('x', HOUR - 1);
    negated.tick(HOUR);
    expect(negated.decisions).toEqual([]);
    expect(negated.state.matches).toEqual([]);

    const late = new UserLog(sequences(pattern));
    late.event('x', 3, { at: 2 });
    late.event('b', 4, { at: 1 });
    late.event('a', 5, { at: 0 });
    late.tick(HOUR);
    expect(late.decisions).toEqual([]);
  });

  it('keeps values of its key apart', () => {
    const log = new UserLog(sequences({ links: [{ trackerId: 'c', withoutId: null }] }, true));
    log.event('a', 0, { properties: { of: '1' } });
    log.event('c', 1, { properties: { of: '2' } });
    log.event('c', 2);
    expect(log.decisions).toEqual([]);
    log.event('c', 3, { properties: { of: '1' } });
    expect(log.decisions.map(({ key }) => key)).toEqual(['1']);
  });

  it('does not take an event whose condition cannot be evaluated for one that came', () => {
    const program = sequences({ links: [{ trackerId: 'c', withoutId: null }] });
    const where = (): boolean => {
      throw new EvaluationError('missing');
    };
    const log = new UserLog({
      ...program,
      trackers: [trackerOf('c', [], { restrains: false, matches: [{ type: 'c', where }] })],
    });
    log.event('a', 0);
    log.event('c', 1);
    expect(log.decisions).toEqual([]);
  });

  it('leaves nothing behind when everybody has gone', () => {
    const log = new UserLog(sequences());
    log.event('a', 0);
    log.event('b', 1);
    log.event('c', 2);
    log.event('a', 3);
    log.tick(10 * DAY);
    expect(log.state.matches).toEqual([]);
    expect(log.state.trackers).toEqual({});
  });
});
