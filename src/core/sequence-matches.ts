import { decideUnevaluated } from './decisions.ts';
import type { Turn } from './draft.ts';
import type { Event } from './event.ts';
import { arm, startOf } from './matches.ts';
import { countBehindAndUpTo, hasBehindAndBefore, hasMoment, isBehind, lastOf } from './moments.ts';
import { usedIdOf, type SequenceJourney, type TrackerIndex } from './program-index.ts';
import { EvaluationError } from './condition.ts';
import type { KeyOf } from './condition.ts';
import { begin } from './runs.ts';
import { endsOf, staysQuiet } from './sequences.ts';
import type { Match } from './state.ts';
import { momentsOf, remember } from './trackers.ts';

/** Sequences that wait: armed by their first event, completed by any of the others, or by nothing until the deadline. */

/** The first event of a sequence. */
export function started(turn: Turn, event: Event, journey: SequenceJourney, match: Match): void {
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

/** An event that a sequence may be waiting for, after its moment is remembered. */
export function completed(turn: Turn, event: Event, journey: SequenceJourney): void {
  if (!turn.state.matches.some((match) => match.journey === journey.name)) return;
  const key = journey.key === null ? '' : keyIn(event, journey.key);
  if (key === null) return;
  // The one that started last: what it leaves of the others is used up with it.
  for (const match of turn.state.matches.toReversed())
    if (match.wait === null && match.journey === journey.name && match.key === key && complete(turn, journey, match, event)) return;
}

/** At its deadline: has nothing come that must not? One that should have been complete by now is not. */
export function holdsAtDeadline(turn: Turn, journey: SequenceJourney, match: Match): boolean {
  const { pattern } = journey;
  // What negates an absence has taken its match away.
  if (pattern.links.length === 0) return true;
  if (pattern.withoutId === null) return false;
  const without = turn.index.trackers.get(pattern.withoutId)!;
  const quiet = staysQuiet({ state: turn.state, index: turn.index, key: match.key }, pattern, without, startOf(match), match.dueMs);
  if (quiet === 'unknown') decideUnevaluated(turn, match, journey, tooMany(without), 'limit');
  return quiet === true;
}

/**
 * Of several first events in a row, or at one moment, the last counts: those that nothing has come behind since wait no longer. Where the same event is asked for again at once, as many
 * of the last ones count as are asked for.
 */
function replacePrevious(turn: Turn, journey: SequenceJourney, match: Match): void {
  const { links } = journey.pattern;
  const next = links[0];
  if (next === undefined) return;
  const tracker = turn.index.trackers.get(next.trackerId)!;
  const moments = momentsOf(turn.state, tracker, match.key);
  const [start, { matches }] = [startOf(match), turn.state];
  const isNext = hasMoment(moments, start);
  const behind = links.findIndex(({ trackerId }) => trackerId !== next.trackerId);
  const asked = isNext ? (behind < 0 ? links.length : behind) : 0;
  const replaced = (other: Match): boolean =>
    other.wait === null &&
    other.journey === match.journey &&
    other.key === match.key &&
    isBehind(start, startOf(other)) &&
    (isNext
      ? countBehindAndUpTo(moments, startOf(other), start) > asked
      : start.atMs === startOf(other).atMs || !hasBehindAndBefore(moments, startOf(other), start));
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

function tooMany({ tracker }: TrackerIndex): string {
  return `more than ${tracker.cap} events behind it had come before it`;
}

function keyIn(event: Event, key: KeyOf): string | null {
  try {
    return key(event);
  } catch (error) {
    if (error instanceof EvaluationError) return null;
    throw error;
  }
}
