import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earliestFirst } from '../../../src/dev/shop/merge.ts';
import { createShopper } from '../../../src/dev/shop/people.ts';
import { priceAt } from '../../../src/dev/shop/prices.ts';
import { productChanges, type ProductChange } from '../../../src/dev/shop/product-changes.ts';
import { PRODUCTS } from '../../../src/dev/shop/products.ts';
import { createRandom } from '../../../src/dev/shop/random.ts';
import { shopEvents, type ShopEvent, type ShopOptions } from '../../../src/dev/shop/shop.ts';

const GAP_MS = 6_000;

function options(over: Partial<ShopOptions> = {}): ShopOptions {
  return {
    seed: '1',
    run: 'test',
    shoppers: 40,
    gapMs: GAP_MS,
    category: 'offers',
    addressOf: (shopper, device) => `address of ${shopper.userId} ${device.deviceId}`,
    ...over,
  };
}

function until(ms: number, over: Partial<ShopOptions> = {}): ShopEvent[] {
  const events: ShopEvent[] = [];
  for (const event of shopEvents(options(over))) {
    if (event.arrivesAtMs > ms) break;
    events.push(event);
  }
  return events;
}

const byUser = (events: readonly ShopEvent[]): ShopEvent[][] => [...Map.groupBy(events, (event) => event.userId).values()];

describe('the simulated shop', () => {
  it('does the same again with the same seed, and something else with another', () => {
    expect(until(20_000)).toEqual(until(20_000));
    const shapes = (seed: string): string[] =>
      until(20_000, { seed }).map((event) => `${event.userId} ${event.type} ${event.occurredAtMs}`);
    expect(shapes('2')).not.toEqual(shapes('1'));
  });

  it('gives another run other event ids and the same story', () => {
    const one = until(20_000, { run: 'a' });
    const two = until(20_000, { run: 'b' });
    expect(two.map((event) => [event.type, event.occurredAtMs])).toEqual(one.map((event) => [event.type, event.occurredAtMs]));
    expect(new Set([...one, ...two].map((event) => event.eventId)).size).toBe(one.length + two.length);
  });

  it('lets a shopper be the same one however many others there are', () => {
    const few = until(30_000, { shoppers: 3 }).filter((event) => event.userId === 'shopper-002');
    const many = until(30_000, { shoppers: 200 }).filter((event) => event.userId === 'shopper-002');
    expect(few.length).toBeGreaterThan(5);
    expect(many).toEqual(few);
  });

  it('keeps the order of arrival, and of each shopper, and nothing arrives before it happened', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1_000, max: 1_800_000 }), (seed, shoppers, gapMs) => {
        const events = until(6 * gapMs, { seed, shoppers, gapMs });
        for (const [i, event] of events.entries()) {
          expect(event.arrivesAtMs).toBeGreaterThan(event.occurredAtMs);
          if (i > 0) expect(event.arrivesAtMs).toBeGreaterThanOrEqual(events[i - 1]!.arrivesAtMs);
        }
        for (const own of byUser(events))
          for (let i = 1; i < own.length; i++) expect(own[i]!.occurredAtMs).toBeGreaterThanOrEqual(own[i - 1]!.occurredAtMs);
      }),
      { numRuns: 30 },
    );
  });

  it('introduces every shopper with a profile, devices and an answer about consent before the first visit', () => {
    for (const own of byUser(until(60_000))) {
      const first = own.findIndex((event) => event.type === 'app_opened');
      const before = own.slice(0, first < 0 ? own.length : first).map((event) => event.type);
      expect(before[0]).toBe('$profile');
      expect(before.at(-1)).toBe('$consent');
      expect(before.slice(1, -1).every((type) => type === '$device_added')).toBe(true);
    }
  });

  it('pays only for a cart that it filled, once, and for what is in it', () => {
    const carts = new Map<string, { total: number; paid: boolean }>();
    const prices = new Map<string, number>();
    let paid = 0;
    for (const { type, properties } of until(120_000)) {
      const cartId = String(properties['cartId']);
      const sku = `${cartId}/${String(properties['sku'])}`;
      const cart = carts.get(cartId);
      if (type === 'cart_item_added') {
        expect(cart?.paid ?? false).toBe(false);
        prices.set(sku, Number(properties['price']));
        carts.set(cartId, { total: (cart?.total ?? 0) + Number(properties['price']), paid: false });
      } else if (type === 'cart_item_removed') {
        carts.set(cartId, { total: cart!.total - prices.get(sku)!, paid: false });
      } else if (type === 'purchase_completed') {
        expect(cart!.paid).toBe(false);
        expect(properties['total']).toBeCloseTo(cart!.total, 2);
        cart!.paid = true;
        paid++;
      }
    }
    expect(paid).toBeGreaterThan(10);
  });

  it.each(['1', '2', 'harbour'])('gives every journey of the shop its moment within a minute (seed %s)', (seed) => {
    const users = byUser(until(60_000, { seed }));
    const silentFor = (own: readonly ShopEvent[], index: number): number =>
      (own[index + 1]?.occurredAtMs ?? 60_000) - own[index]!.occurredAtMs;
    const quietAfter = (type: string, ms: number): number =>
      users.filter((own) => own.some((event, i) => event.type === type && silentFor(own, i) > ms)).length;
    expect(quietAfter('cart_item_added', 8_000)).toBeGreaterThan(2);
    expect(quietAfter('checkout_started', 5_000)).toBeGreaterThan(2);
    expect(quietAfter('product_viewed', GAP_MS + 3_000)).toBeGreaterThan(2);
    // Somebody is back in time: a reminder that must not be sent.
    const saved = users.filter((own) =>
      own.some((event, i) => {
        const bought = own.slice(i).find((later) => later.type === 'purchase_completed');
        const silence = silentFor(own, i);
        return (
          event.type === 'cart_item_added' &&
          silence > 0.3 * GAP_MS &&
          bought !== undefined &&
          bought.occurredAtMs < event.occurredAtMs + 8_000
        );
      }),
    );
    expect(saved.length).toBeGreaterThan(0);
  });

  it.each(['1', '2', 'harbour'])('gives the journeys of items their moments within a minute (seed %s)', (seed) => {
    const both = earliestFirst<ShopEvent | ProductChange>(
      [shopEvents(options({ seed })), productChanges(options({ seed }))],
      (arrival) => arrival.arrivesAtMs,
    );
    // How often somebody has looked at a product since they last put it into a cart.
    const views = new Map<string, { sku: string; times: number; lastMs: number }>();
    const moments = { drop: 0, littleDrop: 0, few: 0 };
    for (const arrival of both) {
      const { type, properties, arrivesAtMs } = arrival;
      if (arrivesAtMs > 60_000) break;
      const sku = String(properties['sku']);
      if ('userId' in arrival) {
        const id = `${arrival.userId} ${sku}`;
        if (type === 'cart_item_added') views.delete(id);
        if (type === 'product_viewed') views.set(id, { sku, times: (views.get(id)?.times ?? 0) + 1, lastMs: arrivesAtMs });
        continue;
      }
      // Interest takes a moment to get around.
      const times = [...views.values()].filter((view) => view.sku === sku && view.lastMs < arrivesAtMs - 2_000).map((view) => view.times);
      const [price, was, left] = ['price', 'was', 'left'].map((name) => Number(properties[name]));
      if (type === 'stock_changed' && left! > 0 && left! <= 3) moments.few += times.filter((n) => n >= 3).length;
      if (type === 'price_changed' && price! < was!)
        moments[price! <= 0.9 * was! ? 'drop' : 'littleDrop'] += times.filter((n) => n >= 2).length;
    }
    expect(moments.drop).toBeGreaterThan(2);
    expect(moments.littleDrop).toBeGreaterThan(0);
    expect(moments.few).toBeGreaterThan(0);
  });

  it('shows everybody the price of the moment', () => {
    const seen = until(60_000).filter(({ type }) => type === 'product_viewed' || type === 'cart_item_added');
    expect(seen.length).toBeGreaterThan(100);
    for (const { occurredAtMs, properties } of seen) {
      const product = PRODUCTS.find(({ sku }) => sku === properties['sku'])!;
      expect(properties['price']).toBe(priceAt(options(), product, occurredAtMs));
    }
    expect(new Set(seen.map(({ properties }) => `${String(properties['sku'])} ${String(properties['price'])}`)).size).toBeGreaterThan(
      PRODUCTS.length,
    );
  });

  it('has somebody without consent, without a device, with a dead one, and with permission denied among the first sixteen', () => {
    const people = Array.from({ length: 16 }, (_, index) => createShopper('1', index));
    expect(people.some((shopper) => shopper.consent === 'out')).toBe(true);
    expect(people.some((shopper) => shopper.devices.length === 0)).toBe(true);
    expect(people.some((shopper) => shopper.devices.some((device) => device.dead))).toBe(true);
    expect(people.some((shopper) => shopper.devices.some((device) => device.permission === 'denied'))).toBe(true);
    expect(new Set(Array.from({ length: 500 }, (_, index) => createShopper('1', index).userId)).size).toBe(500);
  });
});

describe('a merge of ordered streams', () => {
  it('is what sorting them together would give, streams in their order where times are equal', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 12 }), { maxLength: 12 }), (lists) => {
        const streams = lists.map((list, stream) => list.toSorted((a, b) => a - b).map((time) => ({ time, stream })));
        const merged = [
          ...earliestFirst(
            streams.map((stream) => stream.values() as Iterator<{ time: number; stream: number }, undefined>),
            (item) => item.time,
          ),
        ];
        expect(merged).toEqual(streams.flat().toSorted((a, b) => a.time - b.time || a.stream - b.stream));
      }),
    );
  });
});

describe('a seeded source of chance', () => {
  it('stays in its bounds, reaches both ends, and draws UUIDs that do not repeat', () => {
    const random = createRandom('bounds');
    const ints = new Set(Array.from({ length: 300 }, () => random.int(2, 5)));
    expect([...ints].sort()).toEqual([2, 3, 4, 5]);
    const ids = Array.from({ length: 2_000 }, () => random.uuid());
    expect(new Set(ids).size).toBe(2_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(random.sample([1, 2, 3], 5).sort()).toEqual([1, 2, 3]);
    for (let i = 0; i < 200; i++)
      expect(
        random.weighted([
          ['never', 0],
          ['always', 1],
        ]),
      ).toBe('always');
  });
});
