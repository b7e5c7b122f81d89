import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Properties } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import { isEmpty } from '../../src/core/step.ts';
import { Simulation, type AppendedEvent } from '../../src/testing/simulation.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { everything } from '../core/everything.ts';
import { TaskRig, type Made } from './task-rig.ts';

// `lull test` is worth what its driver is: it must answer as the processor does. Random timelines go through both.

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');
const START = Date.parse('2025-06-02T08:00:00Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const USERS = ['ada', 'ben', 'eve'];

interface Kind {
  readonly type: string;
  readonly properties: Properties;
}

const one = (type: string, properties: Properties = {}): Kind => ({ type, properties });
const price = fc.constantFrom(0.29, 12.5, 39, 1e9);
const cartId = fc.constantFrom('c1', 'c2', 'c3');
const sku = fc.constantFrom('kettle', 'mug');
const facts = fc.constantFrom(
  one('$profile', { firstName: 'Ada' }),
  one('$profile', { firstName: null, language: 'de' }),
  one('$device_added', { deviceId: 'd1', kind: 'fcm', value: 'token', permission: 'granted', locale: 'de-AT' }),
  one('$device_added', { deviceId: 'd2', kind: 'webpush', value: 'address', permission: 'granted' }),
  one('$device_added', { deviceId: 'd2', kind: 'webpush', value: 'address', permission: 'denied' }),
  one('$device_removed', { deviceId: 'd1' }),
  one('$consent', { category: 'reminders', state: 'in' }),
  one('$consent', { category: 'reminders', state: 'out', reason: 'bored' }),
);

/** What can happen in each of the topologies; what is in none of their journeys, and what nobody knows, too. */
const KINDS: Readonly<Record<string, fc.Arbitrary<Kind>>> = {
  shop: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(one('app_opened'), one('page_viewed', { path: '/' }), one('unheard_of')) },
    { weight: 2, arbitrary: fc.record({ sku, price }).map((p) => one('product_viewed', { ...p, name: `A ${p.sku}`, currency: 'EUR' })) },
    {
      weight: 3,
      arbitrary: fc
        .record({ cartId, sku, price, qty: fc.integer({ min: 1, max: 3 }) })
        .map((p) => one('cart_item_added', { ...p, name: p.sku })),
    },
    { weight: 2, arbitrary: fc.record({ cartId, total: price }).map((p) => one('checkout_started', p)) },
    { weight: 2, arbitrary: fc.record({ cartId, total: price }).map((p) => one('purchase_completed', { ...p, orderId: 'o' })) },
    // A property that is missing: a condition or a template fails.
    { weight: 1, arbitrary: fc.constantFrom(one('cart_item_added', { cartId: 'c1' }), one('product_viewed'), one('checkout_started')) },
    { weight: 3, arbitrary: facts },
  ),
  // Not a topology of files: a program with every pattern, step and check, and with limits that are soon met.
  everything: fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .record({
          type: fc.constantFrom('view', 'cart', 'cart', 'buy', 'shipped'),
          cart: fc.constantFrom('1', '2', '__proto__', null),
          price: fc.constantFrom(1, 2.5, 1e300),
        })
        .map(({ type, ...properties }) => one(type, properties)),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        one('$device_added', { deviceId: 'd2', kind: 'fcm', value: 'token2', locale: 'de' }),
        one('$device_removed', { deviceId: 'd0' }),
        one('$consent', { category: 'offers', state: 'out', reason: 'bored' }),
        one('$consent', { category: 'offers', channel: 'log', state: 'in' }),
        one('$profile', { plan: 'pro', score: 0.5, vip: true, left: null }),
        one('$profile', { plan: 'free', ends: START + 2 * DAY }),
        one('$profile', { ends: START - 400 * DAY }),
        one('$profile', { ends: 'soon', plan: null }),
      ),
    },
  ),
  w1: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(one('app_opened', { path: '/', qty: 0 }), one('ping'), one('flush')) },
    { weight: 1, arbitrary: fc.constant(one('page_viewed', { path: '/', qty: 1 })) },
    {
      weight: 3,
      arbitrary: fc.record({ sku, price, qty: fc.integer({ min: 1, max: 3 }) }).map((p) => one('cart_item_added', { ...p, path: '/' })),
    },
    { weight: 3, arbitrary: price.map((p) => one('checkout_started', { price: p, path: '/' })) },
    { weight: 2, arbitrary: price.map((p) => one('purchase_completed', { price: p, path: '/' })) },
    { weight: 1, arbitrary: facts },
  ),
};

interface Moment {
  readonly atMs: number;
  /** null = a tick. */
  readonly event: AppendedEvent | null;
  /** Appended before the processor has read what stands before it: it lags behind, and no tick comes between. */
  readonly joins: boolean;
  /** Taken modulo the allowed lateness: how much earlier its record time is in historical input. */
  readonly early: number;
}

/** Around the waits of the topologies, where answers change. */
const near = (ms: number): fc.Arbitrary<number> => fc.integer({ min: -2, max: 2 }).map((by) => ms + by * SECOND);
const pause = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 0, 1, 10 * MINUTE, 30 * MINUTE, HOUR) },
  { weight: 3, arbitrary: fc.oneof(near(10 * MINUTE), near(30 * MINUTE), near(HOUR)) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 * MINUTE }) },
  { weight: 1, arbitrary: fc.constantFrom(6 * HOUR, DAY, 8 * DAY) },
);
/** When it happened, from when it was appended: late, as it happened, by a clock that is ahead, long ago. */
const occurred = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: -HOUR, max: 0 }) },
  { weight: 1, arbitrary: fc.constantFrom(2 * HOUR, -3 * HOUR, -7 * DAY, -300 * DAY) },
);

/** Most of what is decided would be refused, if nobody could be reached. One of them cannot. */
const reachable: readonly Moment[] = USERS.slice(0, 2).flatMap((userId) =>
  [
    one('$device_added', { deviceId: 'd0', kind: 'fcm', value: 'token-0', permission: 'granted' }),
    one('$consent', { category: 'reminders', state: 'in' }),
  ].map((kind, i): Moment => {
    const event = { eventId: `given-${i}`, userId, imported: false, occurredAtMs: START, sentAtMs: null, ...kind };
    return { atMs: START, event, joins: false, early: 0 };
  }),
);

function timelines(kinds: fc.Arbitrary<Kind>): fc.Arbitrary<readonly Moment[]> {
  const drawn = fc.record({
    user: fc.constantFrom(...USERS),
    kind: kinds,
    pause,
    occurred,
    sent: fc.option(fc.constantFrom(0, -10 * MINUTE, 2 * HOUR), { freq: 5 }),
    /** An id that was there before: mostly its own. */
    back: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 10 }) }),
    imported: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    isTick: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    joins: fc.boolean(),
    early: fc.nat(),
  });
  return fc.array(drawn, { minLength: 1, maxLength: 40, size: 'max' }).map((all) => {
    let atMs = START;
    const drawnMoments = all.map((d, i): Moment => {
      atMs += Math.max(0, d.pause);
      if (d.isTick) return { atMs, event: null, joins: false, early: 0 };
      const times = { occurredAtMs: atMs + d.occurred, sentAtMs: d.sent === null ? null : atMs + d.sent };
      const event = { eventId: `e${Math.max(0, i - d.back)}`, userId: d.user, imported: d.imported, ...d.kind, ...times };
      return { atMs, event, joins: d.joins, early: d.early };
    });
    return [...reachable, ...drawnMoments];
  });
}

/** Sizes of batches; another task takes over behind those that are negative. */
const batches = fc.array(
  fc.integer({ min: -9, max: 9 }).map((n) => (n === 0 ? 1 : n)),
  { minLength: 1, maxLength: 8 },
);

const END = 60 * DAY;

function compile(name: string, set: Record<string, string> = {}): Program {
  if (name === 'everything') return everything;
  const compiled = compileTopology(path.join(TOPOLOGIES, name), { app: 'test', set });
  if (!compiled.ok) throw new Error(`${name} is broken`);
  return compiled.program;
}

function drivenFor({ output }: Simulation, userId: string): Made {
  const own = <T extends { readonly userId: string }>(all: readonly T[]): readonly T[] => all.filter((made) => made.userId === userId);
  return { decisions: own(output.decisions), commands: own(output.commands), revocations: own(output.revocations) };
}

/** Of everybody: what was decided, and what is known in the end. @returns everything that was decided, in a word each */
async function expectSame(rig: TaskRig, simulation: Simulation): Promise<readonly string[]> {
  expect(rig.deadLetters).toEqual([]);
  for (const userId of USERS) {
    expect(rig.madeFor(userId)).toEqual(drivenFor(simulation, userId));
    const state = simulation.stateOf(userId);
    expect(await rig.stateOf(userId)).toEqual(isEmpty(state) ? undefined : state);
  }
  const { decisions, revocations, duplicates } = simulation.output;
  return [
    ...decisions.map(({ reason }) => reason),
    ...(revocations.length > 0 ? ['revoked'] : []),
    ...(duplicates > 0 ? ['repeated'] : []),
  ];
}

/** Thousands of batches: on a busy machine more than the usual minute. */
const BUSY = { timeout: 240_000 };

/** What the timelines of a topology come to, each many times over: the property says something of it. */
const COMES_TO: Readonly<Record<string, readonly string[]>> = {
  shop: ['sent', 'revoked', 'repeated', 'consent', 'reentry', 'cap'],
  w1: ['sent', 'repeated'],
  everything: ['sent', 'repeated', 'reentry', 'cap'],
};

describe.each(Object.entries(KINDS))('on random timelines of %s, the processor and the driver of scenarios', (name, kinds) => {
  // So that the cap is met.
  const program = compile(name, name === 'shop' ? { dailyCap: '1' } : {});
  const expectAll = (seen: ReadonlySet<string>): void => expect([...seen]).toEqual(expect.arrayContaining([...COMES_TO[name]!]));

  test(
    'decide the same, live with ticks, also behind a lag; and replaying the log decides it again, however it is batched',
    BUSY,
    async () => {
      const seen = new Set<string>();
      await fc.assert(
        fc.asyncProperty(timelines(kinds), batches, async (timeline, sizes) => {
          const simulation = new Simulation(program, START);
          const rig = await TaskRig.open(program, START);
          for (const [i, { atMs, event, joins }] of timeline.entries()) {
            if (event === null) {
              await rig.passTo(atMs, { inclusive: true });
              simulation.passTo(atMs);
              continue;
            }
            if (joins) simulation.stopUntil(atMs);
            else await rig.passTo(atMs, { inclusive: false });
            await rig.append(event, atMs);
            simulation.append(event, atMs);
            if (timeline[i + 1]?.joins !== true) await rig.read();
          }
          const endMs = timeline.at(-1)!.atMs + END;
          await rig.passTo(endMs, { inclusive: true });
          simulation.passTo(endMs);
          for (const word of await expectSame(rig, simulation)) seen.add(word);

          const replay = await TaskRig.open(program, START);
          await replay.copy(await rig.log());
          await replay.read(sizes);
          await expectSame(replay, simulation);
        }),
        { numRuns: 150 },
      );
      expectAll(seen);
    },
  );

  test('decide the same on historical input, records a little out of order, however it is batched', BUSY, async () => {
    const seen = new Set<string>();
    const lateness = fc.constantFrom(0, 5 * SECOND, 5 * MINUTE);
    await fc.assert(
      fc.asyncProperty(timelines(kinds), lateness, batches, async (timeline, allowedLatenessMs, sizes) => {
        const untilMs = timeline.at(-1)!.atMs + END;
        const simulation = new Simulation(program, 0, { allowedLatenessMs });
        const rig = await TaskRig.open(program, START, { allowedLatenessMs, untilMs });
        for (const { atMs, event, early } of timeline) {
          if (event === null) continue;
          const recordMs = atMs - (early % (allowedLatenessMs + 1));
          simulation.append(event, recordMs);
          await rig.append(event, recordMs);
        }
        await rig.read(sizes);
        await rig.finish();
        simulation.passTo(untilMs);
        for (const word of await expectSame(rig, simulation)) seen.add(word);
      }),
      { numRuns: 200 },
    );
    expectAll(seen);
  });
});

test('what is overdue when its event comes is decided then, on historical input too: not when it was due, before anybody knew of it', async () => {
  const program = compile('shop');
  const rig = await TaskRig.open(program, START, { allowedLatenessMs: 0, untilMs: START + DAY });
  const properties = { cartId: 'c1', sku: 'mug', name: 'Mug', price: 39, qty: 1 };
  const times = { occurredAtMs: START - 8 * HOUR, sentAtMs: null };
  await rig.append({ eventId: 'e1', userId: 'ada', type: 'cart_item_added', properties, imported: false, ...times }, START);
  await rig.read();
  await rig.finish();
  // An hour after the item it would have made sense, until six hours later.
  expect(rig.madeFor('ada').decisions).toMatchObject([
    { journey: 'cart_abandoned', reason: 'expired', dueAtMs: START - 7 * HOUR, decidedAtMs: START },
  ]);
});
