import { hasBehindAndBefore, hasBetween, isBehind, momentAt, momentCount, NO_MOMENTS, type Moment, type Moments } from './moments.ts';
import type { CountPattern, SequencePattern } from './pattern-kinds.ts';
import type { ProgramIndex, TrackerIndex } from './program-index.ts';
import type { UserState } from './state.ts';
import { momentsOf } from './trackers.ts';

/** Whether events came in an order, or often enough: asked of the moments that trackers keep, so that the answer is the same in whatever order they reached us. */

/** Where a user's trackers are looked at: for one value of the key. */
export interface Keyed {
  readonly state: UserState;
  readonly index: ProgramIndex;
  readonly key: string;
}

/**
 * The moments at which the last event of the sequence may have come, ascending, all links before it in their order and nothing forbidden in between; none where it is not
 * complete. Without links it is the start alone.
 */
export function endsOf(keyed: Keyed, { links }: SequencePattern, start: Moment, deadlineMs: number): readonly Moment[] {
  let reached: readonly Moment[] = [start];
  for (const { trackerId, withoutId } of links) {
    const moments = momentsIn(keyed, trackerId);
    const forbidden = withoutId === null ? NO_MOMENTS : momentsIn(keyed, withoutId);
    const next: Moment[] = [];
    for (let i = 0; i < momentCount(moments); i++) {
      const moment = momentAt(moments, i);
      if (moment.atMs >= deadlineMs) break;
      if (reached.some((from) => isBehind(moment, from) && !hasBehindAndBefore(forbidden, from, moment))) next.push(moment);
    }
    if (next.length === 0) return next;
    reached = next;
  }
  return reached;
}

/** Did the last event come, and nothing behind it that must not? `unknown` where more came behind than is kept. */
export function staysQuiet(
  keyed: Keyed,
  pattern: SequencePattern,
  without: TrackerIndex,
  start: Moment,
  deadlineMs: number,
): boolean | 'unknown' {
  const forbidden = momentsOf(keyed.state, without, keyed.key);
  const ends = endsOf(keyed, pattern, start, deadlineMs);
  const quiet = ends.filter((end) => !hasBetween(forbidden, end, deadlineMs));
  if (quiet.length === 0) return false;
  const forgotten = momentCount(forbidden) >= without.tracker.cap ? momentAt(forbidden, 0) : undefined;
  // One of the forgotten may have come before the deadline.
  return forgotten === undefined || quiet.some((end) => !isBehind(forgotten, end)) ? true : 'unknown';
}

/** The last of the `times` moments, of which `own` is one; undefined where there are not so many. Those up to `used` have been counted before. */
export function countedAt(
  keyed: Keyed,
  { trackerId, withoutId, times, withinMs }: CountPattern,
  own: Moment,
  range: { readonly used: Moment | undefined; readonly session: { readonly startMs: number; readonly lastMs: number } | null },
): Moment | undefined {
  const { used, session } = range;
  if (withinMs === null && session === null) return undefined;
  const forbidden = withoutId === null ? NO_MOMENTS : momentsIn(keyed, withoutId);
  const counts = (moment: Moment): boolean =>
    (used === undefined || isBehind(moment, used)) &&
    (withinMs !== null || (moment.atMs >= session!.startMs && moment.atMs <= session!.lastMs));
  const all = momentsIn(keyed, trackerId);
  const moments: Moment[] = [];
  for (let i = 0; i < momentCount(all); i++) if (counts(momentAt(all, i))) moments.push(momentAt(all, i));
  const at = moments.findIndex((moment) => moment.atMs === own.atMs && moment.offset === own.offset);
  if (at < 0) return undefined;
  for (let first = Math.max(0, at - times + 1); first <= at && first + times <= moments.length; first++) {
    const [from, to] = [moments[first]!, moments[first + times - 1]!];
    if (withinMs !== null && to.atMs - from.atMs >= withinMs) continue;
    if (!hasBehindAndBefore(forbidden, from, to)) return to;
  }
  return undefined;
}

function momentsIn({ state, index, key }: Keyed, trackerId: string): Moments {
  const tracker = index.trackers.get(trackerId);
  return tracker === undefined ? NO_MOMENTS : momentsOf(state, tracker, key);
}
