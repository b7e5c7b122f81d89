import type { Product } from './products.ts';
import { createRandom } from './random.ts';
import type { ShopOptions } from './shop.ts';

/** In session gaps: for so long a price stands. */
const SEASON = 1.5;

export type PriceOptions = Pick<ShopOptions, 'seed' | 'gapMs'>;

/**
 * What a product costs at a time: every other season it is on offer, some by so much that people want to hear of it, some by little. A function without memory, so that
 * everybody who looks sees the same. Times count from the opening of the shop.
 */
export function priceAt(options: PriceOptions, product: Product, ms: number): number {
  return priceIn(options, product, seasonAt(options, product, ms));
}

export interface PriceChange {
  readonly atMs: number;
  readonly price: number;
  readonly was: number;
}

/** Every change from the opening on. Endless. */
export function* priceChanges(options: PriceOptions, product: Product): Generator<PriceChange, undefined> {
  for (let season = seasonAt(options, product, 0) + 1; ; season++)
    yield {
      atMs: season * seasonMs(options) - phaseMs(options, product),
      price: priceIn(options, product, season),
      was: priceIn(options, product, season - 1),
    };
}

function priceIn({ seed }: PriceOptions, { sku, price }: Product, season: number): number {
  if (season % 2 === 0) return price;
  const random = createRandom(`${seed}/offer/${sku}/${season}`);
  const share = random.chance(0.7) ? random.between(0.6, 0.85) : random.between(0.93, 0.97);
  return Math.round(2 * share * price) / 2;
}

function seasonAt(options: PriceOptions, product: Product, ms: number): number {
  return Math.floor((ms + phaseMs(options, product)) / seasonMs(options));
}

const seasonMs = ({ gapMs }: PriceOptions): number => Math.round(SEASON * gapMs);

/** How far into its first two seasons a product is at the opening: they do not all change at once. */
function phaseMs(options: PriceOptions, { sku }: Product): number {
  return createRandom(`${options.seed}/season/${sku}`).int(0, 2 * seasonMs(options) - 1);
}
