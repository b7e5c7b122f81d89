import type { Turn } from './draft.ts';
import type { Scalar } from './event.ts';
import { own } from './own.ts';
import { arm, captured, matchOf } from './matches.ts';
import type { ProgramIndex } from './program-index.ts';
import type { Journey } from './journey.ts';
import type { Attributes, DatePattern, Pattern } from './pattern-kinds.ts';
import type { Program } from './program.ts';
import { zoneOf } from './reach.ts';
import { begin } from './runs.ts';
import type { Match, Trigger, UserState } from './state.ts';
import { dayOf, instantOf, yearsLater } from './zone.ts';

/**
 * What hangs on a user's attributes: that one changes, that a condition on them (a segment) comes true or ends, and dates.
 *
 * A date is a fact: it counts also where it was imported, and a changed one moves what hangs on it. What has passed when it becomes known is left out.
 */

const MAX_YEARS = 200;
/** Half of what a `Date` can have: room for all that is added to it. */
const MAX_MS = 8.64e15 / 2;

/** Attributes are no longer what they were. `cause` is the event, or the step of a run, that changed them; `history`: an import, which starts nothing. */
export function attributesChanged(turn: Turn, before: Attributes, cause: Trigger, history: boolean): void {
  const after = turn.state.profile;
  for (const journey of journeysOn(turn.index, changedIn(before, after))) {
    const { pattern } = journey;
    if (pattern.kind === 'date') moveDate(turn, journey, pattern, cause);
    else if (pattern.kind === 'attribute' && !history && pattern.changed(before, after)) {
      const { attribute } = pattern;
      const values: Attributes = attribute === null ? {} : { from: own(before, attribute) ?? null, to: own(after, attribute) ?? null };
      const trigger = { ...cause, properties: captured(withoutNulls(values), journey.capture) };
      begin(turn, runOf(journey, cause.eventId, trigger, cause.occurredAtMs), journey, null);
    }
  }
}

/** Journeys on dates that a topology has and the one before had not, or not at that time: their names, in its order. */
export function newDates(before: Program, { journeys }: Program): readonly string[] {
  const known = new Map(before.journeys.map(({ name, pattern }) => [name, pattern]));
  return journeys.filter(({ name, pattern }) => pattern.kind === 'date' && !isSameDate(pattern, known.get(name))).map(({ name }) => name);
}

function isSameDate({ attribute, offsetMs, atMinutes, yearly }: DatePattern, before: Pattern | undefined): boolean {
  if (before?.kind !== 'date') return false;
  return attribute === before.attribute && offsetMs === before.offsetMs && atMinutes === before.atMinutes && yearly === before.yearly;
}

/** Whether anything hangs on a date of the user, or is to, in one of these journeys. */
export function hasDates({ profile, matches }: UserState, journeys: readonly Journey[]): boolean {
  return journeys.some(
    ({ name, pattern }) =>
      pattern.kind === 'date' &&
      (isDate(own(profile, pattern.attribute)) || matches.some((match) => match.journey === name && match.wait === null)),
  );
}

/** These journeys are new to the user: the dates that are known already count. */
export function datesKnown(turn: Turn, journeys: readonly Journey[], cause: Trigger): void {
  for (const journey of journeys) if (journey.pattern.kind === 'date') moveDate(turn, journey, journey.pattern, cause);
}

/** The names of attributes that are not what they were. */
function changedIn(before: Attributes, after: Attributes): readonly string[] {
  const all = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...all].filter((name) => differs(before, after, name));
}

/** Those whose attributes are among them, in the program's order: of hundreds of journeys an event that changes one attribute looks at few. */
function journeysOn({ attributes, onAttribute, onAnyAttribute }: ProgramIndex, names: readonly string[]): Iterable<Journey> {
  const sets = names.map((name) => onAttribute.get(name) ?? onAnyAttribute);
  return sets.length === 1 ? sets[0]! : attributes.filter((journey) => sets.some((set) => set.has(journey)));
}

/** A missing attribute is null; and a number that is none is the same as before. */
export function differs(before: Attributes, after: Attributes, attribute: string): boolean {
  const [was, is] = [own(before, attribute) ?? null, own(after, attribute) ?? null];
  return was !== is && !(Number.isNaN(was) && Number.isNaN(is));
}

/** A date has come. After it the next one of a yearly one, which nothing cancels that happened before this one. */
export function dateCame(turn: Turn, journey: Journey, pattern: DatePattern, match: Match): void {
  const value = own(turn.state.profile, pattern.attribute);
  // It has changed while no topology had the journey.
  const isStale = match.occurrence.split('+')[0] !== String(value);
  if (!isStale) begin(turn, match, journey, null);
  if (isStale || pattern.yearly) moveDate(turn, journey, pattern, { ...match.trigger, occurredAtMs: match.dueMs });
}

function moveDate(turn: Turn, journey: Journey, pattern: DatePattern, cause: Trigger): void {
  const { state, nowMs } = turn;
  const waiting = (match: Match): boolean => match.journey === journey.name && match.wait === null;
  if (state.matches.some(waiting)) state.matches = state.matches.filter((match) => !waiting(match));
  const value = own(state.profile, pattern.attribute);
  if (!isDate(value)) return;
  const zone = zoneOf(state, turn.program);
  for (let years = 0; years <= (pattern.yearly ? MAX_YEARS : 0); years++) {
    const dueMs = dueOf(pattern, zone, value, years);
    // Of a yearly one the day itself is no anniversary of it.
    if (dueMs <= nowMs || (pattern.yearly && years === 0)) continue;
    const trigger = { ...cause, properties: captured({ date: value, years }, journey.capture) };
    arm(turn, journey, runOf(journey, pattern.yearly ? `${value}+${years}` : String(value), trigger, dueMs));
    return;
  }
}

/** When a date that waits comes in a zone; null where it has changed. */
export function dateIn({ state }: Turn, zone: string, pattern: DatePattern, { occurrence }: Match): number | null {
  const value = own(state.profile, pattern.attribute);
  const [date, years] = occurrence.split('+');
  return isDate(value) && date === String(value) ? dueOf(pattern, zone, value, Number(years ?? 0)) : null;
}

/** Milliseconds that a calendar can have: others would make a due time that no row can keep. */
function isDate(value: Scalar | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < MAX_MS;
}

function dueOf({ offsetMs, atMinutes }: DatePattern, zone: string, value: number, years: number): number {
  const ms = (years === 0 ? value : yearsLater(zone, value, years)) + offsetMs;
  // So far off is never, and no calendar has it.
  if (Math.abs(ms) > MAX_MS) return Number.NEGATIVE_INFINITY;
  return atMinutes === null ? ms : instantOf(zone, dayOf(zone, ms), atMinutes);
}

function runOf(journey: Journey, occurrence: string, trigger: Trigger, dueMs: number): Match {
  return { ...matchOf(journey, '', trigger, dueMs), occurrence };
}

function withoutNulls(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null));
}
