import { earliestFirst } from './merge.ts';
import { priceChanges } from './prices.ts';
import { CURRENCY, PRODUCTS, type Product } from './products.ts';
import { createRandom } from './random.ts';
import type { Arrival, ShopOptions } from './shop.ts';

/** Something that happens to a product, and not to a shopper. */
export interface ProductChange extends Arrival {
  /** The product's sku. */
  readonly itemId: string;
}

export type ChangeOptions = Pick<ShopOptions, 'seed' | 'run' | 'gapMs'>;

/** How many are left, a session gap each, until the shelf is filled again. */
const LEFT = [14, 8, 3, 1, 0];

/** The changes of all prices and of all stock, as endless as the events of the shoppers, and as pure. */
export function productChanges(options: ChangeOptions): Generator<ProductChange, undefined> {
  const lives = PRODUCTS.flatMap((product) => [prices(options, product), stock(options, product)]);
  return earliestFirst(lives, (change) => change.arrivesAtMs);
}

function* prices(options: ChangeOptions, product: Product): Generator<ProductChange, undefined> {
  const changed = changesOf(options, product, 'price_changed');
  for (const { atMs, price, was } of priceChanges(options, product)) yield changed(atMs, { price, was, currency: CURRENCY });
}

/** Nobody counts what the shoppers buy: a shelf empties by itself, each from another moment on. */
function* stock(options: ChangeOptions, product: Product): Generator<ProductChange, undefined> {
  const changed = changesOf(options, product, 'stock_changed');
  const random = createRandom(`${options.seed}/stock/${product.sku}`);
  const firstMs = random.int(1, options.gapMs);
  const from = random.int(0, LEFT.length - 1);
  for (let step = 0; ; step++) yield changed(firstMs + step * options.gapMs, { left: LEFT[(from + step) % LEFT.length]! });
}

/** The shop itself says so: it arrives as it happens. */
function changesOf({ seed, run }: ChangeOptions, { sku, name }: Product, type: string) {
  const ids = createRandom(`${run}/${seed}/ids/${type}/${sku}`);
  return (atMs: number, properties: ProductChange['properties']): ProductChange => ({
    ...{ eventId: ids.uuid(), itemId: sku, type, occurredAtMs: atMs, arrivesAtMs: atMs },
    properties: { sku, name, ...properties },
  });
}
