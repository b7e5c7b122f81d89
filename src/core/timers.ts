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
export function timersOf(state: UserState): readonly Timer[] {
  const timers: Timer[] = [];
  if (state.session !== null) timers.push({ dueMs: state.session.closeTimerMs, id: SESSION_TIMER });
  if (state.tidyAtMs !== null) timers.push({ dueMs: state.tidyAtMs, id: TIDY_TIMER });
  for (const match of state.matches) timers.push({ dueMs: match.dueMs, id: matchTimerId(match) });
  return timers;
}

/** Cheap, and enough to skip the index for most events. False may also mean the same timers in other objects. */
export function sameTimers(before: UserState, after: UserState): boolean {
  return (
    before.matches === after.matches && before.tidyAtMs === after.tidyAtMs && before.session?.closeTimerMs === after.session?.closeTimerMs
  );
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
