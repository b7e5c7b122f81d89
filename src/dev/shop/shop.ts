import type { Properties } from '../../core/event.ts';
import { earliestFirst } from './merge.ts';
import { createShopper, type Shopper, type ShopperDevice } from './people.ts';
import { priceAt } from './prices.ts';
import { PRODUCTS } from './products.ts';
import { createRandom } from './random.ts';
import { planVisit, type Cart } from './visits.ts';

/**
 * The simulated shop: an endless stream of product events in order of arrival. Pure: the same options give the same events. Times count
 * from the opening of the shop.
 */
export interface ShopOptions {
  /** Draws who the shoppers are and what they do. */
  readonly seed: string;
  /** Mixed into event ids only: two runs on one topic must not look like duplicates of each other. */
  readonly run: string;
  readonly shoppers: number;
  /** The topology's session gap; every duration of a shopper is a share of it. */
  readonly gapMs: number;
  /** The consent category that shoppers answer for. */
  readonly category: string;
  /** The push address of a device: a token, or a subscription as JSON. */
  readonly addressOf: (shopper: Shopper, device: ShopperDevice) => string;
}

/** What reaches the shop's servers. */
export interface Arrival {
  readonly eventId: string;
  readonly type: string;
  /** By the clock of who saw it: a shopper's own. */
  readonly occurredAtMs: number;
  /** Never before an earlier one of the same shopper, or of the same product. */
  readonly arrivesAtMs: number;
  readonly properties: Properties;
}

export interface ShopEvent extends Arrival {
  readonly userId: string;
}

export function shopEvents(options: ShopOptions): Generator<ShopEvent, undefined> {
  if (!Number.isInteger(options.shoppers) || options.shoppers < 1) throw new RangeError('a shop has at least one shopper');
  const lives = Array.from({ length: options.shoppers }, (_, index) => life(createShopper(options.seed, index), index, options));
  return earliestFirst(lives, (event) => event.arrivesAtMs);
}

/** A life has no end: whoever reads it stops reading. */
function* life(shopper: Shopper, index: number, options: ShopOptions): Generator<ShopEvent, undefined> {
  const random = createRandom(`${options.seed}/life/${shopper.userId}`);
  const ids = createRandom(`${options.run}/${options.seed}/ids/${shopper.userId}`);
  const favourite = createRandom(`${options.seed}/favourite/${shopper.userId}`).pick(PRODUCTS);
  const { gapMs } = options;
  // The first ten walk in one after the other, the rest within a few gaps: a page that fills, not one that bursts.
  let clockMs = Math.round(index < 10 ? index * 0.06 * gapMs : random.between(0.3, 4) * gapMs);
  let arrivedMs = 0;
  let offlineUntilMs = 0;

  function happened(type: string, properties: Properties): ShopEvent {
    // A phone in a tunnel keeps its events and sends them together, in order.
    arrivedMs = Math.max(arrivedMs, clockMs + random.int(5, 40), offlineUntilMs);
    return { eventId: ids.uuid(), userId: shopper.userId, type, occurredAtMs: clockMs, arrivesAtMs: arrivedMs, properties };
  }

  yield happened('$profile', {
    firstName: shopper.firstName,
    country: shopper.country,
    language: shopper.language,
  });
  for (const device of shopper.devices)
    yield happened('$device_added', {
      deviceId: device.deviceId,
      kind: device.kind,
      value: options.addressOf(shopper, device),
      permission: device.permission,
      zone: shopper.zone,
      locale: shopper.locale,
      appVersion: device.appVersion,
    });
  yield happened('$consent', { category: options.category, state: shopper.consent });

  let cart: Cart | null = null;
  for (let isFirst = true; ; isFirst = false) {
    const beganMs = clockMs;
    const visit = planVisit(
      {
        ...{ habit: shopper.habit, favourite, cart, isFirst },
        priceOf: (product, afterMs) => priceAt(options, product, beganMs + afterMs),
      },
      random,
      gapMs,
    );
    if (random.chance(0.08)) offlineUntilMs = clockMs + Math.round(random.between(0.1, 0.3) * gapMs);
    for (const action of visit.actions) {
      clockMs += action.afterMs;
      yield happened(action.type, action.properties);
    }
    cart = visit.cart;
    clockMs += visit.thenMs;
  }
}
