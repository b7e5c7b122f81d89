import type { Match, Timer, UserState } from './state.ts';

/** The session's close timer; there is one session per user, so one id. */
export const SESSION_TIMER = 'session';
export const TIDY_TIMER = 'tidy';

/**
 * Made of journey and key, not of the occurrence: a silence that every event starts anew keeps its timer, and costs no index write. Together with its due
 * time it names one match, since two matches of one journey and key never share a deadline (of two triggers at one moment the later negates the earlier). Runs at a step
 * may share one: there the occurrence is part of it.
 */
export function matchTimerId({ journey, key, wait, occurrence }: Match): string {
  return wait === null ? `match/${journey}/${key}` : `match/${journey}/${key}/${wait.step}/${occurrence}`;
}

/** Every timer of a user: the index of timers is exactly this, over all users. */
export function timersOf(state: UserState): readonly Timer[] {
  const timers: Timer[] = [];
  if (state.session !== null) timers.push({ dueMs: state.session.closeTimerMs, id: SESSION_TIMER });
  if (state.tidyAtMs !== null) timers.push({ dueMs: state.tidyAtMs, id: TIDY_TIMER });
  for (const match of state.matches) timers.push({ dueMs: match.dueMs, id: matchTimerId(match) });
  return timers;
}

/** When the first of a user's timers is due; null where there is none. Asked for every event: nothing is made for it. */
export function nextDueMs({ session, tidyAtMs, matches }: UserState): number | null {
  let dueMs = session === null ? Infinity : session.closeTimerMs;
  if (tidyAtMs !== null && tidyAtMs < dueMs) dueMs = tidyAtMs;
  for (const match of matches) if (match.dueMs < dueMs) dueMs = match.dueMs;
  return dueMs === Infinity ? null : dueMs;
}

/** The timer that fires next: the one that is due first, of several the first by id. */
export function nextTimer(state: UserState): Timer | null {
  let next: Timer | null = null;
  for (const timer of timersOf(state))
    if (next === null || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.id < next.id)) next = timer;
  return next;
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
