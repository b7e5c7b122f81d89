import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costsOf, totalsOf } from '../../src/cli/costs.ts';
import { encodeUserState } from '../../src/processor/user-state-codec.ts';
import { everything, timelines } from '../core/everything.ts';
import { UserLog } from '../core/support.ts';

describe('what a topology costs per user', () => {
  it('names every tracker, tally and journey that keeps something', () => {
    const costs = costsOf(everything);
    const asking = new Set(costs.flatMap((cost) => cost.for));
    // These are done in the moment in which they come true, and ask for nothing that was before.
    const immediate = everything.journeys.filter(({ name }) => !asking.has(name)).map(({ name }) => name);
    expect(immediate).toEqual([]);
    expect(costs.every(({ oneBytes, mostBytes }) => oneBytes > 0 && mostBytes >= oneBytes)).toBe(true);
    expect(costs.filter(({ what }) => /^(how many|which days)/.test(what))).toHaveLength(everything.tallies.length);
  });

  it('is an upper bound of what users of random timelines have, but for their profile, devices and consent', () => {
    const { mostBytes } = totalsOf(costsOf(everything));
    fc.assert(
      fc.property(timelines(), (timeline) => {
        const log = new UserLog(everything);
        for (const entry of timeline)
          if (entry.kind === 'tick') log.tick(entry.appendedAt);
          else log.event(entry.type, entry.appendedAt, entry.parts);
        const row = encodeUserState({ ...log.state, profile: {}, devices: [], consent: {}, entries: {} });
        expect(row.length).toBeLessThanOrEqual(mostBytes);
      }),
      { numRuns: 200 },
    );
  });
});
