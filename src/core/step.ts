import { attributesChanged, dateKnown, hasDates, type NewDate } from './attributes.ts';
import { eventIdHash, withRecent } from './dedup.ts';
import { DUPLICATE, NO_EFFECTS } from './draft.ts';
import type { Step, Turn } from './draft.ts';
import type { Event, Position } from './event.ts';
import { applyReserved } from './facts.ts';
import { followZone } from './follow-zone.ts';
import { triggerOf } from './matches.ts';
import { endSilences, matured, triggered } from './patterns.ts';
import { indexProgram, SESSION_STARTED } from './program-index.ts';
import type { Program } from './program.ts';
import { completed } from './sequence-matches.ts';
import { checkReserved, isReserved, textOf } from './reserved.ts';
import { arbitrate, awaited, exited } from './runs.ts';
import { onSessionTimer, recordActivity } from './sessions.ts';
import type { Lifetime, Match, SessionWindow, Timer, Trigger, UserState } from './state.ts';
import { count } from './tallies.ts';
import { armTidy, tidy } from './tidy.ts';
import { isHistory, occurredAtOf } from './time.ts';
import { matchTimerId, SESSION_TIMER, TIDY_TIMER } from './timers.ts';
import { track } from './trackers.ts';

export { NO_EFFECTS, type Step } from './draft.ts';
export { isEmpty } from './tidy.ts';

/**
 * The kernel: one event or one timer (or one topology) in, the new state and what to write out. Pure: the same state, event, `now` and program give the same step, byte for
 * byte, however records are batched. A step that throws has changed nothing: the state that went in is still whole.
 *
 * An event is worked through in this order, and each part sees what the parts before have made of it:
 *   ring of ids -> reserved facts -> attributes -> session -> lifetime -> tallies -> trackers (negate, cancel) -> runs exit -> waits end -> sequences complete -> silences end -> journeys start -> messages of journeys with a priority
 */

export function emptyState(userId: string): UserState {
  return {
    userId,
    profile: {},
    devices: [],
    consent: {},
    lifetime: { sessions: 0, firstSeenAtMs: null, lastActivityAtMs: null, lastActivityAppendedAtMs: null },
    session: null,
    lastEventMs: 0,
    recentEventIds: [],
    trackers: {},
    tallies: {},
    matches: [],
    ledger: [],
    entries: {},
    tidyAtMs: null,
  };
}

/** Of a trigger whose journeys take their own properties. */
const NOTHING_CAPTURED = { capture: [], captureSession: false };

/**
 * @param nowMs the largest append time seen in the partition, this record's included
 * @throws ReservedEventError where the type starts with `$` and the event is not one that may be written: a dead letter
 */
export function onEvent(state: UserState, event: Event, nowMs: number, program: Program): Step {
  const reserved = isReserved(event.type);
  if (reserved) checkReserved(event);
  const ring = withRecent(state.recentEventIds, eventIdHash(event.eventId), program.limits.recentEventIds);
  if (ring === null) return { state, effects: DUPLICATE };

  const turn = turnOf(state, nowMs, program);
  turn.state.recentEventIds = ring;
  turn.state.lastEventMs = nowMs;
  let atMs = occurredAtOf(event);
  if (reserved) applyReserved(turn, event, atMs);
  if (turn.state.devices !== state.devices || turn.state.profile !== state.profile) followZone(turn, state);
  if (turn.state.profile !== state.profile && turn.index.attributes.length > 0)
    attributesChanged(turn, state.profile, triggerOf(event, NOTHING_CAPTURED, atMs, null), isHistory(event, atMs, nowMs, program));
  const type = turn.index.types.get(event.type);
  if (type !== undefined) {
    if (reserved) [event, atMs] = answered(turn, event, atMs);
    const history = isHistory(event, atMs, nowMs, program);
    let session: SessionWindow | null = null;
    if (type.activity) {
      // The session before the lifetime: it asks for the last activity before this one.
      const { sessions } = turn.state.lifetime;
      if (!history) session = recordActivity(turn, event, type, atMs);
      if (turn.state.lifetime.sessions > sessions) {
        // Who has begun a session is in the app, also for what that starts.
        turn.state.lifetime = { ...turn.state.lifetime, lastActivityAppendedAtMs: lastSignOfLife(turn.state.lifetime, event) };
        for (const use of turn.index.types.get(SESSION_STARTED)!.triggers)
          triggered(turn, { ...event, type: SESSION_STARTED, properties: {} }, use, atMs, session, []);
      }
      turn.state.lifetime = withActivity(turn.state.lifetime, event, atMs, history);
    }
    if (type.tallies.length > 0) count(turn, event, type.tallies, atMs);
    if (type.trackers.length > 0) track(turn, event, type.trackers, atMs);
    for (const journey of type.exits) exited(turn, journey);
    for (const use of type.waits) awaited(turn, event, use);
    if (!history) {
      for (const journey of type.completes) completed(turn, event, journey);
      const silences: readonly Match[] = type.activity ? endSilences(turn, event) : [];
      for (const use of type.triggers) triggered(turn, event, use, atMs, session, silences);
    }
  }
  return finished(turn);
}

/**
 * What is reported of a message says which one it was, as far as it is remembered: journey, step, key and occurrence. What a device says of itself counts for nothing: nor that
 * it has opened a message before there was one.
 */
function answered(turn: Turn, event: Event, atMs: number): [Event, number] {
  const commandId = textOf(event, 'commandId');
  const entry = commandId === null ? undefined : turn.state.ledger.find((other) => other.commandId === commandId);
  if (entry === undefined) return [{ ...event, properties: { ...event.properties, ...UNKNOWN } }, atMs];
  const { journey, step, key, occurrence } = entry;
  return [{ ...event, properties: { ...event.properties, journey, step, key, occurrence } }, Math.max(atMs, entry.atMs)];
}

const UNKNOWN = { journey: null, step: null, key: null, occurrence: null };

/**
 * Fires one timer. One that the state no longer has (its match was negated in the same tick) changes nothing.
 * @param isAlone not with what else is due at that millisecond: where that fails, for another's sake
 */
export function onTimer(state: UserState, timer: Timer, nowMs: number, program: Program, isAlone = false): Step {
  switch (timer.id) {
    case SESSION_TIMER: {
      if (state.session?.closeTimerMs !== timer.dueMs) return { state, effects: NO_EFFECTS };
      const turn = turnOf(state, nowMs, program);
      onSessionTimer(turn);
      return finished(turn);
    }
    case TIDY_TIMER: {
      if (state.tidyAtMs !== timer.dueMs) return { state, effects: NO_EFFECTS };
      const turn = turnOf(state, nowMs, program);
      tidy(turn);
      return finished(turn);
    }
    default: {
      const isFired = (match: Match): boolean => match.dueMs === timer.dueMs && matchTimerId(match) === timer.id;
      if (!state.matches.some(isFired)) return { state, effects: NO_EFFECTS };
      const turn = turnOf(state, nowMs, program);
      mature(turn, isFired);
      if (!isAlone && turn.candidates !== null) rest(turn, timer.dueMs);
      return finished(turn);
    }
  }
}

/** The record that put a topology in force, and the largest append time seen then. */
export interface Activation extends Position {
  /** Of the version. */
  readonly number: number;
  readonly atMs: number;
}

/**
 * Another topology is in force, with journeys on dates that a user's attributes have already: what passed before is left out, the rest will come as if the
 * attribute had been set now. Once for each user; the same state where it is nothing to them.
 */
export function onTopology(state: UserState, dates: readonly NewDate[], activation: Activation, program: Program): Step {
  if (!hasDates(state, dates, program)) return { state, effects: NO_EFFECTS };
  const { topic, partition, offset, number, atMs } = activation;
  const turn = turnOf(state, atMs, program);
  const trigger: Trigger = {
    ...{ topic, partition, offset, eventId: `$topology-${number}`, type: '$topology' },
    ...{ occurredAtMs: atMs, appendedAtMs: atMs, properties: {}, session: null, traceParent: null },
  };
  for (const date of dates) dateKnown(turn, date, trigger);
  return turn.state.matches === state.matches ? { state, effects: NO_EFFECTS } : finished(turn);
}

/** One after the other, as they are by then: what a run sets may move others. */
function mature(turn: Turn, isDue: (match: Match) => boolean): void {
  for (let match = turn.state.matches.find(isDue); match !== undefined; match = turn.state.matches.find(isDue)) matured(turn, match);
}

/** A message stands back for others: so for all that is due to the user at that millisecond, also by the end of a session, or by what a run sets. */
function rest(turn: Turn, dueMs: number): void {
  if (turn.state.session?.closeTimerMs === dueMs) onSessionTimer(turn);
  mature(turn, (match) => match.dueMs === dueMs);
}

function turnOf(state: UserState, nowMs: number, program: Program): Turn {
  return { state: { ...state }, nowMs, program, index: indexProgram(program), grown: null, candidates: null, winner: null, effects: null };
}

function finished(turn: Turn): Step {
  arbitrate(turn);
  armTidy(turn);
  return { state: turn.state, effects: turn.effects ?? NO_EFFECTS };
}

function withActivity(lifetime: Lifetime, event: Event, atMs: number, history: boolean): Lifetime {
  const { sessions, firstSeenAtMs, lastActivityAtMs, lastActivityAppendedAtMs } = lifetime;
  return {
    sessions,
    firstSeenAtMs: Math.min(firstSeenAtMs ?? atMs, atMs),
    lastActivityAtMs: Math.max(lastActivityAtMs ?? atMs, atMs),
    // An import is no sign of life.
    lastActivityAppendedAtMs: history ? lastActivityAppendedAtMs : lastSignOfLife(lifetime, event),
  };
}

function lastSignOfLife({ lastActivityAppendedAtMs }: Lifetime, { appendedAtMs }: Event): number {
  return Math.max(lastActivityAppendedAtMs ?? 0, appendedAtMs);
}
