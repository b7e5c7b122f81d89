/**
 * When events of one kind happened: pairs of (event time in ms, offset), flat and ascending. Of two events at one moment the one with the higher offset is
 * the later one. Flat, because every user has some and most events add one: numbers side by side cost a fifth of what an object for each costs.
 */
export type Moments = readonly number[];

export interface Moment {
  readonly atMs: number;
  readonly offset: number;
}

export const NO_MOMENTS: Moments = Object.freeze([]);

export function momentCount(moments: Moments): number {
  return moments.length >> 1;
}

export function momentAt(moments: Moments, index: number): Moment {
  return { atMs: moments[2 * index]!, offset: moments[2 * index + 1]! };
}

/** Of a list that is not empty. */
export function latestMoment(moments: Moments): Moment {
  return momentAt(moments, momentCount(moments) - 1);
}

/** undefined where there is none. */
export function lastOf(moments: Moments): Moment | undefined {
  return moments.length === 0 ? undefined : latestMoment(moments);
}

export function isBehind(moment: Moment, other: Moment): boolean {
  return moment.atMs > other.atMs || (moment.atMs === other.atMs && moment.offset > other.offset);
}

/** Those at or after `floorMs`; the same list where it is all of them. */
export function momentsSince(moments: Moments, floorMs: number): Moments {
  const from = firstSince(moments, floorMs);
  return from === 0 ? moments : moments.slice(2 * from);
}

/** The index of the first moment at or after `floorMs`; the count where there is none. */
function firstSince(moments: Moments, floorMs: number): number {
  let from = 0;
  while (2 * from < moments.length && moments[2 * from]! < floorMs) from++;
  return from;
}

/** With one more, in its place, without what lies before `floorMs`, and at most `cap`: the latest stay. */
export function withMoment(moments: Moments, moment: Moment, floorMs: number, cap: number): Moments {
  const { atMs, offset } = moment;
  let at = moments.length;
  while (at > 0 && (moments[at - 2]! > atMs || (moments[at - 2] === atMs && moments[at - 1]! > offset))) at -= 2;
  const from = Math.max(Math.min(2 * firstSince(moments, floorMs), at), moments.length + 2 - 2 * cap);
  if (from > at) return moments;
  // Every event of a user comes here: one array of the right length, where a copy that grows would be copied again.
  const after = new Array<number>(moments.length - from + 2);
  let next = 0;
  for (let i = from; i < at; i++) after[next++] = moments[i]!;
  after[next++] = atMs;
  after[next++] = offset;
  for (let i = at; i < moments.length; i++) after[next++] = moments[i]!;
  return after;
}

/** The first at or after `fromMs` that is not the one at `offset`. */
export function firstOther(moments: Moments, fromMs: number, offset: number): Moment | undefined {
  for (let i = firstSince(moments, fromMs); i < momentCount(moments); i++) {
    const moment = momentAt(moments, i);
    if (moment.offset !== offset) return moment;
  }
  return undefined;
}

/** The first behind `from` and before `untilMs` that is not the one at `offset`. */
export function firstBetween(moments: Moments, from: Moment, untilMs: number, offset: number): Moment | undefined {
  for (let i = firstSince(moments, from.atMs); i < momentCount(moments); i++) {
    const moment = momentAt(moments, i);
    if (moment.atMs >= untilMs) return undefined;
    if (moment.offset !== offset && isBehind(moment, from)) return moment;
  }
  return undefined;
}

/** Does one of them lie between these two? */
export function hasBehindAndBefore(moments: Moments, from: Moment, to: Moment): boolean {
  for (let i = momentCount(moments) - 1; i >= 0; i--) {
    const moment = momentAt(moments, i);
    if (!isBehind(moment, from)) return false;
    if (isBehind(to, moment)) return true;
  }
  return false;
}

/** Is this one of them? */
export function hasMoment(moments: Moments, { atMs, offset }: Moment): boolean {
  for (let i = moments.length - 2; i >= 0 && moments[i]! >= atMs; i -= 2) if (moments[i] === atMs && moments[i + 1] === offset) return true;
  return false;
}

/** How many lie behind the one and not behind the other? */
export function countBehindAndUpTo(moments: Moments, from: Moment, to: Moment): number {
  let count = 0;
  for (let i = momentCount(moments) - 1; i >= 0; i--) {
    const moment = momentAt(moments, i);
    if (!isBehind(moment, from)) break;
    if (!isBehind(moment, to)) count++;
  }
  return count;
}

/** Is one of them behind the trigger and before the deadline? */
export function hasBetween(moments: Moments, trigger: Moment, deadlineMs: number): boolean {
  for (let i = momentCount(moments) - 1; i >= 0; i--) {
    const moment = momentAt(moments, i);
    if (!isBehind(moment, trigger)) return false;
    if (moment.atMs < deadlineMs) return true;
  }
  return false;
}
