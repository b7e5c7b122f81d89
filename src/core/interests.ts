import { effectsOf } from './draft.ts';
import type { Turn } from './draft.ts';
import { MAX_ITEM_ID_BYTES } from './event.ts';
import { own } from './own.ts';
import { isBehind, lastOf, latestMoment, momentAt, momentCount, NO_MOMENTS, type Moment, type Moments } from './moments.ts';
import { toldIdOf, type TrackerIndex } from './program-index.ts';
import type { ItemPattern } from './pattern-kinds.ts';
import type { UserState } from './state.ts';
import { floorOf, makeRoom } from './trackers.ts';

/**
 * Interest in items: moments of a tracker that is kept per item. Whoever keeps the items is told who is interested in which, so that a change reaches no more people than it has to; whether
 * it concerns somebody is decided here, of the user's own log, when the change has come.
 *
 * What is told of is rounded up to a sixteenth of the time for which interest lasts: who looks at the same thing all day says so once.
 */
const GRAINS = 16;

type Trackers = UserState['trackers'];
type Lists = Trackers[string];

const NONE: Lists = Object.freeze({});

/** Was the user interested when the change happened? */
export function isInterested({ state }: Turn, pattern: ItemPattern, item: string, change: Moment): boolean {
  const moments = momentsIn(state.trackers, pattern.trackerId, item);
  const fromMs = change.atMs - pattern.withinMs;
  let last: Moment | undefined;
  let count = 0;
  for (let i = 0; i < momentCount(moments); i++) {
    const moment = momentAt(moments, i);
    if (moment.atMs <= fromMs || !isBehind(change, moment)) continue;
    last = moment;
    count++;
  }
  if (last === undefined || count < pattern.times) return false;
  const ends = pattern.withoutId === null ? NO_MOMENTS : momentsIn(state.trackers, pattern.withoutId, item);
  for (let i = 0; i < momentCount(ends); i++) {
    const end = momentAt(ends, i);
    if (isBehind(end, last) && isBehind(change, end)) return false;
  }
  return true;
}

/** A moment of interest, or of its end, is remembered: says what that changes. `before`: as the trackers were without it. What had to make room for it is looked at no more. */
export function interestChanged(turn: Turn, { tracker, changes }: TrackerIndex, item: string, before: Trackers): void {
  const [had, has] = [before, turn.state.trackers].map((trackers) => own(trackers, tracker.id) ?? NONE) as [Lists, Lists];
  const gone = Object.hasOwn(had, item) ? [] : Object.keys(had).filter((other) => !Object.hasOwn(has, other));
  for (const change of changes) for (const one of [...gone, item]) tell(turn, change, one);
}

/**
 * Says until when the user is to be told, where that is not what was said last. What was said is remembered, as a moment that is still to come: the moments before this one do
 * not tell it, since an edit of the topology may have made something else of them.
 */
function tell(turn: Turn, change: string, item: string): void {
  // Nobody could be told of it by such a key.
  if (Buffer.byteLength(item) > MAX_ITEM_ID_BYTES) return;
  const { userId, trackers } = turn.state;
  const told = turn.index.trackers.get(toldIdOf(change))!;
  const floorMs = floorOf(turn, told);
  const since = (ms: number): number => (ms < floorMs ? 0 : ms);
  const lists = own(trackers, told.tracker.id) ?? NONE;
  const untilMs = since(untilOf(turn.index.changes.get(change)!, trackers, item));
  if (untilMs === since(lastOf(own(lists, item) ?? NO_MOMENTS)?.atMs ?? 0)) return;
  const others = Object.fromEntries(Object.entries(lists).filter(([other]) => other !== item));
  const after = untilMs === 0 ? others : { ...makeRoom(others, floorMs, turn.program.limits.keysPerTracker), [item]: [untilMs, 0] };
  const { [told.tracker.id]: _, ...rest } = trackers;
  turn.state.trackers = Object.keys(after).length === 0 ? rest : { ...rest, [told.tracker.id]: after };
  effectsOf(turn).interests.push({ itemId: item, change, userId, untilMs });
}

/** Until when somebody with these moments is interested, by any of the patterns; 0 = not. */
function untilOf(patterns: readonly ItemPattern[], trackers: Trackers, item: string): number {
  let untilMs = 0;
  for (const { trackerId, withoutId, times, withinMs } of patterns) {
    const moments = momentsIn(trackers, trackerId, item);
    if (momentCount(moments) < times) continue;
    const ends = withoutId === null ? NO_MOMENTS : momentsIn(trackers, withoutId, item);
    if (ends.length > 0 && isBehind(latestMoment(ends), latestMoment(moments))) continue;
    // From then on one of them is too old, and too few are left.
    const endMs = momentAt(moments, momentCount(moments) - times).atMs + withinMs;
    const grainMs = Math.max(1, Math.ceil(withinMs / GRAINS));
    untilMs = Math.max(untilMs, grainMs * Math.ceil(endMs / grainMs));
  }
  return untilMs;
}

function momentsIn(trackers: Trackers, trackerId: string, item: string): Moments {
  const lists = own(trackers, trackerId);
  return (lists === undefined ? undefined : own(lists, item)) ?? NO_MOMENTS;
}
