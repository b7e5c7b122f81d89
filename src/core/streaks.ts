import type { Turn } from './draft.ts';
import type { Event } from './event.ts';
import { arm } from './matches.ts';
import type { Journey } from './journey.ts';
import type { StreakPattern } from './pattern-kinds.ts';
import { zoneOf } from './reach.ts';
import { begin } from './runs.ts';
import type { Match } from './state.ts';
import { streakAt, tallyOf, userDay } from './tallies.ts';
import { instantOf } from './zone.ts';

/** Streaks of days: told of when they are long enough, or when they are about to break. */

/** An event that has made a streak longer, or joined two. */
export function streaked(turn: Turn, journey: Journey, pattern: StreakPattern, match: Match, event: Event): void {
  const grown = turn.grown?.get(pattern.tallyId);
  if (grown === undefined) return;
  if (pattern.breaksAtMinutes === null) {
    const day = userDay(turn, match.dueMs);
    const streak = streakAt(grown.after, day);
    if (streak === undefined) return;
    // Days that were in a row before have been told of: the longest of the parts.
    const told = Math.max(0, ...[day - 1, day + 1].map((neighbour) => streakAt(grown.before, neighbour)?.days ?? 0));
    for (let days = streak.days; days > told; days--) {
      if (!pattern.isReached(days)) continue;
      begin(turn, { ...match, occurrence: numbered(match.key, `${streak.first}+${days}`) }, journey, event);
      return;
    }
    return;
  }
  const waiting = (other: Match): boolean => other.wait === null && other.journey === journey.name && other.key === match.key;
  if (turn.state.matches.some(waiting)) turn.state.matches = turn.state.matches.filter((other) => !waiting(other));
  const last = grown.after.at(-1)!;
  const { first, days } = streakAt(grown.after, last)!;
  const dueMs = instantOf(zoneOf(turn.state, turn.program), last + 1, pattern.breaksAtMinutes);
  if (!pattern.isReached(days) || dueMs <= turn.nowMs) return;
  arm(turn, journey, { ...match, occurrence: numbered(match.key, `${first}+${days}`), dueMs });
}

/** Has a streak its next day after all? An import starts nothing, but the day has it. */
export function isKept({ state }: Turn, { tallyId }: StreakPattern, match: Match): boolean {
  return streakAt(tallyOf(state, tallyId, match.key), dayBehind(match)) !== undefined;
}

/** The day behind a streak. */
export function dayBehind({ occurrence }: Match): number {
  const [first, days] = occurrence.slice(occurrence.lastIndexOf('#') + 1).split('+');
  return Number(first) + Number(days);
}

/** Occurrences that are numbers tell the values of a key apart by themselves. */
export function numbered(key: string, number: string): string {
  return key === '' ? number : `${key}#${number}`;
}
