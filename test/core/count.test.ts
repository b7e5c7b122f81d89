import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CountPattern } from '../../src/core/pattern-kinds.ts';
import type { Program } from '../../src/core/program.ts';
import { DAY, HOUR, MINUTE, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const of = (event: { readonly properties: Readonly<Record<string, unknown>> }): string | null => {
  const value = event.properties['of'];
  return typeof value === 'string' ? value : null;
};

function counts(parts: Partial<CountPattern> = {}, keyed = false): Program {
  const key = keyed ? of : null;
  return programOf({
    activity: ['view', 'other'],
    trackers: [trackerOf('views', ['view'], { key, restrains: false }), trackerOf('others', ['other'], { key })],
    journeys: [
      journeyOf({
        name: 'often',
        key,
        pattern: {
          ...{ kind: 'count', on: { type: 'view', where: null }, trackerId: 'views', withoutId: null, times: 3, withinMs: HOUR },
          ...parts,
        },
      }),
    ],
  });
}

describe('the count pattern', () => {
  it('comes true with the last of so many, and counts none of them again', () => {
    const log = new UserLog(counts());
    for (let i = 1; i <= 7; i++) log.event('view', i * MINUTE, { id: `v${i}` });
    expect(log.outcomes).toEqual(['often v3 sent', 'often v6 sent']);
  });

  it('takes those less than the time apart', () => {
    const log = new UserLog(counts());
    log.event('view', 0, { id: 'a' });
    log.event('view', MINUTE, { id: 'b' });
    log.event('view', HOUR, { id: 'c' });
    expect(log.outcomes).toEqual([]);
    log.event('view', HOUR + MINUTE - 1, { id: 'd' });
    expect(log.outcomes).toEqual(['often d sent']);
  });

  it('comes true with one that was late', () => {
    const log = new UserLog(counts());
    log.event('view', 0, { id: 'a' });
    log.event('view', 2 * MINUTE, { id: 'c' });
    log.event('view', 3 * HOUR, { id: 'b', at: MINUTE });
    expect(log.outcomes).toEqual(['often b sent']);
  });

  it('counts in a row where something must not come between', () => {
    const log = new UserLog(counts({ withoutId: 'others' }));
    log.event('view', 0, { id: 'a' });
    log.event('view', 1, { id: 'b' });
    log.event('other', 2);
    log.event('view', 3, { id: 'c' });
    log.event('view', 4, { id: 'd' });
    expect(log.outcomes).toEqual([]);
    log.event('view', 5, { id: 'e' });
    expect(log.outcomes).toEqual(['often e sent']);
  });

  it('counts in one session', () => {
    const log = new UserLog(counts({ withinMs: null }));
    log.event('view', 0, { id: 'a' });
    log.event('view', 10 * MINUTE, { id: 'b' });
    log.event('view', 50 * MINUTE, { id: 'c' });
    expect(log.outcomes).toEqual([]);
    log.event('view', 70 * MINUTE, { id: 'd' });
    log.event('view', 80 * MINUTE, { id: 'e' });
    expect(log.outcomes).toEqual(['often e sent']);
  });

  it('counts for each value of its key', () => {
    const log = new UserLog(counts({ times: 2 }, true));
    log.event('view', 0, { id: 'a', properties: { of: 'x' } });
    log.event('view', 1, { id: 'b', properties: { of: 'y' } });
    log.event('view', 2, { id: 'c' });
    expect(log.outcomes).toEqual([]);
    log.event('view', 3, { id: 'd', properties: { of: 'x' } });
    expect(log.decisions.map(({ key }) => key)).toEqual(['x']);
  });

  it('leaves nothing behind when everybody has gone', () => {
    const log = new UserLog(counts());
    for (let i = 1; i <= 4; i++) log.event('view', i, { id: `v${i}` });
    log.tick(10 * DAY);
    expect(log.state.trackers).toEqual({});
  });

  it('comes as often as disjoint runs of them fit, on timelines that are in order', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 2, max: 4 }), (minutes, times) => {
        const log = new UserLog(counts({ times }));
        let at = 0;
        const expected: string[] = [];
        let run: { readonly at: number }[] = [];
        minutes.forEach((gap, i) => {
          at += gap * MINUTE;
          log.event('view', at, { id: `v${i}` });
          run = [...run.filter((one) => at - one.at < HOUR), { at }];
          if (run.length < times) return;
          expected.push(`often v${i} sent`);
          run = [];
        });
        expect(log.outcomes).toEqual(expected);
      }),
    );
  });
});
