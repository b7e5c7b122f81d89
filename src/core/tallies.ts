import type { Turn } from './draft.ts';
import type { Event } from './event.ts';
import { own } from './own.ts';
import { zoneOf } from './reach.ts';
import { EvaluationError } from './condition.ts';
import type { Tally } from './program.ts';
import type { UserState } from './state.ts';
import { dayOf } from './zone.ts';

/**
 * Numbers over a lifetime. An imported event counts as well: they are facts.
 *
 * - Of events: how many there were, and when the last was read.
 * - Of days: the streaks, as first and last days in a row, the latest last. A late event may join two; those that ended long ago are forgotten.
 *
 * The last number of each tells which value of a key has been left alone for longest.
 */

/** More than these never matter: what is late joins one of the last. */
const STREAKS = 4;
const NONE: readonly number[] = Object.freeze([]);

type Numbers = Readonly<Record<string, readonly number[]>>;

/** Counts an event for every tally that wants it. */
export function count(turn: Turn, event: Event, tallies: readonly Tally[], atMs: number): void {
  for (const tally of tallies) {
    const key = keyOf(turn, event, tally);
    if (key === null) continue;
    const before = tallyOf(turn.state, tally.id, key);
    const after = tally.of === 'events' ? [(before[0] ?? 0) + 1, turn.nowMs] : withDay(before, userDay(turn, atMs));
    if (after === before) continue;
    (turn.grown ??= new Map()).set(tally.id, { before, after });
    const numbers = withRoom(own(turn.state.tallies, tally.id) ?? {}, key, turn.program.limits.keysPerTracker);
    turn.state.tallies = { ...turn.state.tallies, [tally.id]: { ...numbers, [key]: after } };
  }
}

/** At the limit the values that were left alone for longest go. */
function withRoom(byKey: Numbers, key: string, limit: number): Numbers {
  // Of those left alone equally long, the ones that came last stay.
  const others = Object.keys(byKey)
    .filter((other) => other !== key)
    .reverse();
  if (others.length < limit) return byKey;
  const last = (other: string): number => byKey[other]!.at(-1)!;
  const kept = others.sort((a, b) => last(b) - last(a)).slice(0, limit - 1);
  return Object.fromEntries(kept.reverse().map((other) => [other, byKey[other]!]));
}

/** A tally's numbers; none where nothing was counted. */
export function tallyOf(state: UserState, tallyId: string, key: string): readonly number[] {
  return own(own(state.tallies, tallyId) ?? {}, key) ?? NONE;
}

/** The streak that has this day: its first day, and how many days it has. */
export function streakAt(streaks: readonly number[], day: number): { readonly first: number; readonly days: number } | undefined {
  for (let i = 0; i < streaks.length; i += 2) {
    const [first, last] = [streaks[i]!, streaks[i + 1]!];
    if (first <= day && day <= last) return { first, days: last - first + 1 };
  }
  return undefined;
}

/** The day where the user is. */
export function userDay(turn: Turn, ms: number): number {
  return dayOf(zoneOf(turn.state, turn.program), ms);
}

/** With one more day, joined to what it touches; the same where it is in already. */
function withDay(streaks: readonly number[], day: number): readonly number[] {
  if (streakAt(streaks, day) !== undefined) return streaks;
  let [first, last] = [day, day];
  const apart: [number, number][] = [];
  for (let i = 0; i < streaks.length; i += 2) {
    const [from, to] = [streaks[i]!, streaks[i + 1]!];
    if (to === day - 1) first = from;
    else if (from === day + 1) last = to;
    else apart.push([from, to]);
  }
  return [...apart, [first, last] as const]
    .sort((a, b) => a[0] - b[0])
    .slice(-STREAKS)
    .flat();
}

function keyOf({ state, nowMs }: Turn, event: Event, { on, key }: Tally): string | null {
  try {
    if (on.where !== null && !on.where({ event, trigger: null, state, nowMs })) return null;
    return key === null ? '' : key(event);
  } catch (error) {
    if (error instanceof EvaluationError) return null;
    throw error;
  }
}
