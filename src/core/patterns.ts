import { own } from './own.ts';
import type { Turn } from './draft.ts';
import type { Event, Properties, Scalar } from './event.ts';
import { decideUnevaluated } from './decisions.ts';
import { decide } from './gate.ts';
import type { TriggerUse } from './program-index.ts';
import { EvaluationError } from './program.ts';
import type { Journey } from './program.ts';
import type { Match, SessionSnapshot, SessionWindow, Trigger } from './state.ts';
import { hasBetween } from './moments.ts';
import { isBeyondMemory, momentsOf } from './trackers.ts';

/**
 * The patterns. Each arms a `Match` with a deadline, or comes to the gate at once:
 *
 *   event           at the event
 *   absence         at trigger + within, in event time; repeated and negating events take the match away (`trackers.ts`)
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
  const ended = (match: Match): boolean => turn.index.silences.has(match.journey) && event.appendedAtMs >= match.trigger.appendedAtMs;
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
      decide(turn, matchOf(journey, key, triggerOf(event, journey, atMs, session), atMs), journey, event);
      return;
    case 'absence': {
      const dueMs = atMs + pattern.withinMs;
      const match = matchOf(journey, key, triggerOf(event, journey, atMs, session), dueMs);
      const tracker = turn.index.trackers.get(pattern.trackerId);
      if (tracker !== undefined) {
        const moments = momentsOf(turn.state, tracker, key);
        const trigger = { atMs, offset: event.offset };
        if (hasBetween(moments, trigger, dueMs)) return;
        if (isBeyondMemory(moments, trigger, tracker)) {
          decideUnevaluated(turn, match, journey, `more than ${tracker.tracker.cap} events behind it had come before it`, 'limit');
          return;
        }
      }
      arm(turn, journey, match);
      return;
    }
    case 'inactive': {
      const same = (match: Match): boolean => match.journey === journey.name && match.key === key;
      const waiting = turn.state.matches.find(same);
      if (waiting !== undefined && waiting.trigger.appendedAtMs > event.appendedAtMs) return;
      if (waiting !== undefined) turn.state.matches = turn.state.matches.filter((match) => match !== waiting);
      const before = waiting ?? silences.find(same);
      const dueMs = event.appendedAtMs + pattern.forMs;
      const looksNextMs = before === undefined ? dueMs : Math.min(before.dueMs, dueMs);
      arm(turn, journey, matchOf(journey, key, triggerOf(event, journey, atMs, session), looksNextMs));
      return;
    }
    case 'session_ended':
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
  const journey = turn.index.journeys.get(match.journey);
  const { pattern } = journey ?? { pattern: null };
  turn.state.matches = turn.state.matches.filter((other) => other !== match);
  // The topology in force no longer has this journey: nothing is left to decide.
  if (journey === undefined || pattern === null) return;
  if (pattern.kind === 'inactive') {
    const dueMs = match.trigger.appendedAtMs + pattern.forMs;
    if (dueMs > match.dueMs) arm(turn, journey, { ...match, dueMs });
    else decide(turn, { ...match, dueMs }, journey, null);
    return;
  }
  decide(turn, match, journey, null);
}

const SESSION_ENDED = '$session_ended';
const NO_PROPERTIES: Properties = Object.freeze({});
const NO_MATCHES: readonly Match[] = Object.freeze([]);

function arm(turn: Turn, journey: Journey, match: Match): void {
  const { matches } = turn.state;
  let mine = 0;
  let oldest: Match | null = null;
  for (const other of matches) {
    if (other.journey !== journey.name) continue;
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
  return { journey: journey.name, key, occurrence: trigger.eventId, trigger, dueMs };
}

function triggerOf(event: Event, journey: Journey, atMs: number, session: SessionWindow | null): Trigger {
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
function captured(properties: Properties, names: readonly string[]): Properties {
  if (names.length === 0) return NO_PROPERTIES;
  const kept: Record<string, Scalar> = {};
  for (const name of names) {
    const value = own(properties, name);
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
