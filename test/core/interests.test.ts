import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Interest } from '../../src/core/output.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { ItemPattern } from '../../src/core/pattern-kinds.ts';
import { DAY, HOUR, START, UserLog, journeyOf, programOf, trackerOf } from './support.ts';

const byItem = (event: { readonly properties: Readonly<Record<string, unknown>> }): string | null => {
  const value = event.properties['item'];
  return typeof value === 'string' ? value : null;
};

/** Two views in 32 days, and not bought since: a price that changes. The event's `price` is looked at. */
const PATTERN: ItemPattern = {
  kind: 'item',
  on: { type: 'price', where: ({ event }) => Number(event?.properties['price']) < 10 },
  trackerId: 'views',
  withoutId: 'buys',
  times: 2,
  withinMs: 32 * DAY,
};
const GRAIN = 2 * DAY;

function itemLog(pattern: Partial<ItemPattern> = {}, more: readonly Journey[] = []): UserLog {
  return new UserLog(
    programOf({
      activity: ['view', 'buy'],
      silent: ['price', 'stock'],
      trackers: [
        trackerOf('views', ['view'], { key: byItem, keepMs: 40 * DAY, cap: 16, restrains: false }),
        trackerOf('buys', ['buy'], { key: byItem, keepMs: 40 * DAY, cap: 16 }),
      ],
      journeys: [journeyOf({ name: 'drop', key: byItem, pattern: { ...PATTERN, ...pattern } }), ...more],
    }),
  );
}

const of = (item: string, more: object = {}) => ({ properties: { item, ...more } });
describe('interest in an item', () => {
  it('is told of once it is enough, each item by itself, and not again before it lasts noticeably longer', () => {
    const log = itemLog();
    log.event('view', 0, of('p1'));
    log.event('view', HOUR, of('p2'));
    expect(log.interests).toEqual([]);
    log.event('view', 2 * HOUR, of('p1'));
    log.event('view', 3 * HOUR, of('p1'));
    // The first of two is from the start: rounded up to the next sixteenth of 32 days.
    const first = Math.ceil((START + 32 * DAY) / GRAIN) * GRAIN;
    expect(log.interests).toEqual([{ itemId: 'p1', change: 'price', userId: 'user', untilMs: first }]);
    log.event('view', 3 * DAY, of('p1'));
    log.event('view', 4 * DAY, of('p1'));
    expect(log.interests).toHaveLength(2);
    expect(log.interests[1]!.untilMs).toBeGreaterThanOrEqual(START + 35 * DAY);
    expect(log.interests[1]!.untilMs).toBeLessThan(START + 35 * DAY + GRAIN);
  });

  it('ends with what ends it, and begins anew', () => {
    const log = itemLog({ times: 1 });
    log.event('view', 0, of('p1'));
    log.event('buy', HOUR, of('p1'));
    log.event('buy', 2 * HOUR, of('p2'));
    log.event('view', 3 * HOUR, of('p1'));
    expect(log.interests.map(({ itemId, untilMs }) => `${itemId} ${untilMs === 0 ? 'no more' : 'told'}`)).toEqual([
      'p1 told',
      'p1 no more',
      'p1 told',
    ]);
  });

  it('is told of as the longest that any journey on the same change asks for, and of other changes by itself', () => {
    const log = itemLog({}, [
      journeyOf({ name: 'quick', key: byItem, pattern: { ...PATTERN, times: 1, withinMs: DAY } }),
      journeyOf({ name: 'back', key: byItem, pattern: { ...PATTERN, on: { type: 'stock', where: null }, times: 1 } }),
    ]);
    log.event('view', 0, of('p1'));
    const untils = Object.fromEntries(log.interests.map(({ change, untilMs }) => [change, untilMs - START]));
    expect(untils['price']).toBeGreaterThanOrEqual(DAY);
    expect(untils['price']).toBeLessThan(1.1 * DAY);
    expect(untils['stock']).toBeGreaterThanOrEqual(32 * DAY);
  });

  it('is told of by the topology as it is now, though what was seen before would have been told of long ago', () => {
    const back = journeyOf({ name: 'back', key: byItem, pattern: { ...PATTERN, on: { type: 'stock', where: null }, times: 1 } });
    const [log, { program: edited }] = [itemLog({ times: 1 }), itemLog({ times: 1, withinMs: 64 * DAY }, [back])];
    log.event('view', 0, of('p1'));
    log.program = edited;
    log.event('view', HOUR, of('p1'));
    log.event('view', 2 * HOUR, of('p1'));
    const told = log.interests.slice(1).map(({ change, untilMs }) => [change, Math.round((untilMs - START) / DAY / 8) * 8]);
    expect(told).toEqual([
      ['price', 64],
      ['stock', 32],
    ]);
  });

  it('is given up of the item that is left alone for longest, where it would be of more than a user may have', () => {
    const log = itemLog({ times: 1 });
    log.program = { ...log.program, limits: { ...log.program.limits, keysPerTracker: 2 } };
    for (const [day, item] of ['p1', 'p2', 'p1', 'p3', 'p2'].entries()) log.event('view', 4 * day * DAY, of(item));
    expect(log.interests.map(({ itemId, untilMs }) => `${itemId} ${untilMs === 0 ? 'no more' : 'told'}`)).toEqual([
      ...['p1 told', 'p2 told', 'p1 told'],
      ...['p2 no more', 'p3 told'],
      ...['p1 no more', 'p2 told'],
    ]);
  });

  it('is not said of what no item can be called', () => {
    const log = itemLog({ times: 1 });
    for (const item of ['€'.repeat(85), '€'.repeat(86)]) log.event('view', 0, of(item));
    expect(log.interests).toHaveLength(1);
  });

  it('leaves nothing behind when it is over', () => {
    const log = itemLog({ times: 1 });
    log.event('view', 0, of('p1'));
    log.event('view', 0, of('p2'));
    log.event('buy', 0, of('p2'));
    for (let next = log.nextTimer(); next !== null; next = log.nextTimer()) log.tick(next.dueMs - START);
    expect(log.state.trackers).toEqual({});
    expect(log.nowMs - START).toBeLessThan(50 * DAY);
  });

  it('counts what was imported: it is a fact', () => {
    const log = itemLog({ times: 1 });
    log.event('view', 10 * DAY, { ...of('p1'), at: 0, imported: true });
    expect(log.interests).toHaveLength(1);
  });
});

describe('a change of an item', () => {
  it('starts the journey for who was interested when it happened, by their own log', () => {
    const log = itemLog();
    log.event('view', 0, of('p1'));
    log.event('price', HOUR, of('p1', { price: 5 }));
    log.event('view', 2 * HOUR, of('p1'));
    log.event('price', 3 * HOUR, of('p2', { price: 5 }));
    log.event('price', 4 * HOUR, of('p1', { price: 50 }));
    expect(log.outcomes).toEqual([]);
    log.event('price', 5 * HOUR, { ...of('p1', { price: 5 }), id: 'cheap' });
    expect(log.outcomes).toEqual(['drop cheap sent']);
    expect(log.decisions[0]!.key).toBe('p1');
  });

  it('is for nobody who has bought it since, unless they have come back to it', () => {
    const log = itemLog({ times: 1 });
    log.event('view', 0, of('p1'));
    log.event('buy', HOUR, of('p1'));
    log.event('price', 2 * HOUR, { ...of('p1', { price: 5 }), id: 'bought' });
    log.event('view', 3 * HOUR, of('p1'));
    log.event('price', 4 * HOUR, { ...of('p1', { price: 5 }), id: 'again' });
    expect(log.outcomes).toEqual(['drop again sent']);
  });

  it('asks for what was then, also where the change reaches us late', () => {
    const log = itemLog({ times: 1 });
    log.event('price', 0, of('p1', { price: 5 }));
    log.event('view', 2 * HOUR, of('p1'));
    log.event('buy', 4 * HOUR, of('p1'));
    log.event('price', 5 * HOUR, { ...of('p1', { price: 5 }), at: HOUR, id: 'before' });
    log.event('price', 5 * HOUR, { ...of('p1', { price: 5 }), at: 3 * HOUR, id: 'between' });
    log.event('price', 5 * HOUR, { ...of('p1', { price: 5 }), at: 5 * HOUR, id: 'behind' });
    expect(log.outcomes).toEqual(['drop between sent']);
  });

  it('finds nobody who looked longer ago than interest lasts', () => {
    const log = itemLog({ times: 1 });
    log.event('view', 0, of('p1'));
    log.event('price', 32 * DAY - 1, { ...of('p1', { price: 5 }), id: 'in time' });
    log.event('price', 32 * DAY, { ...of('p1', { price: 5 }), id: 'late' });
    expect(log.outcomes).toEqual(['drop in time sent']);
  });

  it('never is for somebody who was not told of, whatever happened in whatever order', () => {
    const entry = fc.record({
      type: fc.constantFrom('view', 'view', 'buy', 'price'),
      item: fc.constantFrom('p1', 'p2'),
      after: fc.integer({ min: 0, max: 12 * DAY }),
      late: fc.integer({ min: 0, max: 20 * HOUR }),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (entries, times) => {
        const log = itemLog({ times });
        let at = 0;
        for (const { type, item, after, late } of entries) {
          at += after;
          const until = log.interests.findLast(({ itemId }: Interest) => itemId === item)?.untilMs ?? 0;
          const before = log.commands.length;
          const happened = Math.max(0, at - late);
          log.event(type, at, { ...of(item, { price: 5 }), at: happened });
          // What has ended since would still have been told of, where the change had come in time.
          if (log.commands.length > before && log.interests.findLast(({ itemId }: Interest) => itemId === item)?.untilMs !== 0)
            expect(until).toBeGreaterThan(START + happened);
        }
      }),
    );
  });
});
