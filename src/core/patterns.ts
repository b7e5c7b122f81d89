import { dateCame } from './attributes.ts';
import { decideUnevaluated } from './decisions.ts';
import type { Turn } from './draft.ts';
import type { Event, Properties } from './event.ts';
import { isInterested } from './interests.ts';
import { arm, matchOf, snapshotOf, triggerOf } from './matches.ts';
import { lastOf } from './moments.ts';
import { usedIdOf, type TriggerUse } from './program-index.ts';
import { EvaluationError } from './condition.ts';
import type { Journey } from './journey.ts';
import { begin, removed, waited } from './runs.ts';
import { journeyOf } from './pinned.ts';
import { holdsAtDeadline, started } from './sequence-matches.ts';
import { countedAt } from './sequences.ts';
import type { Match, SessionWindow, Trigger } from './state.ts';
import { isKept, numbered, streaked } from './streaks.ts';
import { momentsOf, remember } from './trackers.ts';

/**
 * The patterns. Each arms a `Match` with a deadline, or comes to the gate at once:
 *
 *   event           at the event
 *   sequence        with its last event, whichever of its events that is; or at trigger + within, in event time, where nothing may follow. An absence is one
 *                   of one event: repeated and negating events take its match away (`trackers.ts`)
 *   count           at the event that is one of enough
 *   inactive        at trigger + for, in append time; any later activity takes it away
 *   session_ended   at the session's end + delay, in event time
 *   item            at the change, if the user was interested in the item by then
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
    case 'item':
      if (!isInterested(turn, pattern, key, { atMs, offset: event.offset })) return;
      begin(turn, matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs), journey, event);
      return;
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
  const journey = journeyOf(turn.index, turn.program.version, match);
  const { pattern } = journey ?? { pattern: null };
  turn.state.matches = turn.state.matches.filter((other) => other !== match);
  if (journey === undefined || pattern === null) {
    // What only waited to come true was nobody's message yet.
    if (match.wait !== null) removed(turn, match);
    return;
  }
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
  if (pattern.kind === 'sequence' && !holdsAtDeadline(turn, { ...journey, pattern }, match)) return;
  if (pattern.kind === 'streak' && isKept(turn, pattern, match)) return;
  if (pattern.kind === 'date') dateCame(turn, journey, pattern, match);
  else begin(turn, match, journey, null);
}

const SESSION_ENDED = '$session_ended';
const NO_PROPERTIES: Properties = Object.freeze({});
const NO_MATCHES: readonly Match[] = Object.freeze([]);
