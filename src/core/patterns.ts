import { dateCame, dateIn } from './attributes.ts';
import { own } from './own.ts';
import type { Turn } from './draft.ts';
import type { Event, Properties, Scalar } from './event.ts';
import { decideUnevaluated } from './decisions.ts';
import { hasBehindAndBefore, isBehind, latestMoment, momentCount, type Moment, type Moments } from './moments.ts';
import { usedIdOf, type SequenceJourney, type TrackerIndex, type TriggerUse } from './program-index.ts';
import { EvaluationError } from './program.ts';
import type { Journey, KeyOf, StreakPattern } from './program.ts';
import { zoneOf } from './reach.ts';
import { begin, waited } from './runs.ts';
import { countedAt, endsOf, staysQuiet } from './sequences.ts';
import { streakAt, tallyOf, userDay } from './tallies.ts';
import type { Match, SessionSnapshot, SessionWindow, Trigger, UserState } from './state.ts';
import { momentsOf, remember } from './trackers.ts';
import { instantOf } from './zone.ts';

/**
 * The patterns. Each arms a `Match` with a deadline, or comes to the gate at once:
 *
 *   event           at the event
 *   sequence        with its last event, whichever of its events that is; or at trigger + within, in event time, where nothing may follow. An absence is one
 *                   of one event: repeated and negating events take its match away (`trackers.ts`)
 *   count           at the event that is one of enough
 *   inactive        at trigger + for, in append time; any later activity takes it away
 *   session_ended   at the session's end + delay, in event time
 *
 * One match per journey and occurrence; per journey at most `limits.matchesPerJourney`, of which the oldest goes, with a decision.
 */

/** Activity ends silences. Returns the matches that it took away: `triggered` may arm them anew, on the same timer. */
export function endSilences(turn: Turn, event: Event): readonly Match[] {
  const { matches } = turn.state;
  if (matches.length === 0 || turn.index.silences.size === 0) return NO_MATCHES;
  // An ingested event may have been appended at its source before the one that armed the match: that is no later activity.
  const ended = (match: Match): boolean =>
    match.wait === null && turn.index.silences.has(match.journey) && event.appendedAtMs >= match.trigger.appendedAtMs;
  if (!matches.some(ended)) return NO_MATCHES;
  turn.state.matches = matches.filter((match) => !ended(match));
  return matches.filter(ended);
}

/** An event of a type that this journey starts on. */
export function triggered(
  turn: Turn,
  event: Event,
  use: TriggerUse,
  atMs: number,
  session: SessionWindow | null,
  silences: readonly Match[],
): void {
  const { journey, where } = use;
  let key: string | null = '';
  try {
    if (where !== null && !where({ event, trigger: null, state: turn.state, nowMs: turn.nowMs })) return;
    if (journey.key !== null) key = journey.key(event);
    if (key === null) return;
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const failed = matchOf(journey, '', triggerOf(event, journey, atMs, session), atMs);
    decideUnevaluated(turn, failed, journey, error.message);
    return;
  }
  const { pattern } = journey;
  switch (pattern.kind) {
    case 'event':
      begin(turn, matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs), journey, event);
      return;
    case 'sequence':
      started(
        turn,
        event,
        { ...journey, pattern },
        matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs + pattern.withinMs),
      );
      return;
    case 'count': {
      const used = turn.index.trackers.get(usedIdOf(journey))!;
      const keyed = { state: turn.state, index: turn.index, key };
      const range = { used: lastOf(momentsOf(turn.state, used, key)), session };
      const end = countedAt(keyed, pattern, { atMs, offset: event.offset }, range);
      if (end === undefined) return;
      remember(turn, used, key, end);
      begin(turn, matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs), journey, event, end);
      return;
    }
    case 'inactive': {
      const same = (match: Match): boolean => match.wait === null && match.journey === journey.name && match.key === key;
      const waiting = turn.state.matches.find(same);
      if (waiting !== undefined && waiting.trigger.appendedAtMs > event.appendedAtMs) return;
      if (waiting !== undefined) turn.state.matches = turn.state.matches.filter((match) => match !== waiting);
      const before = waiting ?? silences.find(same);
      const dueMs = event.appendedAtMs + pattern.forMs;
      const looksNextMs = before === undefined ? dueMs : Math.min(before.dueMs, dueMs);
      arm(turn, journey, matchOf(journey, key, triggerOf(event, journey, atMs, session), looksNextMs));
      return;
    }
    case 'milestone': {
      const reached = turn.grown?.get(pattern.tallyId)?.after[0];
      if (reached === undefined || !pattern.isReached(reached)) return;
      const match = matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs);
      begin(turn, { ...match, occurrence: numbered(key, String(reached)) }, journey, event);
      return;
    }
    case 'streak':
      streaked(turn, journey, pattern, matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs), event);
      return;
    case 'session_ended':
    case 'attribute':
    case 'date':
      return;
  }
}

/** Occurrences that are numbers tell the values of a key apart by themselves. */
function numbered(key: string, number: string): string {
  return key === '' ? number : `${key}#${number}`;
}

/** An event that has made a streak longer, or joined two. */
function streaked(turn: Turn, journey: Journey, pattern: StreakPattern, match: Match, event: Event): void {
  const grown = turn.grown?.get(pattern.tallyId);
  if (grown === undefined) return;
  if (pattern.breaksAtMinutes === null) {
    const day = userDay(turn, match.dueMs);
    const streak = streakAt(grown.after, day);
    if (streak === undefined) return;
    // Days that were in a row before have been told of: the longest of the parts.
    const told = Math.max(0, ...[day - 1, day + 1].map((neighbour) => streakAt(grown.before, neighbour)?.days ?? 0));
    for (let days = streak.days; days > told; days--) {
      if (!pattern.isReached(days)) continue;
      begin(turn, { ...match, occurrence: numbered(match.key, `${streak.first}+${days}`) }, journey, event);
      return;
    }
    return;
  }
  const waiting = (other: Match): boolean => other.wait === null && other.journey === journey.name && other.key === match.key;
  if (turn.state.matches.some(waiting)) turn.state.matches = turn.state.matches.filter((other) => !waiting(other));
  const last = grown.after.at(-1)!;
  const { first, days } = streakAt(grown.after, last)!;
  const dueMs = instantOf(zoneOf(turn.state, turn.program), last + 1, pattern.breaksAtMinutes);
  if (!pattern.isReached(days) || dueMs <= turn.nowMs) return;
  arm(turn, journey, { ...match, occurrence: numbered(match.key, `${first}+${days}`), dueMs });
}

/** Has a streak its next day after all? An import starts nothing, but the day has it. */
function isKept({ state }: Turn, { tallyId }: StreakPattern, match: Match): boolean {
  return streakAt(tallyOf(state, tallyId, match.key), dayBehind(match)) !== undefined;
}

/** The day behind a streak. */
function dayBehind({ occurrence }: Match): number {
  const [first, days] = occurrence.slice(occurrence.lastIndexOf('#') + 1).split('+');
  return Number(first) + Number(days);
}

/** Where the user is in another zone than before, what comes at a local time comes at that of the new one, unless it has passed there. Then it keeps its time. */
export function followZone(turn: Turn, before: Pick<UserState, 'devices' | 'profile'>): void {
  if (turn.state.matches.length === 0) return;
  const zone = zoneOf(turn.state, turn.program);
  if (zone === zoneOf(before, turn.program)) return;
  const dueIn = (match: Match): number | null => {
    const pattern = turn.index.journeys.get(match.journey)?.pattern;
    if (match.wait !== null || pattern === undefined) return null;
    if (pattern.kind === 'date') return dateIn(turn, zone, pattern, match);
    return pattern.kind === 'streak' && pattern.breaksAtMinutes !== null
      ? instantOf(zone, dayBehind(match), pattern.breaksAtMinutes)
      : null;
  };
  turn.state.matches = turn.state.matches.map((match) => {
    const dueMs = dueIn(match);
    return dueMs === null || dueMs === match.dueMs || dueMs <= turn.nowMs ? match : { ...match, dueMs };
  });
}

/** An event that a sequence may be waiting for, after its moment is remembered. */
export function completed(turn: Turn, event: Event, journey: SequenceJourney): void {
  if (!turn.state.matches.some((match) => match.journey === journey.name)) return;
  const key = journey.key === null ? '' : keyIn(event, journey.key);
  if (key === null) return;
  // The one that started last: what it leaves of the others is used up with it.
  for (const match of turn.state.matches.toReversed())
    if (match.wait === null && match.journey === journey.name && match.key === key && complete(turn, journey, match, event)) return;
}

function started(turn: Turn, event: Event, journey: SequenceJourney, match: Match): void {
  const { pattern } = journey;
  const { state, index } = turn;
  const keyed = { state, index, key: match.key };
  const start = startOf(match);
  if (pattern.withoutId !== null) {
    const without = index.trackers.get(pattern.withoutId)!;
    const quiet = pattern.links.length > 0 || staysQuiet(keyed, pattern, without, start, match.dueMs);
    if (quiet === false) return;
    if (quiet === 'unknown') {
      decideUnevaluated(turn, match, journey, tooMany(without), 'limit');
      return;
    }
  } else {
    const used = lastOf(momentsOf(state, index.trackers.get(usedIdOf(journey))!, match.key));
    if (used !== undefined && !isBehind(start, used)) return;
  }
  replacePrevious(turn, journey, match);
  arm(turn, journey, match);
  if (pattern.withoutId === null) complete(turn, journey, match, event);
}

/** Of several first events in a row, or at one moment, the last counts: those that nothing has come behind since wait no longer. */
function replacePrevious(turn: Turn, journey: SequenceJourney, match: Match): void {
  const next = journey.pattern.links[0];
  if (next === undefined) return;
  const tracker = turn.index.trackers.get(next.trackerId)!;
  const moments = momentsOf(turn.state, tracker, match.key);
  const [start, { matches }] = [startOf(match), turn.state];
  const replaced = (other: Match): boolean =>
    other.wait === null &&
    other.journey === match.journey &&
    other.key === match.key &&
    isBehind(start, startOf(other)) &&
    (start.atMs === startOf(other).atMs || !hasBehindAndBefore(moments, startOf(other), start));
  if (matches.some(replaced)) turn.state.matches = matches.filter((other) => !replaced(other));
}

/** Comes to the gate where its last event is there. */
function complete(turn: Turn, journey: SequenceJourney, match: Match, event: Event): boolean {
  const { state, index } = turn;
  const end = endsOf({ state, index, key: match.key }, journey.pattern, startOf(match), match.dueMs).at(-1);
  if (end === undefined) return false;
  remember(turn, index.trackers.get(usedIdOf(journey))!, match.key, end);
  state.matches = state.matches.filter(
    (other) => other.wait !== null || other.journey !== match.journey || other.key !== match.key || isBehind(startOf(other), end),
  );
  begin(turn, { ...match, dueMs: end.atMs }, journey, event, end);
  return true;
}

/** A session's end, found by its close timer or by the first event of the next one. */
export function sessionEnded(turn: Turn, journey: Journey, session: SessionWindow): void {
  const { pattern } = journey;
  if (pattern.kind !== 'session_ended') return;
  const trigger: Trigger = {
    ...session.opened,
    eventId: session.id,
    type: SESSION_ENDED,
    occurredAtMs: session.lastMs,
    appendedAtMs: session.lastAppendedAtMs,
    properties: NO_PROPERTIES,
    session: snapshotOf(session),
    traceParent: null,
  };
  const match = matchOf(journey, '', trigger, session.lastMs + turn.program.sessionGapMs + pattern.delayMs);
  try {
    if (pattern.where !== null && !pattern.where({ event: null, trigger, state: turn.state, nowMs: turn.nowMs })) return;
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    decideUnevaluated(turn, match, journey, error.message);
    return;
  }
  arm(turn, journey, journey.captureSession ? match : { ...match, trigger: { ...trigger, session: null } });
}

/** A match whose timer has fired: to the gate, or, where a silence was started anew meanwhile, a later look. */
export function matured(turn: Turn, match: Match): void {
  const journey = turn.index.journeys.get(match.journey);
  const { pattern } = journey ?? { pattern: null };
  turn.state.matches = turn.state.matches.filter((other) => other !== match);
  // The topology in force no longer has this journey: nothing is left to decide.
  if (journey === undefined || pattern === null) return;
  if (match.wait !== null) {
    waited(turn, match, journey);
    return;
  }
  if (pattern.kind === 'inactive') {
    const dueMs = match.trigger.appendedAtMs + pattern.forMs;
    if (dueMs > match.dueMs) arm(turn, journey, { ...match, dueMs });
    else begin(turn, { ...match, dueMs }, journey, null);
    return;
  }
  if (pattern.kind === 'sequence' && pattern.links.length > 0) {
    // One that should have been complete by now is not.
    if (pattern.withoutId === null) return;
    const without = turn.index.trackers.get(pattern.withoutId)!;
    const keyed = { state: turn.state, index: turn.index, key: match.key };
    const quiet = staysQuiet(keyed, pattern, without, startOf(match), match.dueMs);
    if (quiet === 'unknown') decideUnevaluated(turn, match, journey, tooMany(without), 'limit');
    if (quiet !== true) return;
  }
  if (pattern.kind === 'streak' && isKept(turn, pattern, match)) return;
  if (pattern.kind === 'date') dateCame(turn, journey, pattern, match);
  else begin(turn, match, journey, null);
}

function tooMany({ tracker }: TrackerIndex): string {
  return `more than ${tracker.cap} events behind it had come before it`;
}

function startOf({ trigger }: Match): Moment {
  return { atMs: trigger.occurredAtMs, offset: trigger.offset };
}

function lastOf(moments: Moments): Moment | undefined {
  return momentCount(moments) === 0 ? undefined : latestMoment(moments);
}

function keyIn(event: Event, key: KeyOf): string | null {
  try {
    return key(event);
  } catch (error) {
    if (error instanceof EvaluationError) return null;
    throw error;
  }
}

const SESSION_ENDED = '$session_ended';
const NO_PROPERTIES: Properties = Object.freeze({});
const NO_MATCHES: readonly Match[] = Object.freeze([]);

export function arm(turn: Turn, journey: Journey, match: Match): void {
  const { matches } = turn.state;
  let mine = 0;
  let oldest: Match | null = null;
  for (const other of matches) {
    if (other.journey !== journey.name) continue;
    // Also one that has come further already.
    if (other.occurrence === match.occurrence) return;
    oldest ??= other;
    mine++;
  }
  if (oldest !== null && mine >= turn.program.limits.matchesPerJourney) {
    const dropped = oldest;
    turn.state.matches = [...matches.filter((other) => other !== dropped), match];
    decideUnevaluated(turn, dropped, journey, `more than ${turn.program.limits.matchesPerJourney} of this journey wait`, 'limit');
    return;
  }
  turn.state.matches = [...matches, match];
}

function matchOf(journey: Journey, key: string, trigger: Trigger, dueMs: number): Match {
  return { journey: journey.name, key, occurrence: trigger.eventId, trigger, dueMs, wait: null };
}

export function triggerOf(
  event: Event,
  journey: Pick<Journey, 'capture' | 'captureSession'>,
  atMs: number,
  session: SessionWindow | null,
): Trigger {
  return {
    topic: event.topic,
    partition: event.partition,
    offset: event.offset,
    eventId: event.eventId,
    type: event.type,
    occurredAtMs: atMs,
    appendedAtMs: event.appendedAtMs,
    properties: captured(event.properties, journey.capture),
    session: journey.captureSession && session !== null ? snapshotOf(session) : null,
    traceParent: event.traceParent,
  };
}

function snapshotOf(session: SessionWindow): SessionSnapshot {
  const { id, startMs, lastMs, count, counts, sums } = session;
  return { id, startMs, lastMs, count, counts, sums };
}

/** Only what the journey reads is kept: less state, and less of people's data in it. */
export function captured(properties: Properties, names: readonly string[]): Properties {
  if (names.length === 0) return NO_PROPERTIES;
  const kept: Record<string, Scalar> = {};
  for (const name of names) {
    const value = own(properties, name);
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
