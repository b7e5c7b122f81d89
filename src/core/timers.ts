import type { Match, Timer, UserState } from './state.ts';

/** The session's close timer; there is one session per user, so one id. */
export const SESSION_TIMER = 'session';
export const TIDY_TIMER = 'tidy';

/**
 * Made of journey and key, not of the occurrence: a silence that every event starts anew keeps its timer, and costs no index write. Together with its due
 * time it names one match, since two matches of one journey and key never share a deadline (of two triggers at one moment the later negates the earlier).
 */
export function matchTimerId(match: Match): string {
  return `match/${match.journey}/${match.key}`;
}

/** Every timer of a user: the index of timers is exactly this, over all users. */
export function timersOf(state: Pick<UserState, 'session' | 'tidyAtMs' | 'matches'>): readonly Timer[] {
  const timers: Timer[] = [];
  if (state.session !== null) timers.push({ dueMs: state.session.closeTimerMs, id: SESSION_TIMER });
  if (state.tidyAtMs !== null) timers.push({ dueMs: state.tidyAtMs, id: TIDY_TIMER });
  for (const match of state.matches) timers.push({ dueMs: match.dueMs, id: matchTimerId(match) });
  return timers;
}

export interface TimerChanges {
  readonly removed: readonly Timer[];
  readonly added: readonly Timer[];
}

/** Timers that came and went between two states of one user; null where none did. Most events change none: this costs them three comparisons. */
export function timerChanges(before: UserState, after: UserState): TimerChanges | null {
  const closeBeforeMs = before.session === null ? null : before.session.closeTimerMs;
  const closeMs = after.session === null ? null : after.session.closeTimerMs;
  if (before.matches === after.matches && before.tidyAtMs === after.tidyAtMs && closeBeforeMs === closeMs) return null;
  const removed: Timer[] = [];
  const added: Timer[] = [];
  if (closeBeforeMs !== closeMs) {
    if (closeBeforeMs !== null) removed.push({ dueMs: closeBeforeMs, id: SESSION_TIMER });
    if (closeMs !== null) added.push({ dueMs: closeMs, id: SESSION_TIMER });
  }
  if (before.tidyAtMs !== after.tidyAtMs) {
    if (before.tidyAtMs !== null) removed.push({ dueMs: before.tidyAtMs, id: TIDY_TIMER });
    if (after.tidyAtMs !== null) added.push({ dueMs: after.tidyAtMs, id: TIDY_TIMER });
  }
  if (before.matches !== after.matches) {
    pushMatchTimers(removed, before.matches, after.matches);
    pushMatchTimers(added, after.matches, before.matches);
  }
  return removed.length + added.length === 0 ? null : { removed, added };
}

/** Timers of matches that the others do not have, neither the match nor one that is due with it. */
function pushMatchTimers(into: Timer[], matches: readonly Match[], others: readonly Match[]): void {
  for (const match of matches) {
    if (others.includes(match)) continue;
    const id = matchTimerId(match);
    if (!others.some((other) => other.dueMs === match.dueMs && matchTimerId(other) === id)) into.push({ dueMs: match.dueMs, id });
  }
}

export function isSameTimer(a: Timer, b: Timer): boolean {
  return a.dueMs === b.dueMs && a.id === b.id;
}

/** The state without one timer and what hangs on it: for a timer whose firing fails, which would fail at every tick. */
export function withoutTimer(state: UserState, timer: Timer): UserState {
  switch (timer.id) {
    case SESSION_TIMER:
      return state.session?.closeTimerMs === timer.dueMs ? { ...state, session: null } : state;
    case TIDY_TIMER:
      return state.tidyAtMs === timer.dueMs ? { ...state, tidyAtMs: null } : state;
    default:
      return { ...state, matches: state.matches.filter((match) => match.dueMs !== timer.dueMs || matchTimerId(match) !== timer.id) };
  }
}
