import type { Properties } from '../../core/event.ts';
import type { Habit } from './people.ts';
import { CURRENCY, PRODUCTS, type Product } from './products.ts';
import type { Random } from './random.ts';

/** What a shopper does, and how long after the action before it. */
export interface Action {
  readonly afterMs: number;
  readonly type: string;
  readonly properties: Properties;
}

/** What a shopper left in the cart. */
export interface Cart {
  readonly cartId: string;
  /** At the prices that they were put in for. */
  readonly items: readonly Product[];
}

export interface Visit {
  readonly actions: readonly Action[];
  /** The cart as the visit leaves it; null where it is empty or paid. */
  readonly cart: Cart | null;
  /** How long until the next visit begins. */
  readonly thenMs: number;
}

type Intent = 'browse' | 'compare' | 'abandon' | 'stall' | 'buy';

/** Weights of what a visit without a cart is about; the first one is the habit itself, and what a first visit is about. */
const INTENTS: Readonly<Record<Habit, readonly (readonly [Intent, number])[]>> = {
  browser: [
    ['browse', 8],
    ['compare', 2],
  ],
  comparer: [
    ['compare', 7],
    ['abandon', 2],
    ['buy', 1],
  ],
  abandoner: [
    ['abandon', 7],
    ['browse', 2],
    ['buy', 1],
  ],
  hesitant: [
    ['stall', 7],
    ['browse', 2],
    ['abandon', 1],
  ],
  buyer: [
    ['buy', 8],
    ['browse', 2],
  ],
  returning: [
    ['abandon', 5],
    ['stall', 4],
    ['browse', 1],
  ],
};

export interface Visitor {
  readonly habit: Habit;
  /** What they compare everything with. */
  readonly favourite: Product;
  /** What a product costs, so long after the visit began. */
  readonly priceOf: (product: Product, afterMs: number) => number;
  /** What the visit before left. */
  readonly cart: Cart | null;
  readonly isFirst: boolean;
}

/**
 * Plans one visit. `gapMs` is the topology's session gap, and every duration here is a share of it: thinking stays well inside one
 * session, a pause well outside, so that the same people make sense with gaps of seconds and of half an hour.
 */
export function planVisit({ habit, favourite, priceOf, cart, isFirst }: Visitor, random: Random, gapMs: number): Visit {
  const actions: Action[] = [];
  let atMs = 0;
  const act = <P extends Properties>(type: string, propertiesAt: P | ((atMs: number) => P)): P => {
    const afterMs = actions.length === 0 ? 0 : Math.round(random.between(0.06, 0.3) * gapMs);
    atMs += afterMs;
    const properties = typeof propertiesAt === 'function' ? propertiesAt(atMs) : propertiesAt;
    actions.push({ afterMs, type, properties });
    return properties;
  };
  const view = (product: Product): void => {
    const { sku, name } = product;
    act('product_viewed', (atMs) => ({ sku, name, price: priceOf(product, atMs), currency: CURRENCY }));
  };
  const add = (cartId: string, product: Product): Product => {
    const { sku, name } = product;
    const { price } = act('cart_item_added', (atMs) => ({ cartId, sku, name, price: priceOf(product, atMs), qty: 1 }));
    return { ...product, price };
  };

  act('app_opened', {});
  if (cart !== null) return comeBack(cart);

  const intent = isFirst ? INTENTS[habit][0]![0] : random.weighted(INTENTS[habit]);
  const first = intent === 'compare' ? favourite : random.pick(PRODUCTS);
  const shelf = random.sample(
    PRODUCTS.filter((product) => product.shelf === first.shelf),
    3,
  );
  act('page_viewed', { path: first.shelf });
  if (intent === 'browse') {
    random.sample(PRODUCTS, random.int(2, 4)).forEach(view);
    return leave(null);
  }
  if (intent === 'compare') {
    const other = shelf.find(({ sku }) => sku !== favourite.sku)!;
    [favourite, other, favourite, ...(random.chance(0.5) ? [other, favourite] : [])].forEach(view);
    return leave(null);
  }
  return fill();

  function fill(): Visit {
    const cartId = `cart-${random.uuid().slice(0, 8)}`;
    shelf.slice(0, random.int(1, 2)).forEach(view);
    let items = shelf.slice(0, random.chance(0.3) ? 2 : 1).map((product) => add(cartId, product));
    if (items.length > 1 && random.chance(0.4)) {
      act('cart_item_removed', { cartId, sku: items[1]!.sku });
      items = items.slice(0, 1);
    }
    const filled = { cartId, items };
    if (intent === 'abandon') return leave(filled);
    act('checkout_started', { cartId, total: totalOf(filled) });
    return intent === 'stall' ? leave(filled) : pay(filled);
  }

  function comeBack(left: Cart): Visit {
    act('page_viewed', { path: '/cart' });
    if (random.chance(habit === 'returning' ? 0.1 : 0.4)) {
      random.sample(PRODUCTS, random.int(0, 2)).forEach(view);
      return leave(random.chance(0.5) ? left : null);
    }
    act('checkout_started', { cartId: left.cartId, total: totalOf(left) });
    return habit === 'hesitant' && random.chance(0.5) ? leave(left) : pay(left);
  }

  function pay(paid: Cart): Visit {
    act('purchase_completed', {
      cartId: paid.cartId,
      orderId: `order-${random.uuid().slice(0, 8)}`,
      total: totalOf(paid),
    });
    return leave(null);
  }

  /** The returning ones are back before anybody would remind them; the others stay away long enough to be missed. */
  function leave(kept: Cart | null): Visit {
    const soon = kept !== null && habit === 'returning';
    return { actions, cart: kept, thenMs: Math.round((soon ? random.between(0.35, 0.75) : random.between(2.2, 5)) * gapMs) };
  }
}

function totalOf(cart: Cart): number {
  return Math.round(cart.items.reduce((sum, item) => sum + item.price, 0) * 100) / 100;
}
