import { createRandom } from './random.ts';

/** Who a simulated shopper is. Nobody real: names are drawn from a list. */
export interface Shopper {
  readonly userId: string;
  readonly firstName: string;
  readonly country: string;
  readonly language: string;
  readonly locale: string;
  readonly zone: string;
  readonly habit: Habit;
  readonly consent: 'in' | 'out';
  readonly devices: readonly ShopperDevice[];
}

export interface ShopperDevice {
  readonly deviceId: string;
  readonly kind: 'webpush' | 'fcm';
  readonly permission: 'granted' | 'denied';
  /** Its push service does not know it any more, and the shop has not heard of it yet. */
  readonly dead: boolean;
  readonly appVersion: string;
}

/** What a shopper tends to do; `visits.ts` has what that means. */
export type Habit = 'browser' | 'comparer' | 'abandoner' | 'buyer' | 'hesitant' | 'returning';

/** One of each is among the first ten, so that a small demo shows everything; the rest repeats it. */
const CAST: readonly { readonly habit: Habit; readonly flaw?: 'opted_out' | 'no_device' | 'dead_device' | 'denied' }[] = [
  { habit: 'abandoner' },
  { habit: 'browser' },
  { habit: 'hesitant' },
  { habit: 'buyer' },
  { habit: 'returning' },
  { habit: 'abandoner', flaw: 'opted_out' },
  { habit: 'comparer' },
  { habit: 'abandoner', flaw: 'dead_device' },
  { habit: 'abandoner' },
  { habit: 'hesitant', flaw: 'no_device' },
  { habit: 'returning' },
  { habit: 'browser' },
  { habit: 'buyer' },
  { habit: 'comparer' },
  { habit: 'browser', flaw: 'denied' },
  { habit: 'hesitant' },
];

const NAMES = (
  'Mila Jonas Amara Theo Ines Ravi Freya Malik Nora Emil Sofia Otis Leila Hugo Greta Kofi Alma Felix Yuki Bruno ' +
  'Zara Anton Maya Silas Ida Tomas Esme Noah Pia Luca Hana Oskar Vera Idris Clara Milo Asta Rafael Lina Joel'
).split(' ');

interface Home {
  readonly country: string;
  readonly language: string;
  readonly locale: string;
  readonly zone: string;
}

const HOMES: readonly (readonly [Home, number])[] = [
  [{ country: 'GB', language: 'en', locale: 'en-GB', zone: 'Europe/London' }, 4],
  [{ country: 'DE', language: 'de', locale: 'de-DE', zone: 'Europe/Berlin' }, 3],
  [{ country: 'US', language: 'en', locale: 'en-US', zone: 'America/New_York' }, 3],
  [{ country: 'IE', language: 'en', locale: 'en-IE', zone: 'Europe/Dublin' }, 1],
];

/** Shopper number `index` (from 0) of a seed: the same one however many others there are. */
export function createShopper(seed: string, index: number): Shopper {
  const random = createRandom(`${seed}/shopper/${index}`);
  const { habit, flaw } = CAST[index % CAST.length]!;
  const home = random.weighted(HOMES);
  const round = Math.floor(index / NAMES.length);
  const userId = `shopper-${String(index + 1).padStart(3, '0')}`;
  const device = (number: number): ShopperDevice => ({
    deviceId: `${userId}-${number}`,
    kind: random.chance(0.6) ? 'webpush' : 'fcm',
    permission: flaw === 'denied' ? 'denied' : 'granted',
    dead: flaw === 'dead_device',
    appVersion: random.pick(['5.2.0', '5.2.1', '5.3.0']),
  });
  const count = flaw === 'no_device' ? 0 : flaw === undefined && random.chance(0.15) ? 2 : 1;
  return {
    userId,
    firstName: NAMES[index % NAMES.length]! + (round === 0 ? '' : ` ${String.fromCharCode(64 + Math.min(round, 26))}.`),
    ...home,
    habit,
    consent: flaw === 'opted_out' ? 'out' : 'in',
    devices: Array.from({ length: count }, (_, i) => device(i + 1)),
  };
}
