import { decideUnevaluated } from './decisions.ts';
import { effectsOf } from './draft.ts';
import { interestChanged } from './interests.ts';
import { own } from './own.ts';
import type { Turn } from './draft.ts';
import type { Event } from './event.ts';
import { revoke } from './ledger.ts';
import type { TrackerIndex, TrackerUse } from './program-index.ts';
import { EvaluationError } from './condition.ts';
import { isBehind, latestMoment, NO_MOMENTS, withMoment, type Moment, type Moments } from './moments.ts';
import type { Match, UserState } from './state.ts';

/**
 * Remembers when negating and cancelling events happened, and lets each new one work on what waits and on what was sent.
 *
 * - A moment is kept for `keepMs`, and longer while a match waits that it may cancel: after an outage the suppressor must still be there at the firing tick.
 * - An absence is negated at once, when its event comes, and looked for in the past when a match is armed (`wasNegated`): so it is exact whatever order things
 *   are appended in, and a match that reaches its deadline needs no second look.
 * - A condition that cannot be evaluated counts as met where the tracker restrains, and a decision says so where a match falls for it.
 */

const NONE: Readonly<Record<string, Moments>> = Object.freeze({});

/** Works through the trackers that this event's type concerns. Before any journey is triggered by it. */
export function track(turn: Turn, event: Event, uses: readonly TrackerUse[], atMs: number): void {
  for (const use of uses) {
    const { tracker } = use;
    let failure: string | null = null;
    let key: string | null = '';
    try {
      if (!holdsAny(turn, event, use)) continue;
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      if (!tracker.restrains) continue;
      failure = error.message;
    }
    if (tracker.key !== null) {
      try {
        key = tracker.key(event);
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
        key = null;
      }
      if (key === null) continue;
    }
    const moment: Moment = { atMs, offset: event.offset };
    const { trackers } = turn.state;
    remember(turn, use, key, moment);
    if (use.changes.length > 0) interestChanged(turn, use, key, trackers);
    if (use.absences.size > 0 && turn.state.matches.length > 0) negate(turn, event, use, key, moment, failure);
    if (use.cancels.size > 0 && turn.state.ledger.length > 0) cancelSent(turn, use, key, moment);
  }
}

/** The moments kept for a match of `journeyKey`. */
export function momentsOf(state: UserState, { tracker }: TrackerIndex, journeyKey: string): Moments {
  const lists = own(state.trackers, tracker.id);
  if (lists === undefined) return NO_MOMENTS;
  return own(lists, tracker.key === null ? '' : journeyKey) ?? NO_MOMENTS;
}

/** Moments before this are forgotten. */
export function floorOf(turn: Turn, { tracker, holds }: TrackerIndex): number {
  let floorMs = turn.nowMs - tracker.keepMs;
  if (holds.size === 0) return floorMs;
  for (const match of turn.state.matches) if (holds.has(match.journey)) floorMs = Math.min(floorMs, match.trigger.occurredAtMs);
  return floorMs;
}

function holdsAny(turn: Turn, event: Event, use: TrackerUse): boolean {
  for (const where of use.wheres) if (where === null || where({ event, trigger: null, state: turn.state, nowMs: turn.nowMs })) return true;
  return false;
}

/** Adds a moment for one value of the key. */
export function remember(turn: Turn, use: TrackerIndex, key: string, moment: Moment): void {
  const { tracker } = use;
  const floorMs = floorOf(turn, use);
  if (moment.atMs < floorMs) return;
  const lists = own(turn.state.trackers, tracker.id) ?? NONE;
  const before = own(lists, key);
  const room = before === undefined ? makeRoom(lists, floorMs, turn.program.limits.keysPerTracker) : lists;
  const after = withMoment(before ?? NO_MOMENTS, moment, floorMs, tracker.cap);
  turn.state.trackers = { ...turn.state.trackers, [tracker.id]: tracker.key === null ? { '': after } : { ...room, [key]: after } };
}

/** At the limit, keys whose moments are all forgotten go first, then the one whose last moment is the oldest. */
export function makeRoom(lists: Readonly<Record<string, Moments>>, floorMs: number, limit: number): typeof lists {
  const entries = Object.entries(lists);
  if (entries.length < limit) return lists;
  const living = entries.filter(([, moments]) => latestMoment(moments).atMs >= floorMs);
  while (living.length >= limit) {
    let oldest = 0;
    for (let i = 1; i < living.length; i++) if (isBehind(latestMoment(living[oldest]![1]), latestMoment(living[i]![1]))) oldest = i;
    living.splice(oldest, 1);
  }
  return Object.fromEntries(living);
}

function negate(turn: Turn, event: Event, use: TrackerUse, key: string, moment: Moment, failure: string | null): void {
  const negated = (match: Match): boolean =>
    match.wait === null &&
    use.absences.has(match.journey) &&
    (use.tracker.key === null || match.key === key) &&
    moment.atMs < match.dueMs &&
    isBehind(moment, { atMs: match.trigger.occurredAtMs, offset: match.trigger.offset });
  const { matches } = turn.state;
  if (!matches.some(negated)) return;
  if (failure !== null)
    for (const match of matches)
      if (negated(match)) decideUnevaluated(turn, match, turn.index.journeys.get(match.journey)!, `${event.type}: ${failure}`);
  turn.state.matches = matches.filter((match) => !negated(match));
}

/** A goal or a suppressor that comes after the send: takes back what is still open, and counts what it would have stopped, had it come in time. */
function cancelSent(turn: Turn, use: TrackerUse, key: string, moment: Moment): void {
  for (const entry of turn.state.ledger) {
    const cancel = use.cancels.get(entry.journey);
    if (cancel === undefined || (use.tracker.key !== null && entry.key !== key)) continue;
    if (entry.outcome !== 'open' && entry.outcome !== 'accepted') continue;
    if (entry.expiresAtMs <= turn.nowMs || moment.atMs < entry.triggeredAtMs) continue;
    if (moment.atMs <= entry.atMs) effectsOf(turn).lateSuppressions++;
    if (entry.outcome === 'open') revoke(turn, entry, cancel.goal ? 'goal' : 'suppressed');
  }
}
