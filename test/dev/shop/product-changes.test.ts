import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { priceAt } from '../../../src/dev/shop/prices.ts';
import { productChanges, type ChangeOptions, type ProductChange } from '../../../src/dev/shop/product-changes.ts';
import { PRODUCTS } from '../../../src/dev/shop/products.ts';

const GAP_MS = 6_000;

function until(ms: number, over: Partial<ChangeOptions> = {}): ProductChange[] {
  const changes: ProductChange[] = [];
  for (const change of productChanges({ seed: '1', run: 'test', gapMs: GAP_MS, ...over })) {
    if (change.arrivesAtMs > ms) break;
    changes.push(change);
  }
  return changes;
}

const of = (type: string, changes: readonly ProductChange[]): ProductChange[] => changes.filter((change) => change.type === type);
const product = (sku: string): (typeof PRODUCTS)[number] => PRODUCTS.find((one) => one.sku === sku)!;

describe('what happens to the products', () => {
  it('is the same again with the same seed, something else with another, and has other event ids in another run', () => {
    expect(until(60_000)).toEqual(until(60_000));
    const shapes = (over: Partial<ChangeOptions>): unknown[] => until(60_000, over).map(({ eventId: _, ...rest }) => rest);
    expect(shapes({ seed: '2' })).not.toEqual(shapes({}));
    expect(shapes({ run: 'other' })).toEqual(shapes({}));
    const ids = [...until(60_000), ...until(60_000, { run: 'other' })].map(({ eventId }) => eventId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('comes in order, and each price is the one that shoppers see from then on, and not before', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1_000, max: 1_800_000 }), (seed, gapMs) => {
        const changes = until(10 * gapMs, { seed, gapMs });
        for (let i = 1; i < changes.length; i++) expect(changes[i]!.arrivesAtMs).toBeGreaterThanOrEqual(changes[i - 1]!.arrivesAtMs);
        const prices = of('price_changed', changes);
        expect(new Set(prices.map(({ itemId }) => itemId)).size).toBe(PRODUCTS.length);
        for (const { itemId, occurredAtMs, properties } of prices) {
          expect(properties['price']).toBe(priceAt({ seed, gapMs }, product(itemId), occurredAtMs));
          expect(properties['was']).toBe(priceAt({ seed, gapMs }, product(itemId), occurredAtMs - 1));
          expect(properties['price']).not.toBe(properties['was']);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('lowers some prices by a tenth or more and some by less, and raises each to what it was', () => {
    const prices = of('price_changed', until(60_000)).map(({ itemId, properties }) => ({
      ...{ itemId, price: Number(properties['price']), was: Number(properties['was']) },
    }));
    const falls = prices.filter(({ price, was }) => price < was);
    expect(falls.filter(({ price, was }) => price <= 0.9 * was).length).toBeGreaterThan(5);
    expect(falls.filter(({ price, was }) => price > 0.9 * was).length).toBeGreaterThan(2);
    for (const { itemId, price, was } of prices) expect(Math.max(price, was)).toBe(product(itemId).price);
  });

  it('lets every shelf run low, run out and be filled again', () => {
    const left = Map.groupBy(of('stock_changed', until(6 * GAP_MS)), ({ itemId }) => itemId);
    expect(left.size).toBe(PRODUCTS.length);
    for (const changes of left.values()) {
      const counts = changes.map(({ properties }) => Number(properties['left']));
      expect(counts).toEqual(expect.arrayContaining([3, 1, 0, 14]));
      for (const [i, count] of counts.slice(1).entries()) expect(count < counts[i]! || counts[i] === 0).toBe(true);
    }
  });
});
