import type { Condition, KeyOf } from './condition.ts';
import type { Journey } from './journey.ts';
import type { ItemPattern, SequencePattern } from './pattern-kinds.ts';
import type { Program, RetiredJourney, SessionSum, Tally, Tracker } from './program.ts';
import { standsForMs } from './wait-step.ts';

/**
 * What a program's parts have to do with each event type, so that an event touches only what concerns it, however many journeys are loaded.
 * Built once per program.
 */
export interface ProgramIndex {
  /** null: not in the catalogue. Reserved types are here only where the catalogue names them. */
  readonly types: ReadonlyMap<string, TypeIndex>;
  readonly journeys: ReadonlyMap<string, Journey>;
  /** Journeys of earlier versions that runs are pinned to, by name; empty where nobody is. */
  readonly retired: ReadonlyMap<string, readonly RetiredJourney[]>;
  readonly trackers: ReadonlyMap<string, TrackerIndex>;
  /** By the type of an item's change: what is noticed of it. */
  readonly changes: ReadonlyMap<string, readonly ItemPattern[]>;
  /** Journeys that hang on attributes. */
  readonly attributes: readonly Journey[];
  /** Of them, those that hang on an attribute, in the program's order. */
  readonly onAttribute: ReadonlyMap<string, ReadonlySet<Journey>>;
  /** Those that may hang on any: all that hang on an attribute which `onAttribute` does not have. */
  readonly onAnyAttribute: ReadonlySet<Journey>;
  /** Journeys on a session's end. */
  readonly sessionEnded: readonly Journey[];
  /** Names of journeys on silence. */
  readonly silences: ReadonlySet<string>;
  /** How long a send is remembered: for caps, and for duplicates of its trigger. */
  readonly ledgerKeepMs: number;
}

export interface TypeIndex {
  readonly activity: boolean;
  readonly sums: readonly SessionSum[];
  readonly tallies: readonly Tally[];
  readonly trackers: readonly TrackerUse[];
  /** Journeys whose sequence an event of this type may complete. */
  readonly completes: readonly SequenceJourney[];
  /** Journeys whose runs may wait, and which an event of this type may end. */
  readonly exits: readonly Journey[];
  /** Waits that an event of this type may end. */
  readonly waits: readonly WaitUse[];
  /** Journeys that an event of this type may start, in the program's order. */
  readonly triggers: readonly TriggerUse[];
}

export interface TrackerIndex {
  readonly tracker: Tracker;
  /** Journeys whose absence this tracker negates. */
  readonly absences: ReadonlySet<string>;
  /** Journeys that it cancels, those that are gone and have people in flight included. */
  readonly cancels: ReadonlyMap<string, { readonly label: string; readonly goal: boolean }>;
  /** Types of items' changes that it makes somebody interested in, or no longer. */
  readonly changes: readonly string[];
  /** Journeys whose waiting matches it may cancel, those of earlier versions included. */
  readonly holds: ReadonlySet<string>;
}

export interface TrackerUse extends TrackerIndex {
  /** Any of these must hold; null among them holds always. */
  readonly wheres: readonly (Condition | null)[];
}

export type SequenceJourney = Journey & { readonly pattern: SequencePattern };

/** A journey with waits that the events of a tracker end. */
export interface WaitUse {
  readonly journey: Journey;
  readonly trackerId: string;
}

export interface TriggerUse {
  readonly journey: Journey;
  readonly where: Condition | null;
}

/** What journeys see of a session's beginning. */
export const SESSION_STARTED = '$session_started';

const indexes = new WeakMap<Program, ProgramIndex>();

/** The program's index: built at the first call, then remembered for as long as the program lives. */
export function indexProgram(program: Program): ProgramIndex {
  let index = indexes.get(program);
  if (index === undefined) {
    index = build(program);
    indexes.set(program, index);
  }
  return index;
}

function build(program: Program): ProgramIndex {
  const retired = (program.retired ?? []).map(({ journey }) => journey);
  const names = new Set(program.journeys.map(({ name }) => name));
  const trackers = new Map<string, TrackerIndex>();
  for (const tracker of program.trackers) {
    const absences = new Set<string>();
    const changes = new Set<string>();
    const cancels = new Map<string, { label: string; goal: boolean }>();
    for (const journey of program.journeys) {
      if (isAbsence(journey) && journey.pattern.withoutId === tracker.id) absences.add(journey.name);
      const { pattern } = journey;
      if (pattern.kind === 'item' && (pattern.trackerId === tracker.id || pattern.withoutId === tracker.id)) changes.add(pattern.on.type);
      for (const cancel of journey.cancelOn) if (cancel.trackerId === tracker.id) cancels.set(journey.name, cancel);
    }
    const holds = new Set(cancels.keys());
    for (const { name, cancelOn } of retired)
      for (const cancel of cancelOn)
        if (cancel.trackerId === tracker.id) {
          holds.add(name);
          // What was sent does not say by which version: of a journey that is there, the one in force speaks.
          if (!names.has(name)) cancels.set(name, cancel);
        }
    trackers.set(tracker.id, { tracker, absences, cancels, changes: [...changes], holds });
  }

  const own = [...program.journeys.flatMap((journey) => usedBy(journey, trackers) ?? []), ...toldBy(program)];
  for (const tracker of own) trackers.set(tracker.id, { tracker, absences: NOTHING, cancels: new Map(), changes: [], holds: NOTHING });
  // Those that wait for their deadline are looked at then.
  const completable = program.journeys.filter(isSequence).filter(({ pattern }) => pattern.links.length > 0 && pattern.withoutId === null);

  const waiting = [...program.journeys, ...retired].filter(({ steps }) => steps.some((step) => standsForMs(step) > 0));
  const waits = waiting.flatMap((journey) => {
    const untils = journey.steps.flatMap((step) => (step.kind === 'wait' ? step.until : []));
    return [...new Set(untils.map(({ trackerId }) => trackerId))].map((trackerId) => ({ journey, trackerId }));
  });

  const changes = new Map<string, ItemPattern[]>();
  for (const { pattern } of program.journeys)
    if (pattern.kind === 'item') changes.set(pattern.on.type, [...(changes.get(pattern.on.type) ?? []), pattern]);

  const types = new Map<string, TypeIndex>();
  const internal = { type: SESSION_STARTED, activity: false };
  for (const { type, activity } of [...program.eventTypes.values(), internal]) {
    // What a sender or a person's settings report is not something that the person did in the product.
    const active = activity && !type.startsWith('$');
    const matches = (pattern: string): boolean => pattern === type || (pattern === '*' && active);
    const uses: TrackerUse[] = [];
    for (const tracker of trackers.values()) {
      const wheres = tracker.tracker.matches.filter((matcher) => matches(matcher.type)).map((matcher) => matcher.where);
      if (wheres.length > 0) uses.push({ ...tracker, wheres: wheres.includes(null) ? [null] : wheres });
    }
    const triggers: TriggerUse[] = [];
    for (const journey of program.journeys) {
      const { pattern } = journey;
      if (pattern.kind === 'session_ended' || pattern.kind === 'attribute' || pattern.kind === 'date') continue;
      const on = pattern.kind === 'inactive' ? (pattern.since ?? { type: '*', where: null }) : pattern.on;
      if (matches(on.type)) triggers.push({ journey, where: on.where });
    }
    const ids = new Set(uses.map(({ tracker }) => tracker.id));
    const completes = completable.filter(({ pattern }) => pattern.links.some(({ trackerId }) => ids.has(trackerId)));
    types.set(type, {
      activity: active,
      sums: program.sums.filter((sum) => matches(sum.type)),
      tallies: program.tallies.filter(({ on }) => matches(on.type)),
      trackers: uses,
      completes,
      exits: waiting.filter(({ cancelOn }) => cancelOn.some(({ trackerId }) => ids.has(trackerId))),
      waits: waits.filter(({ trackerId }) => ids.has(trackerId)),
      triggers,
    });
  }

  const attributes = program.journeys.filter(({ pattern }) => pattern.kind === 'attribute' || pattern.kind === 'date');
  const named = new Set(attributes.flatMap((journey) => [...(attributesOf(journey) ?? [])]));
  const onAttribute = (name: string): ReadonlySet<Journey> =>
    new Set(attributes.filter((journey) => attributesOf(journey)?.has(name) !== false));

  return {
    types,
    journeys: new Map(program.journeys.map((journey) => [journey.name, journey])),
    retired: Map.groupBy(program.retired ?? [], ({ journey }) => journey.name),
    trackers,
    changes,
    attributes,
    onAttribute: new Map([...named].map((name) => [name, onAttribute(name)])),
    onAnyAttribute: new Set(attributes.filter((journey) => attributesOf(journey) === null)),
    sessionEnded: program.journeys.filter((journey) => journey.pattern.kind === 'session_ended'),
    silences: new Set(program.journeys.filter((journey) => journey.pattern.kind === 'inactive').map((journey) => journey.name)),
    ledgerKeepMs: Math.max(program.maxEventAgeMs, ...program.caps.map((cap) => cap.windowMs)),
  };
}

const NOTHING: ReadonlySet<string> = new Set();

/** What a journey on attributes hangs on; null = it may be any. */
function attributesOf({ pattern }: Journey): ReadonlySet<string> | null {
  if (pattern.kind === 'date') return new Set([pattern.attribute]);
  if (pattern.kind !== 'attribute') return NOTHING;
  return pattern.attribute === null ? (pattern.reads ?? null) : new Set([pattern.attribute]);
}

function isSequence(journey: Journey): journey is SequenceJourney {
  return journey.pattern.kind === 'sequence';
}

/** Nothing came behind its first event: what comes ends it at once. */
function isAbsence(journey: Journey): journey is SequenceJourney {
  return isSequence(journey) && journey.pattern.links.length === 0;
}

/** Up to which moment a count, or a sequence that is complete with its last event, has used up what it was made of. */
export function usedIdOf(journey: Journey): string {
  return `used/${journey.name}`;
}

function usedBy(journey: Journey, trackers: ReadonlyMap<string, TrackerIndex>): Tracker | null {
  const { pattern, key } = journey;
  const made =
    pattern.kind === 'count'
      ? [pattern.trackerId]
      : pattern.kind === 'sequence' && pattern.withoutId === null
        ? pattern.links.map((link) => link.trackerId)
        : [];
  if (made.length === 0) return null;
  const keepMs = Math.max(...made.map((id) => trackers.get(id)?.tracker.keepMs ?? 0));
  return { id: usedIdOf(journey), matches: [], key, keepMs, cap: 1, restrains: false };
}

/** Of the changes of one type: until when the user was said to be interested in which item. */
export function toldIdOf(change: string): string {
  return `told/${change}`;
}

function toldBy({ journeys, maxEventAgeMs }: Program): readonly Tracker[] {
  const changes = new Set(journeys.flatMap(({ pattern }) => (pattern.kind === 'item' ? [pattern.on.type] : [])));
  return [...changes].map((change) => ({
    ...{ id: toldIdOf(change), matches: [], key: OF_ITEMS, keepMs: maxEventAgeMs, cap: 1, restrains: false },
  }));
}

/** No event has a moment there. */
const OF_ITEMS: KeyOf = () => null;
