import { createShopper, type Shopper } from './people.ts';
import { shopEvents, type ShopOptions } from './shop.ts';

/** How far ahead, in session gaps: about a minute of the demo. */
const AHEAD = 12;

/**
 * Whose phone is worth watching: who agrees to messages, can be reached, and most often goes quiet with something in the cart or at the checkout. The lives
 * are the same each time, so it can be known beforehand.
 */
export function mostWatchable(options: ShopOptions): Shopper {
  const { gapMs } = options;
  const quiet = new Map<string, number>();
  const last = new Map<string, { type: string; atMs: number }>();
  for (const { userId, type, occurredAtMs } of shopEvents(options)) {
    if (occurredAtMs > AHEAD * gapMs) break;
    const before = last.get(userId);
    if (before !== undefined && /^(cart_item_added|checkout_started)$/.test(before.type) && occurredAtMs - before.atMs > 1.4 * gapMs)
      quiet.set(userId, (quiet.get(userId) ?? 0) + 1);
    last.set(userId, { type, atMs: occurredAtMs });
  }
  const people = Array.from({ length: options.shoppers }, (_, index) => createShopper(options.seed, index)).filter(
    ({ consent, devices }) => consent === 'in' && devices.some(({ dead, permission }) => !dead && permission === 'granted'),
  );
  const times = ({ userId }: Shopper): number => quiet.get(userId) ?? 0;
  return people.toSorted((a, b) => times(b) - times(a))[0] ?? createShopper(options.seed, 0);
}
