import fc from 'fast-check';
import type { Event, Properties } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import { DAY, HOUR, MARKETING, MINUTE, PLAIN, START, journeyOf, programOf, sendOf, trackerOf, type EventParts } from './support.ts';

const byCart = (event: Event): string | null => {
  const value = event.properties['cart'];
  return typeof value === 'string' ? value : null;
};

/** A program with every kind of pattern, re-entry and check in it. */
export const everything: Program = programOf({
  activity: ['view', 'cart', 'buy'],
  silent: ['shipped'],
  sums: [{ name: 'cents', type: 'cart', value: (event) => Number(event.properties['price']) * 100 }],
  trackers: [
    trackerOf('cart-or-buy', ['cart', 'buy'], { key: byCart, cap: 4 }),
    trackerOf('any', ['*'], { cap: 4 }),
    trackerOf('buy', ['buy'], { cap: 4 }),
    trackerOf('shipped', ['shipped'], { keepMs: HOUR }),
    trackerOf('carts', ['cart'], { key: byCart, cap: 4, restrains: false }),
    trackerOf('buys', ['buy'], { key: byCart, cap: 4, restrains: false }),
  ],
  tallies: [
    { id: 'carts', of: 'events', on: { type: 'cart', where: null }, key: null },
    { id: 'days', of: 'days', on: { type: 'view', where: null }, key: byCart },
  ],
  timeZone: 'Europe/Berlin',
  journeys: [
    journeyOf({
      name: 'abandoned',
      key: byCart,
      pattern: { kind: 'sequence', on: { type: 'cart', where: null }, links: [], withoutId: 'cart-or-buy', withinMs: HOUR },
      capture: ['cart', 'price'],
      captureSession: true,
      cancelOn: [{ trackerId: 'buy', label: 'bought', goal: true }],
      send: { channels: ['fcm', 'log'], class: 'marketing', category: 'offers' },
    }),
    journeyOf({
      name: 'idle',
      pattern: { kind: 'sequence', on: { type: 'view', where: null }, links: [], withoutId: 'any', withinMs: 10 * MINUTE },
      reentry: { kind: 'every', intervalMs: 2 * DAY },
    }),
    journeyOf({
      name: 'stuck',
      pattern: { kind: 'inactive', since: { type: 'cart', where: null }, forMs: 5 * MINUTE },
      key: byCart,
      reentry: { kind: 'once' },
    }),
    journeyOf({
      name: 'filled',
      key: byCart,
      pattern: { kind: 'count', on: { type: 'cart', where: null }, trackerId: 'carts', withoutId: 'cart-or-buy', times: 2, withinMs: HOUR },
    }),
    journeyOf({
      name: 'quick',
      key: byCart,
      pattern: {
        ...{ kind: 'sequence', on: { type: 'view', where: null }, withoutId: null, withinMs: DAY },
        links: [
          { trackerId: 'carts', withoutId: null },
          { trackerId: 'buys', withoutId: 'any' },
        ],
      },
    }),
    journeyOf({
      name: 'undecided',
      pattern: {
        ...{ kind: 'sequence', on: { type: 'view', where: null }, withoutId: 'buy', withinMs: HOUR },
        links: [{ trackerId: 'buy', withoutId: null }],
      },
    }),
    journeyOf({
      name: 'series',
      pattern: { kind: 'milestone', on: { type: 'cart', where: null }, tallyId: 'carts', isReached: (count) => count % 2 === 1 },
      cancelOn: [{ trackerId: 'buy', label: 'bought', goal: true }],
      reentry: { kind: 'every', intervalMs: DAY },
      steps: [
        sendOf({ name: 'first', next: 1 }),
        {
          ...{ kind: 'wait', name: 'answer', forMs: 2 * HOUR, atMinutes: null, fromTrigger: false, next: 2 },
          until: [{ trackerId: 'any', by: 'key', next: 3 }],
        },
        { kind: 'wait', name: 'morning', forMs: HOUR, atMinutes: 9 * 60, fromTrigger: false, until: [], next: 3 },
        { kind: 'branch', name: 'plan', cases: [{ when: ({ state }) => state.profile['plan'] === 'pro', next: 5 }], next: 4 },
        { kind: 'update', name: 'mark', set: new Map([['plan', () => 'pro']]), next: 5 },
        sendOf({ name: 'second', class: 'marketing', category: 'offers' }),
      ],
    }),
    journeyOf({
      name: 'streak',
      key: byCart,
      pattern: {
        kind: 'streak',
        on: { type: 'view', where: null },
        tallyId: 'days',
        isReached: (days) => days >= 2,
        breaksAtMinutes: null,
      },
    }),
    journeyOf({
      name: 'breaks',
      key: byCart,
      pattern: {
        kind: 'streak',
        on: { type: 'view', where: null },
        tallyId: 'days',
        isReached: (days) => days >= 1,
        breaksAtMinutes: 1_200,
      },
    }),
    journeyOf({
      name: 'upgraded',
      pattern: { kind: 'attribute', attribute: 'plan', changed: (before, after) => before['plan'] !== after['plan'] },
      capture: ['from', 'to'],
      steps: [{ kind: 'wait', name: 'settle', forMs: HOUR, atMinutes: null, fromTrigger: false, until: [], next: 1 }, sendOf()],
    }),
    journeyOf({ name: 'ends', pattern: { kind: 'date', attribute: 'ends', offsetMs: -HOUR, atMinutes: null, yearly: false } }),
    journeyOf({ name: 'yearly', pattern: { kind: 'date', attribute: 'ends', offsetMs: 0, atMinutes: 600, yearly: true } }),
    journeyOf({ name: 'dormant', pattern: { kind: 'inactive', since: null, forMs: 7 * DAY } }),
    journeyOf({
      name: 'browsed',
      pattern: { kind: 'session_ended', where: ({ trigger }) => (trigger?.session?.count ?? 0) > 1, delayMs: 5 * MINUTE },
      cancelOn: [{ trackerId: 'any', label: 'came back', goal: false }],
      send: { class: 'marketing', category: 'offers' },
    }),
    journeyOf({
      name: 'arrived',
      key: byCart,
      pattern: { kind: 'item', on: { type: 'shipped', where: null }, trackerId: 'carts', withoutId: 'buys', times: 2, withinMs: 12 * HOUR },
      cancelOn: [{ trackerId: 'any', label: 'came back', goal: true }],
      priority: 5,
      steps: [
        sendOf({ class: 'marketing', category: 'offers', whileActive: { kind: 'hold', atMostMs: HOUR }, next: 1 }),
        sendOf({ name: 'b' }),
      ],
    }),
    journeyOf({
      name: 'again',
      pattern: { kind: 'inactive', since: { type: 'view', where: null }, forMs: 30 * MINUTE },
      reentry: { kind: 'session' },
      priority: 7,
      send: { class: 'marketing', category: 'offers', whileActive: { kind: 'instead', channels: ['log'] }, channels: ['fcm'] },
    }),
    journeyOf({
      name: 'over',
      pattern: { kind: 'session_ended', where: null, delayMs: 0 },
      key: null,
      reentry: { kind: 'session' },
      priority: 9,
      send: { class: 'marketing', category: 'offers', whileActive: { kind: 'drop' } },
    }),
    journeyOf({
      name: 'thanks',
      pattern: { kind: 'event', on: { type: 'buy', where: ({ event }) => event?.properties['price'] !== 1 } },
      capture: ['price'],
      reentry: { kind: 'every', intervalMs: HOUR },
      cancelOn: [{ trackerId: 'shipped', label: 'shipped', goal: false }],
      send: { channels: ['fcm', 'webpush'], render: (_scope, locale) => ({ title: locale ?? 'hi', body: '', url: null, image: null }) },
    }),
  ],
  classes: new Map([
    ['plain', PLAIN],
    ['marketing', MARKETING],
  ]),
  caps: [{ name: 'two a day', max: 2, windowMs: DAY, category: null, channel: null }],
  limits: { recentEventIds: 8, matchesPerJourney: 3, keysPerTracker: 3, ledger: 6, devices: 2, profileAttributes: 5 },
});

export type Entry =
  | { readonly kind: 'tick'; readonly appendedAt: number }
  | { readonly kind: 'event'; readonly type: string; readonly appendedAt: number; readonly parts: EventParts };

const reserved = (type: string, properties: Properties): fc.Arbitrary<{ type: string; properties: Properties }> =>
  fc.constant({ type, properties });

/** Timelines of product events, reserved events and ticks: late, repeated, at equal times, with pauses of up to days. */
export function timelines(): fc.Arbitrary<Entry[]> {
  const product = fc.record({
    type: fc.constantFrom('view', 'cart', 'cart', 'buy', 'shipped', 'unheard'),
    properties: fc.record({ cart: fc.constantFrom('1', '2', '__proto__', null), price: fc.constantFrom(1, 2.5, -0, 1e300) }),
  });
  const device = { deviceId: 'd', kind: 'fcm', value: 'token' };
  const facts = fc.oneof(
    reserved('$device_added', device),
    reserved('$device_added', { ...device, locale: 'de', deviceId: 'd2', value: 'token2' }),
    reserved('$device_removed', { deviceId: 'd' }),
    reserved('$device_unreachable', { deviceId: 'd', sentAt: Number.MAX_SAFE_INTEGER, reason: 'gone' }),
    reserved('$consent', { category: 'offers', state: 'out', reason: 'bored' }),
    reserved('$consent', { category: 'offers', channel: 'log', state: 'in' }),
    reserved('$profile', { plan: 'pro', score: 0.5, vip: true, left: null }),
    reserved('$profile', { plan: 'free', ends: START + 2 * DAY }),
    reserved('$profile', { ends: START - 400 * DAY }),
    reserved('$profile', { ends: 'soon', plan: null }),
  );
  const entry = fc.record({
    event: fc.oneof({ weight: 4, arbitrary: product }, { weight: 1, arbitrary: facts }),
    tick: fc.integer({ min: 0, max: 3 }),
    pause: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 * MINUTE }), fc.integer({ min: 0, max: 3 * DAY })),
    late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: HOUR }), fc.integer({ min: DAY - HOUR, max: DAY + HOUR })),
    id: fc.integer({ min: 0, max: 30 }),
    imported: fc.integer({ min: 0, max: 12 }),
  });
  return fc.array(entry, { maxLength: 40, size: 'max' }).map((entries) => {
    let appendedAt = 0;
    return entries.map((e): Entry => {
      appendedAt += e.pause;
      if (e.tick === 0) return { kind: 'tick', appendedAt };
      const parts = { id: `e${e.id}`, at: appendedAt - e.late, imported: e.imported === 0, properties: e.event.properties };
      return { kind: 'event', type: e.event.type, appendedAt, parts };
    });
  });
}
