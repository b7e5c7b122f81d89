import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userIdOf, W1_START_MS, w1Events, type BenchEvent } from './w1-events.ts';

/** One thing made large. What it costs is compared with another case. */
export interface GrowthCase {
  readonly name: string;
  readonly what: string;
  /** The name of the small case; null for the smallest. */
  readonly comparedWith: string | null;
  /** Target of the ratio; null: a figure to know, no target. */
  readonly target: number | null;
  /** Before what is measured. */
  readonly preload: number;
  readonly events: () => Generator<BenchEvent>;
  /** Changes to W1's topology, in a copy. */
  readonly topology?: (folder: string) => void;
  readonly restore?: boolean;
}

export interface Scale {
  /** Measured events of each case. */
  readonly events: number;
  /** 1: a hundred thousand users grow to two million. */
  readonly factor: number;
}

const SEED = 'growth';
const HOUR_MS = 3_600_000;
const PRELOAD_FROM_MS = W1_START_MS - 2 * HOUR_MS;
/** Enough to reach each partition. */
const LAST = 200;
const OTHERS = Array.from({ length: 99 }, (_, i) => `other_${i}`);
/** Of page views. */
const OTHER_SHARE = 0.1;

export function growthCases({ events, factor }: Scale): readonly GrowthCase[] {
  const small = Math.round(100_000 * factor);
  const many = Math.round(2_000_000 * factor);
  const armed = Math.round(1_000_000 * factor);
  const measured = { seed: SEED, users: small, events };
  const others = { ...measured, otherTypes: { names: OTHERS, share: OTHER_SHARE } };
  // At least so many in every case: a small one must not be measured with a colder machine than a large one.
  const warming = Math.round(500_000 * factor);
  const plain = (users: number, more: Parameters<typeof w1Events>[0]) => {
    const preload = Math.max(users, warming);
    return { preload, events: () => both(preloadOf(users, preload, 'app_opened'), w1Events(more)) };
  };
  return [
    { name: 'small', what: `${small} users, W1's journeys`, comparedWith: null, target: null, ...plain(small, measured) },
    {
      ...{ name: 'users', what: `${many} users`, comparedWith: 'small', target: 1.5, restore: true },
      ...plain(many, { ...measured, users: many }),
    },
    {
      ...{ name: 'timers', what: `${armed} armed timers`, comparedWith: 'small', target: 1.5, preload: armed, topology: addWaiting },
      events: () => both(preloadOf(armed, armed, 'waited_for'), w1Events(measured)),
    },
    {
      name: 'hot',
      what: 'one user with 5 % of the events',
      comparedWith: 'small',
      target: 1.5,
      ...plain(small, { ...measured, hotShare: 0.05 }),
    },
    {
      ...{ name: 'journey-1', what: '1 journey', comparedWith: null, target: null, ...plain(small, others) },
      topology: (folder) => cartOnly(folder),
    },
    {
      ...{ name: 'journeys-100', what: '100 journeys, 99 of them each on an event of its own', comparedWith: 'journey-1', target: 1.5 },
      ...plain(small, others),
      topology: (folder) => {
        cartOnly(folder);
        for (const [i, type] of OTHERS.entries()) addJourney(folder, i, `{ event: ${type}, where: event.qty >= 9 }`);
      },
    },
    {
      ...{
        name: 'journeys-same',
        what: '100 journeys, 99 of them with a condition on every page view',
        comparedWith: 'journey-1',
        target: null,
      },
      ...plain(small, others),
      topology: (folder) => {
        cartOnly(folder);
        for (const i of OTHERS.keys()) addJourney(folder, i, `{ event: page_viewed, where: 'event.path == "/p/${i + 1}"' }`);
      },
    },
  ];
}

/** A copy of W1's topology, changed. Removing it is the caller's. */
export function topologyOf({ topology }: GrowthCase): string | undefined {
  if (topology === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'lull-growth-'));
  cpSync(join(import.meta.dirname, '../../topologies/w1'), folder, { recursive: true });
  topology(folder);
  return folder;
}

/**
 * Every user, as often as it takes to make the count, within an hour that is over before the measured events begin. The last of them come just before those, so that the
 * sessions of all others have ended by then: what is measured is not to pay for what was loaded.
 */
function* preloadOf(users: number, count: number, type: string): Generator<BenchEvent> {
  for (let i = 0; i < count; i++) {
    const sinceMs = i < count - LAST ? Math.floor((i * HOUR_MS) / count) : W1_START_MS - PRELOAD_FROM_MS - 60_000;
    const event = { eventId: `preload-${i}`, userId: userIdOf(i % users), type, occurredAtMs: PRELOAD_FROM_MS + sinceMs };
    yield { ...event, properties: { path: '/', qty: 0 } };
  }
}

function* both(first: Iterable<BenchEvent>, second: Iterable<BenchEvent>): Generator<BenchEvent> {
  yield* first;
  yield* second;
}

/** A journey that waits for six days: nothing comes due while we measure. */
function addWaiting(folder: string): void {
  appendFileSync(join(folder, 'events.yaml'), 'waited_for: { properties: { path: string, qty: long } }\nnever_comes: {}\n');
  writeFileSync(
    join(folder, 'journeys/waiting.yaml'),
    'name: waiting\non: { absence: { after: waited_for, without: [never_comes], within: 6d } }\n' + STEPS,
  );
}

/** Of W1's journeys, `cart_abandoned` alone: the other one wants to know of every event. The catalogue has the other types in either case. */
function cartOnly(folder: string): void {
  appendFileSync(join(folder, 'events.yaml'), OTHERS.map((type) => `${type}: { properties: { path: string, qty: long } }\n`).join(''));
  for (const journey of ['checkout_idle', 'ping']) rmSync(join(folder, 'journeys', `${journey}.yaml`));
}

function addJourney(folder: string, index: number, on: string): void {
  writeFileSync(join(folder, `journeys/other_${index}.yaml`), `name: journey_${index}\non: ${on}\n${STEPS}`);
}

const STEPS = 'steps:\n  - send: command\n    channels: [bench]\n    class: measured\n    ttl: 1d\n';
