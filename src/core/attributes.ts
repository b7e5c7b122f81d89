import type { Turn } from './draft.ts';
import type { Scalar } from './event.ts';
import { own } from './own.ts';
import { arm, captured, matchOf } from './matches.ts';
import { indexProgram, type ProgramIndex } from './program-index.ts';
import type { Journey } from './journey.ts';
import type { Attributes, DatePattern } from './pattern-kinds.ts';
import type { Program } from './program.ts';
import { zoneOf } from './reach.ts';
import { begin } from './runs.ts';
import type { Match, Trigger, UserState } from './state.ts';
import { DAY_MS, dayOf, instantOf, yearsLater } from './zone.ts';

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

/** A journey on a date that is new with a topology, or comes at another time than by the one before. Plain data: it is kept with what goes through the users. */
export interface NewDate {
  readonly journey: string;
  /** When it came before; null = it did not. */
  readonly before: (Pick<DatePattern, 'offsetMs' | 'atMinutes' | 'yearly'> & { readonly timeZone: string }) | null;
}

/** In the order of the topology. */
export function newDates(before: Program, after: Program): readonly NewDate[] {
  const known = new Map(before.journeys.map(({ name, pattern }) => [name, pattern]));
  const { timeZone } = before;
  return after.journeys.flatMap(({ name, pattern }): readonly NewDate[] => {
    const was = known.get(name);
    if (pattern.kind !== 'date') return [];
    if (was?.kind !== 'date' || was.attribute !== pattern.attribute || was.yearly !== pattern.yearly)
      return [{ journey: name, before: null }];
    const { offsetMs, atMinutes, yearly } = was;
    const isLocal = atMinutes !== null || yearly;
    const isSame = offsetMs === pattern.offsetMs && atMinutes === pattern.atMinutes && (!isLocal || timeZone === after.timeZone);
    return isSame ? [] : [{ journey: name, before: { offsetMs, atMinutes, yearly, timeZone } }];
  });
}

/** Whether anything hangs on a date of the user, or is to, in one of these journeys. */
export function hasDates({ profile, matches }: UserState, dates: readonly NewDate[], program: Program): boolean {
  const { journeys } = indexProgram(program);
  return dates.some(({ journey: name }) => {
    const pattern = journeys.get(name)?.pattern;
    if (pattern?.kind !== 'date') return false;
    return isDate(own(profile, pattern.attribute)) || matches.some((match) => match.journey === name && match.wait === null);
  });
}

/**
 * A journey is new to the user, or comes at another time: the date that is known already counts. What has come by its old time, or is about to, is not told of again. What waits keeps its
 * trigger, and with it all that has been seen of goals since.
 */
export function dateKnown(turn: Turn, { journey: name, before }: NewDate, cause: Trigger): void {
  const { state, nowMs, index } = turn;
  const journey = index.journeys.get(name);
  if (journey?.pattern.kind !== 'date') return;
  const { pattern } = journey;
  const value = own(state.profile, pattern.attribute);
  if (before === null || !isDate(value)) {
    moveDate(turn, journey, pattern, cause);
    return;
  }
  const waiting = state.matches.find((match) => match.journey === name && match.wait === null);
  const isOfValue = waiting !== undefined && waiting.occurrence.split('+')[0] === String(value);
  if (isOfValue && waiting.dueMs <= nowMs) return;
  const zone = zoneOf(state, before);
  moveDate(turn, journey, pattern, isOfValue ? waiting.trigger : cause, (years) => dueOf(before, zone, value, years) <= nowMs);
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

/** @param isOver the one of that year has had its time */
function moveDate(turn: Turn, journey: Journey, pattern: DatePattern, cause: Trigger, isOver?: (years: number) => boolean): void {
  const { state, nowMs } = turn;
  const isMine = (match: Match): boolean => match.journey === journey.name;
  if (state.matches.some((match) => isMine(match) && match.wait === null))
    state.matches = state.matches.filter((match) => !isMine(match) || match.wait !== null);
  const value = own(state.profile, pattern.attribute);
  if (!isDate(value)) return;
  const zone = zoneOf(state, turn.program);
  // Of a yearly one the day itself is no anniversary of it. Those of earlier years are past, wherever the user is.
  const first = pattern.yearly ? Math.max(1, yearOf(nowMs - pattern.offsetMs) - yearOf(value) - 1) : 0;
  for (let years = first; years <= (pattern.yearly ? MAX_YEARS : 0); years++) {
    const dueMs = dueOf(pattern, zone, value, years);
    const occurrence = pattern.yearly ? `${value}+${years}` : String(value);
    // Somebody may be under way with it.
    if (dueMs <= nowMs || isOver?.(years) === true || state.matches.some((match) => isMine(match) && match.occurrence === occurrence))
      continue;
    const trigger = { ...cause, properties: captured({ date: value, years }, journey.capture) };
    arm(turn, journey, runOf(journey, occurrence, trigger, dueMs));
    return;
  }
}

function yearOf(ms: number): number {
  return new Date(ms).getUTCFullYear();
}

/** When a date that waits comes in a zone; null where it has changed. */
export function dateIn({ state }: Turn, zone: string, pattern: DatePattern, { occurrence }: Match): number | null {
  const value = own(state.profile, pattern.attribute);
  const [date, years] = occurrence.split('+');
  return isDate(value) && date === String(value) ? dueOf(pattern, zone, value, Number(years ?? 0)) : null;
}

/** Milliseconds that a calendar can have: others would make a due time that no row can keep. */
function isDate(value: Scalar | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && Math.abs(value) < MAX_MS;
}

/**
 * A date that is exactly midnight in UTC is a day of the calendar (a birthday, `2025-07-01`), and no moment: at a local time, it is that day wherever the user is.
 */
function dueOf({ offsetMs, atMinutes }: Pick<DatePattern, 'offsetMs' | 'atMinutes'>, zone: string, value: number, years: number): number {
  const dayZone = atMinutes !== null && value % DAY_MS === 0 ? 'UTC' : zone;
  const ms = (years === 0 ? value : yearsLater(dayZone, value, years)) + offsetMs;
  // So far off is never, and no calendar has it.
  if (Math.abs(ms) > MAX_MS) return Number.NEGATIVE_INFINITY;
  return atMinutes === null ? ms : instantOf(zone, dayOf(dayZone, ms), atMinutes);
}

function runOf(journey: Journey, occurrence: string, trigger: Trigger, dueMs: number): Match {
  return { ...matchOf(journey, '', trigger, dueMs), occurrence };
}

function withoutNulls(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null));
}
