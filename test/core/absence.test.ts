import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import { DAY, HOUR, MINUTE, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const cart = (event: Event): string | null => {
  const value = event.properties['cart'];
  return typeof value === 'string' ? value : null;
};

function abandoned(keyed: boolean): Program {
  const key = keyed ? cart : null;
  return programOf({
    activity: ['cart', 'buy', 'view'],
    trackers: [trackerOf('t', ['cart', 'buy'], { key })],
    journeys: [
      journeyOf({
        name: 'abandoned',
        key,
        pattern: { kind: 'sequence', on: { type: 'cart', where: null }, links: [], withoutId: 't', withinMs: HOUR },
        capture: ['sku'],
        captureSession: true,
      }),
    ],
  });
}

describe('the absence pattern', () => {
  it('sends once when nothing followed within the time, at its deadline', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 0, { id: 'c', properties: { sku: 's1', name: 'secret' } });
    log.tick(HOUR - 1);
    expect(log.decisions).toEqual([]);
    log.tick(HOUR);
    log.tick(2 * HOUR);
    expect(log.outcomes).toEqual(['abandoned c sent']);
    expect(log.decisions[0]).toMatchObject({ dueAtMs: START + HOUR, decidedAtMs: START + HOUR, trigger: { eventId: 'c', offset: 0 } });
  });

  it('keeps only the captured properties and the session as it was at the trigger', () => {
    const log = new UserLog(abandoned(false));
    log.event('view', 0, { id: 'v' });
    log.event('cart', 1, { id: 'c', properties: { sku: 's1', name: 'secret' } });
    log.event('view', 2);
    expect(log.state.matches[0]?.trigger.properties).toEqual({ sku: 's1' });
    expect(log.state.matches[0]?.trigger.session).toMatchObject({ id: 'v', count: 2, counts: { view: 1, cart: 1 } });
  });

  it('says nothing when the purchase came in time', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 0);
    log.event('buy', HOUR - 1);
    log.tick(2 * HOUR);
    expect(log.decisions).toEqual([]);
    expect(log.state.matches).toEqual([]);
  });

  it('does not take a purchase in the millisecond of the deadline for one within, before or behind the tick', () => {
    const before = new UserLog(abandoned(false));
    before.event('cart', 0, { id: 'c' });
    before.event('buy', HOUR);
    before.tick(HOUR);
    const behind = new UserLog(abandoned(false));
    behind.event('cart', 0, { id: 'c' });
    behind.tick(HOUR);
    behind.event('buy', HOUR);
    expect([before.outcomes, behind.outcomes]).toEqual([['abandoned c sent'], ['abandoned c sent']]);
  });

  it('takes a purchase that happened in time and was appended after the deadline, but before the tick', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 0);
    log.event('buy', HOUR + 10, { at: HOUR - 1 });
    log.tick(HOUR + 10);
    expect(log.decisions).toEqual([]);
  });

  it('finds a purchase that was appended before its cart event', () => {
    const log = new UserLog(abandoned(false));
    log.event('buy', 2 * MINUTE, { at: 2 * MINUTE });
    log.event('cart', 3 * MINUTE, { at: MINUTE });
    log.tick(2 * HOUR);
    expect(log.decisions).toEqual([]);
  });

  it('takes an earlier purchase for no answer', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 3 * MINUTE, { id: 'c', at: 2 * MINUTE });
    log.event('buy', 4 * MINUTE, { at: MINUTE });
    log.tick(2 * HOUR);
    expect(log.outcomes).toEqual(['abandoned c sent']);
  });

  it('runs from the last of repeated carts, also where they arrive out of order', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 10 * MINUTE, { id: 'second', at: 10 * MINUTE });
    log.event('cart', 11 * MINUTE, { id: 'first', at: 5 * MINUTE });
    log.tick(3 * HOUR);
    expect(log.outcomes).toEqual(['abandoned second sent']);
  });

  it('sends for both where the second cart came after the first one was abandoned, though no tick had come yet', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 0, { id: 'first' });
    log.event('cart', HOUR, { id: 'second' });
    expect(log.state.matches).toHaveLength(2);
    log.tick(3 * HOUR);
    expect(log.outcomes).toEqual(['abandoned first sent', 'abandoned second sent']);
  });

  it('takes of two events in one millisecond the one with the higher offset for the later one', () => {
    const log = new UserLog(abandoned(false));
    log.event('buy', 0);
    log.event('cart', 0, { id: 'c' });
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['abandoned c sent']);
    const bought = new UserLog(abandoned(false));
    bought.event('cart', 0);
    bought.event('buy', 0);
    bought.tick(HOUR);
    expect(bought.decisions).toEqual([]);
  });

  it('keeps two carts of one user apart: one bought, one abandoned', () => {
    const log = new UserLog(abandoned(true));
    log.event('cart', 0, { id: 'one', properties: { cart: '1' } });
    log.event('cart', MINUTE, { id: 'two', properties: { cart: '2' } });
    log.event('buy', 2 * MINUTE, { properties: { cart: '1' } });
    log.event('cart', 3 * MINUTE, { id: 'none' });
    log.tick(2 * HOUR);
    expect(log.outcomes).toEqual(['abandoned two sent']);
    expect(log.decisions[0]?.key).toBe('2');
  });

  it('is not confused by keys that are names of built-in properties', () => {
    const log = new UserLog(abandoned(true));
    for (const key of ['constructor', '__proto__', 'toString']) log.event('cart', 0, { id: key, properties: { cart: key } });
    log.event('buy', MINUTE, { properties: { cart: '__proto__' } });
    log.tick(2 * HOUR);
    expect(log.outcomes.toSorted()).toEqual(['abandoned constructor sent', 'abandoned toString sent']);
  });

  it('is triggered neither by an import nor by an event that is too old, and both still negate', () => {
    const log = new UserLog(abandoned(false));
    log.event('cart', 3 * DAY, { id: 'old', at: DAY });
    log.event('cart', 3 * DAY, { id: 'imported', imported: true });
    expect(log.state.matches).toEqual([]);
    log.event('cart', 3 * DAY, { id: 'live' });
    log.event('buy', 3 * DAY + 1, { imported: true });
    log.tick(4 * DAY);
    expect(log.decisions).toEqual([]);
  });

  it('sends nothing in doubt: a trigger so late that what followed it may be forgotten', () => {
    const program = { ...abandoned(false), trackers: [trackerOf('t', ['cart', 'buy'], { cap: 2 })] };
    const log = new UserLog(program);
    log.event('buy', 2 * MINUTE);
    for (const hour of [3, 5]) log.event('buy', hour * HOUR);
    log.event('cart', 6 * HOUR, { id: 'late', at: MINUTE });
    log.event('cart', 6 * HOUR, { id: 'less late', at: 4 * HOUR });
    log.tick(9 * HOUR);
    expect(log.outcomes).toEqual(['abandoned late limit', 'abandoned less late sent']);
  });

  it('lets the oldest go where too many wait, and says so', () => {
    const program = { ...abandoned(true), limits: { ...abandoned(true).limits, matchesPerJourney: 2 } };
    const log = new UserLog(program);
    for (const key of ['1', '2', '3']) log.event('cart', 0, { id: key, properties: { cart: key } });
    expect(log.outcomes).toEqual(['abandoned 1 limit']);
    log.tick(HOUR);
    expect(log.outcomes).toEqual(['abandoned 1 limit', 'abandoned 2 sent', 'abandoned 3 sent']);
  });

  it('says the same as the definition, for any order of arrival, duplicates and ticks', () => {
    fc.assert(
      fc.property(fc.boolean(), timelines(), (keyed, timeline) => {
        const log = new UserLog(abandoned(keyed));
        const appended: (Event | { tick: number })[] = [];
        for (const step of timeline) {
          if (step.kind === 'tick') {
            log.tick(step.appendedAt);
            appended.push({ tick: START + step.appendedAt });
          } else {
            const event = log.build(step.type, step.appendedAt, step);
            log.process(event);
            appended.push(event);
          }
        }
        expect(log.decisions.map((d) => [d.occurrence, d.reason, d.dueAtMs]).toSorted()).toEqual(expected(appended, keyed));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The pattern's definition, evaluated over everything that was appended: no state, no incremental step. */
function expected(appended: readonly (Event | { tick: number })[], keyed: boolean): unknown[] {
  const seen = new Set<string>();
  const log = appended.map((entry) => {
    if ('tick' in entry) return entry;
    const copy = seen.has(entry.eventId);
    seen.add(entry.eventId);
    return copy ? null : { event: entry, key: keyed ? cart(entry) : '', t: Math.min(entry.occurredAtMs, entry.appendedAtMs) };
  });
  const found: unknown[] = [];
  log.forEach((a, i) => {
    if (a === null || 'tick' in a || a.event.type !== 'cart' || a.key === null) return;
    if (a.event.imported || a.event.appendedAtMs - a.t > DAY) return;
    const deadline = a.t + HOUR;
    const firing = log.findIndex((entry, j) => j > i && entry !== null && 'tick' in entry && entry.tick >= deadline);
    if (firing < 0) return;
    const negated = log.slice(0, firing).some((b) => {
      if (b === null || 'tick' in b || b.key !== a.key || b.event.type === 'view') return false;
      const behind = b.t > a.t || (b.t === a.t && b.event.offset > a.event.offset);
      return behind && b.t < deadline;
    });
    if (!negated) found.push([a.event.eventId, 'sent', deadline]);
  });
  return found.toSorted();
}

type Entry =
  | { kind: 'tick'; appendedAt: number }
  | { kind: 'event'; type: string; appendedAt: number; at: number; id: string; imported: boolean; properties: Record<string, string> };

/** Coarse times, so that equal instants and exact deadlines are common. */
function timelines(): fc.Arbitrary<Entry[]> {
  const step = 10 * MINUTE;
  const entry = fc.record({
    tick: fc.integer({ min: 0, max: 3 }),
    pause: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 5, max: 200 })),
    late: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: -2, max: 9 }) }, fc.integer({ min: 140, max: 150 })),
    type: fc.constantFrom('cart', 'cart', 'buy', 'view'),
    again: fc.integer({ min: 0, max: 9 }),
    key: fc.constantFrom('1', '2', null),
    imported: fc.integer({ min: 0, max: 15 }),
  });
  return fc.array(entry, { maxLength: 25, size: 'max' }).map((entries) => {
    let now = 0;
    const timeline: Entry[] = [];
    entries.forEach((e, i) => {
      now += e.pause * step;
      const properties: Record<string, string> = e.key === null ? {} : { cart: e.key };
      // A producer's retry: the same event, once more, while its id is remembered.
      const before = timeline.at(-1 - e.again);
      if (e.tick === 0) timeline.push({ kind: 'tick', appendedAt: now });
      else if (e.again < 3 && before?.kind === 'event' && now - before.appendedAt < DAY) timeline.push({ ...before, appendedAt: now });
      else
        timeline.push({
          kind: 'event',
          type: e.type,
          appendedAt: now,
          at: now - e.late * step,
          id: `i${i}`,
          imported: e.imported === 0,
          properties,
        });
    });
    return [...timeline, { kind: 'tick', appendedAt: now + 3 * HOUR }];
  });
}
