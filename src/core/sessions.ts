import { own } from './own.ts';
import type { Turn } from './draft.ts';
import type { Event } from './event.ts';
import { sessionEnded } from './patterns.ts';
import type { TypeIndex } from './program-index.ts';
import { EvaluationError } from './condition.ts';
import type { SessionSum } from './program.ts';
import type { SessionWindow } from './state.ts';

/**
 * Session windows in event time.
 *
 *   start - gap         start          last          last + gap
 *   ─────┼────────────────┼──────────────┼────────────────┼─────>  event time
 *   past │        the event joins, start may move back    │ opens the next
 *
 * - Both edges belong to the window. Sessions of one user never merge: what lies beyond the gap backward belongs to a closed past and changes no window.
 * - A tick closes a window once `last + gap` is reached, in log order: what was appended before the tick still joins. An event of a window that a tick has
 *   closed (it is not later than the last activity) is of the closed past too.
 * - The close timer stays where it is while events extend the session and is armed anew when it fires too early: one index write per gap, not per event.
 */

/** Counts an activity into its session. Returns the window that it belongs to, or null for a closed past. */
export function recordActivity(turn: Turn, event: Event, type: TypeIndex, atMs: number): SessionWindow | null {
  const { state, program } = turn;
  const current = state.session;
  const lastActivityAtMs = state.lifetime.lastActivityAtMs;
  let window: SessionWindow | null = null;
  if (current !== null && atMs <= current.lastMs + program.sessionGapMs) {
    if (atMs >= current.startMs - program.sessionGapMs) window = extended(turn, current, event, type, atMs);
  } else if (current !== null || lastActivityAtMs === null || atMs > lastActivityAtMs) {
    if (current !== null) endSession(turn, current);
    window = opened(turn, event, type, atMs);
  }
  if (window !== null) state.session = window;
  return window;
}

/** The close timer: closes the window, or looks again where events have extended it. */
export function onSessionTimer(turn: Turn): void {
  const { state, program } = turn;
  const session = state.session;
  if (session === null) return;
  const endMs = session.lastMs + program.sessionGapMs;
  // Also where the end has come by now: it has its own place in the order of timers, and the same tick fires it there.
  if (endMs > session.closeTimerMs) {
    state.session = { ...session, closeTimerMs: endMs };
    return;
  }
  state.session = null;
  endSession(turn, session);
}

function endSession(turn: Turn, session: SessionWindow): void {
  for (const journey of turn.index.sessionEnded) sessionEnded(turn, journey, session);
}

function opened(turn: Turn, event: Event, type: TypeIndex, atMs: number): SessionWindow {
  const { lifetime } = turn.state;
  turn.state.lifetime = { ...lifetime, sessions: lifetime.sessions + 1 };
  return {
    id: event.eventId,
    opened: { topic: event.topic, partition: event.partition, offset: event.offset },
    startMs: atMs,
    lastMs: atMs,
    lastAppendedAtMs: event.appendedAtMs,
    count: 1,
    counts: { [event.type]: 1 },
    sums: addSums({}, event, type.sums),
    closeTimerMs: atMs + turn.program.sessionGapMs,
  };
}

function extended(turn: Turn, session: SessionWindow, event: Event, type: TypeIndex, atMs: number): SessionWindow {
  // A topology with a shorter gap may have come into force since: the timer never waits for longer than the window lasts.
  const lastMs = Math.max(session.lastMs, atMs);
  return {
    id: session.id,
    opened: session.opened,
    startMs: Math.min(session.startMs, atMs),
    lastMs,
    lastAppendedAtMs: Math.max(session.lastAppendedAtMs, event.appendedAtMs),
    count: session.count + 1,
    counts: { ...session.counts, [event.type]: (own(session.counts, event.type) ?? 0) + 1 },
    sums: addSums(session.sums, event, type.sums),
    closeTimerMs: Math.min(session.closeTimerMs, lastMs + turn.program.sessionGapMs),
  };
}

/** An event whose value cannot be computed (a missing price) adds nothing: the sum stays usable, and the event still counts. */
function addSums(sums: Readonly<Record<string, number>>, event: Event, asked: readonly SessionSum[]): Readonly<Record<string, number>> {
  let next = sums;
  for (const sum of asked) {
    const value = valueOf(sum, event);
    if (Number.isFinite(value)) next = { ...next, [sum.name]: (own(next, sum.name) ?? 0) + value };
  }
  return next;
}

function valueOf(sum: SessionSum, event: Event): number {
  try {
    return sum.value(event);
  } catch (error) {
    if (error instanceof EvaluationError) return Number.NaN;
    throw error;
  }
}
