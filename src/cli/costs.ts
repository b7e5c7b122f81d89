import type { Journey } from '../core/journey.ts';
import type { Program, Tally, Tracker } from '../core/program.ts';
import { indexProgram, toldIdOf, usedIdOf } from '../core/program-index.ts';
import { standsForMs } from '../core/wait-step.ts';
import type { LedgerEntry, Match, SessionWindow, Trigger, UserState } from '../core/state.ts';
import { emptyState } from '../core/step.ts';
import { encodeUserState } from '../processor/user-state-codec.ts';

/** What one thing that a topology asks for keeps of a user. */
export interface Cost {
  /** `moments of cart_item_added, purchase_completed`. */
  readonly what: string;
  /** Journeys that ask for it, or the session. */
  readonly for: readonly string[];
  /** Bytes in the user's row: of one (one moment of one key, one run), */
  readonly oneBytes: number;
  /** and where it is at its limit. */
  readonly mostBytes: number;
  /** null = for as long as there is something to know of the user. */
  readonly keptForMs: number | null;
}

/** Bytes that stand for a value that only the log knows: an id, a text. */
const SAMPLE_ID = '0123456789abcdef0123456789abcdef';
const SAMPLE_TEXT = 'a text of some length';
const AT_MS = 1_748_851_200_000;
/** Between two things of one kind: what a difference in a row then takes. */
const STEP_MS = 3_600_000;
const DAY_MS = 86_400_000;

/**
 * What a user's row takes for each of a topology's parts, measured by encoding it as the processor does. What is of the user's own length (ids, texts) is reckoned with a sample;
 * what is of the product's (profile, devices, consent) is left out.
 */
export function costsOf(program: Program): readonly Cost[] {
  return [
    cost('event ids against duplicates', [], program.maxEventAgeMs, (n) => ({ recentEventIds: hashes(n) }), program.limits.recentEventIds),
    sessionCost(program),
    ...trackersOf(program).map((tracker) => trackerCost(program, tracker)),
    ...program.tallies.map((tally) => tallyCost(program, tally)),
    ...program.journeys.flatMap((journey) => matchCosts(program, journey)),
    ledgerCost(program),
  ];
}

/** Of a user of whom one of everything is kept, and of one of whom as much as can be. */
export function totalsOf(costs: readonly Cost[]): { readonly oneBytes: number; readonly mostBytes: number } {
  const bare = encodeUserState(emptyState('')).length;
  const sum = (of: (one: Cost) => number): number => costs.reduce((bytes, one) => bytes + of(one), bare);
  return { oneBytes: sum((one) => one.oneBytes), mostBytes: sum((one) => one.mostBytes) };
}

function cost(
  what: string,
  askedBy: readonly string[],
  keptForMs: number | null,
  of: (n: number) => Partial<UserState>,
  most: number,
): Cost {
  return { what, for: askedBy, oneBytes: bytesOf(of(1)), mostBytes: bytesOf(of(most)), keptForMs };
}

function bytesOf(parts: Partial<UserState>): number {
  const bare = emptyState('');
  return encodeUserState({ ...bare, ...parts }).length - encodeUserState(bare).length;
}

function sessionCost({ eventTypes, sums, sessionGapMs }: Program): Cost {
  const active = [...eventTypes.values()].filter(({ activity }) => activity).map(({ type }) => type);
  const of = (n: number): Partial<UserState> => ({ session: windowOf(active.slice(0, n), n === 1 ? [] : sums.map(({ name }) => name)) });
  return cost('the open session, its events counted', [], sessionGapMs, of, active.length);
}

/** Those that the program names, and those that counts and sequences have of their own. */
function trackersOf(program: Program): readonly Tracker[] {
  return [...indexProgram(program).trackers.values()].map(({ tracker }) => tracker);
}

function trackerCost(program: Program, tracker: Tracker): Cost {
  const types = [...new Set(tracker.matches.map(({ type }) => (type === '*' ? 'any activity' : type)))];
  const askedBy = program.journeys.filter((journey) => usesOf(journey).includes(tracker.id)).map(({ name }) => name);
  const isTold = program.journeys.some(({ pattern }) => pattern.kind === 'item' && toldIdOf(pattern.on.type) === tracker.id);
  const own = isTold ? 'items of whose changes to tell' : 'what has been used up';
  const what = types.length === 0 ? own : `moments of ${types.join(', ')}${tracker.key === null ? '' : ', by key'}`;
  const keys = tracker.key === null ? 1 : program.limits.keysPerTracker;
  const moments = (n: number): number[] => Array.from({ length: n }, (_, i) => [AT_MS + i * STEP_MS, 1_000_000 + i * 1_000]).flat();
  const lists = (n: number): UserState['trackers'] => {
    const [perKey, ofKeys] = n === 1 ? [1, 1] : [tracker.cap, keys];
    return { [tracker.id]: Object.fromEntries(Array.from({ length: ofKeys }, (_, i) => [keyAt(tracker, i), moments(perKey)])) };
  };
  return cost(what, askedBy, tracker.keepMs, (n) => ({ trackers: lists(n) }), 2);
}

function usesOf(journey: Journey): readonly string[] {
  const { pattern, cancelOn, steps } = journey;
  const ofPattern =
    pattern.kind === 'sequence'
      ? [...pattern.links.flatMap(({ trackerId, withoutId }) => [trackerId, withoutId]), pattern.withoutId]
      : pattern.kind === 'count'
        ? [pattern.trackerId, pattern.withoutId]
        : pattern.kind === 'item'
          ? [pattern.trackerId, pattern.withoutId, toldIdOf(pattern.on.type)]
          : [];
  const untils = steps.flatMap((step) => (step.kind === 'wait' ? step.until.map(({ trackerId }) => trackerId) : []));
  const ids = [...ofPattern, ...cancelOn.map(({ trackerId }) => trackerId), ...untils, usedIdOf(journey)];
  return ids.filter((id) => id !== null);
}

function tallyCost(program: Program, tally: Tally): Cost {
  const askedBy = program.journeys.filter(({ pattern }) => 'tallyId' in pattern && pattern.tallyId === tally.id).map(({ name }) => name);
  const day = Math.floor(AT_MS / DAY_MS);
  const numbers = (n: number): number[] => (tally.of === 'events' ? [1_000, AT_MS] : Array.from({ length: 2 * n }, (_, i) => day + i));
  const keys = tally.key === null ? 1 : program.limits.keysPerTracker;
  const what = `${tally.of === 'events' ? 'how many' : 'which days had a'} ${tally.on.type}${tally.key === null ? '' : ', by key'}`;
  const of = (n: number): Partial<UserState> => ({
    tallies: {
      [tally.id]: Object.fromEntries(Array.from({ length: n === 1 ? 1 : keys }, (_, i) => [keyAt(tally, i), numbers(n === 1 ? 1 : 4)])),
    },
  });
  return cost(what, askedBy, null, of, 2);
}

function matchCosts(program: Program, journey: Journey): readonly Cost[] {
  const stands = journey.steps.filter((step) => standsForMs(step) > 0);
  const patternMs = waitOf(program, journey);
  const costs: Cost[] = [];
  const most = program.limits.matchesPerJourney;
  const of =
    (wait: Match['wait']) =>
    (n: number): Partial<UserState> => ({ matches: Array.from({ length: n }, (_, i) => matchOf(program, journey, i, wait)) });
  if (patternMs !== 0)
    costs.push(cost('a pattern that waits to come true', [journey.name], patternMs, of(null), journey.pattern.kind === 'date' ? 1 : most));
  const [first] = stands;
  if (first !== undefined) {
    const longestMs = stands.reduce((sum, step) => sum + standsForMs(step), 0);
    costs.push(
      cost(
        'a run that waits at a step',
        [journey.name],
        longestMs,
        of({ step: first.name, sinceMs: AT_MS, sinceOffset: 1_000_000, entered: true, version: 1_000_000 }),
        most,
      ),
    );
  }
  return costs;
}

/** How long a pattern waits; 0 = not; null = until its date. */
function waitOf({ sessionGapMs }: Program, { pattern }: Journey): number | null {
  switch (pattern.kind) {
    case 'sequence':
      return pattern.withinMs;
    case 'inactive':
      return pattern.forMs;
    case 'session_ended':
      return sessionGapMs + pattern.delayMs;
    case 'streak':
      return pattern.breaksAtMinutes === null ? 0 : 2 * DAY_MS;
    case 'date':
      return null;
    case 'event':
    case 'count':
    case 'milestone':
    case 'attribute':
    case 'item':
      return 0;
  }
}

function matchOf(program: Program, journey: Journey, i: number, wait: Match['wait']): Match {
  const properties = Object.fromEntries(journey.capture.map((name) => [name, SAMPLE_TEXT]));
  const active = [...program.eventTypes.values()].filter(({ activity }) => activity).map(({ type }) => type);
  const session = journey.captureSession
    ? windowOf(
        active,
        program.sums.map(({ name }) => name),
      )
    : null;
  const trigger: Trigger = {
    ...{
      topic: 'timeline',
      partition: 0,
      offset: 1_000_000 + i,
      eventId: idAt(i),
      type: 'event',
      occurredAtMs: AT_MS,
      appendedAtMs: AT_MS + 50,
    },
    ...{ properties, session, traceParent: null },
  };
  return { journey: journey.name, key: keyAt(journey, i), occurrence: idAt(i), trigger, dueMs: AT_MS + STEP_MS, wait };
}

function ledgerCost(program: Program): Cost {
  const keptForMs = indexProgram(program).ledgerKeepMs;
  const [journey] = program.journeys;
  const entry = (i: number): LedgerEntry => ({
    ...{
      commandId: '00000000-0000-5000-8000-000000000000',
      journey: journey?.name ?? '',
      step: 'send',
      key: '',
      occurrence: idAt(i),
      class: 'class',
    },
    ...{
      category: 'category',
      channel: 'channel',
      atMs: AT_MS + i * STEP_MS,
      expiresAtMs: AT_MS + (i + 4) * STEP_MS,
      triggeredAtMs: AT_MS,
    },
    ...{ deviceIds: ['device'], outcome: 'accepted' },
  });
  const of = (n: number): Partial<UserState> => ({ ledger: Array.from({ length: n }, (_, i) => entry(i)) });
  return cost('messages that were sent', [], keptForMs, of, program.limits.ledger);
}

function windowOf(types: readonly string[], sums: readonly string[]): SessionWindow {
  return {
    ...{ id: SAMPLE_ID, opened: { topic: 'timeline', partition: 0, offset: 1_000_000 }, startMs: AT_MS, lastMs: AT_MS + STEP_MS },
    ...{ lastAppendedAtMs: AT_MS + STEP_MS, count: 100, closeTimerMs: AT_MS + 2 * STEP_MS },
    counts: Object.fromEntries(types.map((type) => [type, 10])),
    sums: Object.fromEntries(sums.map((name) => [name, 100_000])),
  };
}

function hashes(n: number): number[] {
  return Array.from({ length: n }, (_, i) => 2 ** 51 + i);
}

function idAt(i: number): string {
  return `${SAMPLE_ID.slice(0, -4)}${String(i).padStart(4, '0')}`;
}

function keyAt({ key }: { readonly key: unknown }, i: number): string {
  return key === null ? '' : `key-${String(i).padStart(8, '0')}`;
}
