import fc from 'fast-check';
import { SESSION_STARTED } from '../../src/core/program-index.ts';
import type { Event } from '../../src/core/event.ts';
import type { Journey, JourneyStep, SendStep, WhileActive } from '../../src/core/journey.ts';
import type { Pattern } from '../../src/core/pattern-kinds.ts';
import type { Program } from '../../src/core/program.ts';
import {
  DAY,
  HOUR,
  MARKETING,
  MINUTE,
  PLAIN,
  START,
  WIDE_LIMITS,
  journeyOf,
  programOf,
  sendOf,
  trackerOf,
  type EventParts,
} from './support.ts';

/** Topologies and timelines at random: of journeys that hold messages back, stand back for each other, notice items, and are edited while people are in them. */

const byItem = (event: Event): string | null => {
  const value = event.properties['item'];
  return typeof value === 'string' ? value : null;
};

const TRACKERS = [
  trackerOf('a', ['a']),
  trackerOf('a-or-b', ['a', 'b']),
  trackerOf('b', ['b'], { restrains: false }),
  trackerOf('x', ['x']),
  trackerOf('any', ['*']),
  trackerOf('views', ['view'], { key: byItem, keepMs: 2 * DAY, restrains: false }),
  trackerOf('buys', ['buy'], { key: byItem, keepMs: 2 * DAY }),
];

const on = (type: string) => ({ type, where: null });
const ITEM = { kind: 'item', on: on('price'), trackerId: 'views', times: 1, withinMs: DAY } as const;

/** `keyed`: of the journey's key, which is the item. */
const patterns: fc.Arbitrary<{ readonly pattern: Pattern; readonly keyed: boolean }> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .constantFrom<Pattern>(
        { kind: 'event', on: on('a') },
        { kind: 'event', on: on('b') },
        { kind: 'event', on: on(SESSION_STARTED) },
        { kind: 'sequence', on: on('a'), links: [], withoutId: 'a-or-b', withinMs: 5 * MINUTE },
        { kind: 'sequence', on: on('a'), links: [{ trackerId: 'b', withoutId: 'x' }], withoutId: null, withinMs: HOUR },
        { kind: 'inactive', since: null, forMs: 2 * MINUTE },
        { kind: 'inactive', since: on('a'), forMs: 5 * MINUTE },
        { kind: 'inactive', since: null, forMs: 30 * MINUTE },
        { kind: 'session_ended', where: null, delayMs: 0 },
        { kind: 'session_ended', where: null, delayMs: 5 * MINUTE },
        { kind: 'attribute', attribute: 'plan', changed: (before, after) => before['plan'] !== after['plan'] },
        { kind: 'date', attribute: 'ends', offsetMs: 0, atMinutes: null, yearly: false },
        { kind: 'date', attribute: 'ends', offsetMs: 0, atMinutes: 540, yearly: false },
      )
      .map((pattern) => ({ pattern, keyed: false })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<Pattern>(
        { kind: 'event', on: on('view') },
        { ...ITEM, withoutId: 'buys' },
        { ...ITEM, withoutId: null, times: 2 },
        { ...ITEM, withoutId: 'buys', withinMs: 2 * HOUR },
      )
      .map((pattern) => ({ pattern, keyed: true })),
  },
);

const whileActive = fc.constantFrom<WhileActive | null>(
  null,
  { kind: 'hold', atMostMs: 5 * MINUTE },
  { kind: 'hold', atMostMs: HOUR },
  { kind: 'instead', channels: ['log'] },
  { kind: 'drop' },
);

const sends = fc
  .record({ whileActive, capped: fc.boolean(), channel: fc.constantFrom('log', 'fcm') })
  .map(({ whileActive: active, capped, channel }): SendStep => ({
    ...sendOf({ whileActive: active, channels: [channel] }),
    ...(capped ? { class: 'marketing', category: 'offers' } : {}),
  }));

const others = fc.constantFrom<JourneyStep>(
  { kind: 'wait', name: '', forMs: 5 * MINUTE, atMinutes: null, until: [], fromTrigger: false, next: null },
  {
    kind: 'wait',
    name: '',
    forMs: HOUR,
    atMinutes: null,
    until: [{ trackerId: 'b', by: 'key', next: null }],
    fromTrigger: false,
    next: null,
  },
  {
    kind: 'wait',
    name: '',
    forMs: HOUR,
    atMinutes: null,
    until: [{ trackerId: 'b', by: 'key', next: null }],
    fromTrigger: true,
    next: null,
  },
  { kind: 'wait', name: '', forMs: 0, atMinutes: 600, until: [], fromTrigger: false, next: null },
  { kind: 'update', name: '', set: new Map([['plan', () => 'pro']]), next: null },
  { kind: 'update', name: '', set: new Map([['zone', () => 'Asia/Tokyo']]), next: null },
);

/** One after the other; each is called by its kind and place, so that an edit may leave some of them. */
function chained(steps: readonly JourneyStep[]): readonly JourneyStep[] {
  return steps.map((step, i): JourneyStep => {
    const next = i + 1 < steps.length ? i + 1 : null;
    const name = `${step.kind}${i}`;
    if (step.kind === 'wait') return { ...step, name, next, until: step.until.map((until) => ({ ...until, next })) };
    return { ...step, name, next } as JourneyStep;
  });
}

function journeys(name: string): fc.Arbitrary<Journey> {
  return fc
    .record({
      on: patterns,
      steps: fc.array(fc.oneof({ weight: 2, arbitrary: sends }, { weight: 1, arbitrary: others }), { minLength: 1, maxLength: 4 }),
      priority: fc.constantFrom(null, 1, 5, 5, 9),
      reentry: fc.constantFrom<Journey['reentry']>(
        { kind: 'always' },
        { kind: 'session' },
        { kind: 'session' },
        { kind: 'every', intervalMs: HOUR },
      ),
      cancelOn: fc.constantFrom<Journey['cancelOn']>([], [], [{ trackerId: 'x', label: 'x', goal: true }]),
      expiresAfterMs: fc.constantFrom(null, null, 10 * MINUTE),
      shadow: fc.constantFrom(false, false, false, true),
      inFlight: fc.constantFrom<'follow' | 'pinned'>('follow', 'pinned'),
    })
    .map(({ on: { pattern, keyed }, steps, ...rest }) =>
      journeyOf({ name, pattern, key: keyed ? byItem : null, steps: chained(steps), ...rest }),
    );
}

const NAMES = ['j0', 'j1', 'j2', 'j3', 'j4', 'j5'];

/** One version, with the journeys of some names. */
function versions(): fc.Arbitrary<readonly Journey[]> {
  return fc.tuple(...NAMES.map((name) => fc.option(journeys(name), { freq: 5 }))).map((all) => all.filter((one) => one !== null));
}

const SMALL = { recentEventIds: 20, matchesPerJourney: 3, keysPerTracker: 2, ledger: 6, devices: 2, profileAttributes: 5 };

/** Versions of one topology, in their order, numbered from 1. */
export function topologies({ most = 3 } = {}): fc.Arbitrary<readonly Program[]> {
  return fc
    .record({
      all: fc.array(versions(), { minLength: 1, maxLength: most }),
      cap: fc.constantFrom(null, 1, 3),
      isSmall: fc.boolean(),
    })
    .map(({ all, cap, isSmall }) =>
      all.map((some, i) =>
        programOf({
          hash: `v${i + 1}`,
          version: i + 1,
          activity: ['a', 'b', 'x', 'view', 'buy'],
          silent: ['price', 'quiet'],
          trackers: TRACKERS,
          journeys: some,
          classes: new Map([
            ['plain', PLAIN],
            ['marketing', MARKETING],
          ]),
          caps: cap === null ? [] : [{ name: 'daily', max: cap, windowMs: DAY, category: null, channel: null }],
          limits: isSmall ? SMALL : WIDE_LIMITS,
        }),
      ),
    );
}

export type Entry =
  | { readonly kind: 'tick'; readonly appendedAt: number }
  /** Another version is in force: the next, of as many as there are. */
  | { readonly kind: 'edit'; readonly appendedAt: number }
  | { readonly kind: 'event'; readonly type: string; readonly appendedAt: number; readonly parts: EventParts };

/** On whole minutes, so that much is due at the same moment. */
export function timelines({ length = 30 } = {}): fc.Arbitrary<readonly Entry[]> {
  const said = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'x', 'quiet').map((type) => ({ type, properties: {} })) },
    {
      weight: 3,
      arbitrary: fc
        .record({ type: fc.constantFrom('view', 'view', 'buy', 'price'), item: fc.constantFrom('p1', 'p2', 'p3') })
        .map(({ type, item }) => ({ type, properties: { item } })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<{ type: string; properties: Event['properties'] }>(
        { type: '$device_added', properties: { deviceId: 'd', kind: 'fcm', value: 'token', zone: 'Europe/Berlin' } },
        { type: '$device_added', properties: { deviceId: 'd2', kind: 'fcm', value: 'token2', zone: 'America/New_York' } },
        { type: '$device_removed', properties: { deviceId: 'd' } },
        { type: '$consent', properties: { category: 'offers', state: 'out' } },
        { type: '$consent', properties: { category: 'offers', state: 'in' } },
        { type: '$profile', properties: { plan: 'free', ends: START + DAY } },
        { type: '$profile', properties: { plan: 'pro', ends: START + 2 * DAY, zone: 'Asia/Tokyo' } },
      ),
    },
  );
  const entry = fc.record({
    said,
    what: fc.integer({ min: 0, max: 11 }),
    pause: fc.constantFrom(0, 0, 0, 1, 1, 2, 2, 3, 5, 5, 28, 30, 60, 24 * 60),
    late: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 5, 40, 23 * 60, 25 * 60, -60),
    imported: fc.integer({ min: 0, max: 15 }),
    again: fc.integer({ min: 0, max: 20 }),
    /** How long before it stood elsewhere: it was ingested. */
    ingested: fc.constantFrom(0, 0, 0, 0, 0, 1, 3, 30),
  });
  return fc.array(entry, { minLength: 1, maxLength: length, size: 'max' }).map((entries) => {
    let appendedAt = 0;
    return entries.map((e, i): Entry => {
      appendedAt += e.pause * MINUTE;
      if (e.what < 3) return { kind: 'tick', appendedAt };
      if (e.what === 3) return { kind: 'edit', appendedAt };
      const parts = {
        id: `e${e.again === 0 ? i - 1 : i}`,
        at: appendedAt - e.late * MINUTE,
        imported: e.imported === 0,
        appendedAt: appendedAt - e.ingested * MINUTE,
        properties: e.said.properties,
      };
      return { kind: 'event', type: e.said.type, appendedAt, parts };
    });
  });
}

export const described = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown): unknown => (part instanceof Map ? [...part] : part));

/** The topology behind so many edits: of the versions the next, over and over, as a version of its own. */
export function versionAt(versions: readonly Program[], edits: number): Program {
  return { ...versions[edits % versions.length]!, hash: `v${edits + 1}`, version: edits + 1 };
}

/** What failed, shortly: of the topologies only the journeys. For properties of versions, a timeline, and whatever else. */
export function explained<Values extends readonly unknown[]>(details: fc.RunDetails<Values>): void {
  if (!details.failed) return;
  const [versions, timeline, ...more] = details.counterexample as unknown as [readonly Program[], readonly Entry[], ...unknown[]];
  const lines = [
    `seed ${details.seed}, ${details.numRuns} runs: ${String(details.errorInstance)}`,
    ...versions.map(
      ({ caps, limits, journeys: some }) => `caps ${described(caps)} ledger ${limits.ledger}\n  ${some.map(described).join('\n  ')}`,
    ),
    ...timeline.map((entry) => `${entry.appendedAt / MINUTE} ${described(entry)}`),
    ...more.map(described),
  ];
  throw new Error(lines.join('\n'), { cause: details.errorInstance });
}
