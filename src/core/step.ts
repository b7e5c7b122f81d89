import { eventIdHash, withRecent } from './dedup.ts';
import { DUPLICATE, NO_EFFECTS } from './draft.ts';
import type { Step, Turn } from './draft.ts';
import type { Event } from './event.ts';
import { applyReserved } from './facts.ts';
import { completed, endSilences, matured, triggered } from './patterns.ts';
import { indexProgram } from './program-index.ts';
import type { Program } from './program.ts';
import { checkReserved, isReserved } from './reserved.ts';
import { onSessionTimer, recordActivity } from './sessions.ts';
import type { Lifetime, Match, SessionWindow, Timer, UserState } from './state.ts';
import { armTidy, tidy } from './tidy.ts';
import { isHistory, occurredAtOf } from './time.ts';
import { matchTimerId, SESSION_TIMER, TIDY_TIMER } from './timers.ts';
import { track } from './trackers.ts';

export { NO_EFFECTS, type Step } from './draft.ts';
export { isEmpty } from './tidy.ts';

/**
 * The kernel: one event or one timer in, the new state and what to write out. Pure: the same state, event, `now` and program give the same step, byte for
 * byte, however records are batched. A step that throws has changed nothing: the state that went in is still whole.
 *
 * An event is worked through in this order, and each part sees what the parts before have made of it:
 *   ring of ids -> reserved facts -> lifetime -> session -> trackers (negate, cancel) -> sequences complete -> silences end -> journeys start
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
    matches: [],
    ledger: [],
    entries: {},
    tidyAtMs: null,
  };
}

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
  const atMs = occurredAtOf(event);
  if (reserved) applyReserved(turn, event, atMs);
  const type = turn.index.types.get(event.type);
  if (type !== undefined) {
    const history = isHistory(event, atMs, nowMs, program);
    let session: SessionWindow | null = null;
    if (type.activity) {
      // The session before the lifetime: it asks for the last activity before this one.
      if (!history) session = recordActivity(turn, event, type, atMs);
      turn.state.lifetime = withActivity(turn.state.lifetime, event, atMs, history);
    }
    if (type.trackers.length > 0) track(turn, event, type.trackers, atMs);
    if (!history) {
      for (const journey of type.completes) completed(turn, event, journey);
      const silences: readonly Match[] = type.activity ? endSilences(turn, event) : [];
      for (const use of type.triggers) triggered(turn, event, use, atMs, session, silences);
    }
  }
  return finished(turn);
}

/** Fires one timer. One that the state no longer has (its match was negated in the same tick) changes nothing. */
export function onTimer(state: UserState, timer: Timer, nowMs: number, program: Program): Step {
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
      const due = state.matches.filter((match) => match.dueMs === timer.dueMs && matchTimerId(match) === timer.id);
      if (due.length === 0) return { state, effects: NO_EFFECTS };
      const turn = turnOf(state, nowMs, program);
      for (const match of due) matured(turn, match);
      return finished(turn);
    }
  }
}

function turnOf(state: UserState, nowMs: number, program: Program): Turn {
  return { state: { ...state }, nowMs, program, index: indexProgram(program), effects: null };
}

function finished(turn: Turn): Step {
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
    lastActivityAppendedAtMs: history ? lastActivityAppendedAtMs : Math.max(lastActivityAppendedAtMs ?? 0, event.appendedAtMs),
  };
}
