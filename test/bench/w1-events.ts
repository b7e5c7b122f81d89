import { createRandom, type Random } from '../../src/dev/shop/random.ts';

/** A product event as the workloads have it; times are epoch milliseconds. */
export interface BenchEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly occurredAtMs: number;
  readonly properties: Readonly<Record<string, string | number>>;
}

export interface W1Options {
  readonly seed: string;
  readonly users: number;
  readonly events: number;
  readonly startMs?: number;
  /** Events of one more user, as a share of all. */
  readonly hotShare?: number;
  /** Types that replace that share of page views, each as often as the others. */
  readonly otherTypes?: { readonly names: readonly string[]; readonly share: number };
}

export const W1_START_MS = Date.parse('2025-06-02T08:00:00Z');
/** When the closing record makes everything due. */
export const W1_FLUSH_MS = W1_START_MS + 30 * 3_600_000;
const SPAN_MS = 6 * 3_600_000;
const EVENTS_PER_SESSION = 12;
const MEAN_GAP_MS = 25_000;
const LATE_SHARE = 0.2;
const LATE_MAX_MS = 5_000;
/** A user's weight is rank^-0.7: few are hot, most are rare. */
const SKEW = -0.7;
const TYPES: readonly (readonly [string, number])[] = [
  ['page_viewed', 70],
  ['product_viewed', 15],
  ['cart_item_added', 8],
  ['checkout_started', 3],
  ['purchase_completed', 3],
  ['app_opened', 1],
];

interface Session {
  readonly userId: string;
  atMs: number;
}

/**
 * W1's events, in the order in which they are produced; the same options give the same events. Sessions arrive as a Poisson process over six
 * hours, their lengths are geometric with a mean of 12 events, the gaps within are exponential with a mean of 25 s. A fifth of the events carry a time
 * up to 5 s before their turn, so that no event is later than 5 s within a partition.
 */
export function* w1Events(options: W1Options): Generator<BenchEvent> {
  const { events, startMs = W1_START_MS, hotShare = 0, otherTypes } = options;
  const random = createRandom(options.seed);
  const drawUser = userSampler(random, options.users);
  const exponential = (mean: number): number => -mean * Math.log(1 - random.next());
  const meanArrivalMs = (SPAN_MS * EVENTS_PER_SESSION) / events;
  const open = new SessionHeap();
  let arrivalMs = startMs;
  for (let made = 0; made < events;) {
    if (open.first === undefined || arrivalMs <= open.first.atMs) {
      open.push({ userId: drawUser(), atMs: arrivalMs });
      arrivalMs += exponential(meanArrivalMs);
      continue;
    }
    const session = open.pop();
    const lateMs = random.chance(LATE_SHARE) ? random.int(0, LATE_MAX_MS) : 0;
    const userId = random.chance(hotShare) ? 'hot' : session.userId;
    yield makeEvent(random, userId, Math.floor(session.atMs) - lateMs, otherTypes);
    made++;
    if (random.chance(1 / EVENTS_PER_SESSION)) continue;
    session.atMs += exponential(MEAN_GAP_MS);
    open.push(session);
  }
}

export function userIdOf(rank: number): string {
  return `u${String(rank).padStart(6, '0')}`;
}

function makeEvent(random: Random, userId: string, occurredAtMs: number, otherTypes: W1Options['otherTypes']): BenchEvent {
  let type = drawType(random);
  if (type === 'page_viewed' && otherTypes !== undefined && random.chance(otherTypes.share)) type = random.pick(otherTypes.names);
  return { eventId: random.uuid(), userId, type, occurredAtMs, properties: propertiesOf(random, type) };
}

export function drawType(random: Random): string {
  return random.weighted(TYPES);
}

/** What an event of this type says of itself. */
export function propertiesOf(random: Random, type: string): Readonly<Record<string, string | number>> {
  const path = `/p/${random.int(1, 5_000)}`;
  const price = (): number => random.int(100, 20_000) / 100;
  const sku = (): string => `sku-${random.int(1, 20_000)}`;
  switch (type) {
    case 'product_viewed':
      return { path, sku: sku(), price: price() };
    case 'cart_item_added':
      return { path, sku: sku(), price: price(), qty: random.int(1, 3) };
    case 'checkout_started':
    case 'purchase_completed':
      return { path, price: price() };
    default:
      return { path, qty: random.int(0, 9) };
  }
}

function userSampler(random: Random, users: number): () => string {
  const cumulative = new Float64Array(users);
  let total = 0;
  for (let rank = 0; rank < users; rank++) cumulative[rank] = total += (rank + 1) ** SKEW;
  return () => {
    const target = random.next() * total;
    let [low, high] = [0, users - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return userIdOf(low);
  };
}

/** A binary heap: thousands of sessions are open at a time. */
class SessionHeap {
  readonly #items: Session[] = [];

  get first(): Session | undefined {
    return this.#items[0];
  }

  push(session: Session): void {
    const items = this.#items;
    let at = items.push(session) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]!.atMs <= session.atMs) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = session;
  }

  pop(): Session {
    const items = this.#items;
    const first = items[0]!;
    const last = items.pop()!;
    if (items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.atMs < items[child]!.atMs) child++;
      if (items[child]!.atMs >= last.atMs) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return first;
  }
}
