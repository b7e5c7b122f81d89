import { dateIn } from './attributes.ts';
import type { Turn } from './draft.ts';
import { journeyOf } from './pinned.ts';
import { zoneOf } from './reach.ts';
import { waitStepOf } from './wait-step.ts';
import type { Match, UserState } from './state.ts';
import { dayBehind } from './streaks.ts';
import { dayOf, instantOf } from './zone.ts';

/** Where the user is in another zone than before, what comes at a local time comes at that of the new one, unless it has passed there. Then it keeps its time. */
export function followZone(turn: Turn, before: Pick<UserState, 'devices' | 'profile'>): void {
  if (turn.state.matches.length === 0) return;
  const zone = zoneOf(turn.state, turn.program);
  const left = zoneOf(before, turn.program);
  if (zone === left) return;
  const dueIn = (match: Match): number | null => {
    const journey = journeyOf(turn.index, turn.program.version, match);
    if (journey === undefined) return null;
    const { pattern } = journey;
    if (match.wait !== null) {
      const atMinutes = waitStepOf(match, journey)?.atMinutes ?? null;
      if (atMinutes === null) return null;
      const day = dayOf(left, match.dueMs);
      // One that has kept its time is at none of this zone, and its day may be another.
      return instantOf(left, day, atMinutes) === match.dueMs ? instantOf(zone, day, atMinutes) : null;
    }
    if (pattern.kind === 'date') return dateIn(turn, zone, pattern, match);
    return pattern.kind === 'streak' && pattern.breaksAtMinutes !== null
      ? instantOf(zone, dayBehind(match), pattern.breaksAtMinutes)
      : null;
  };
  turn.state.matches = turn.state.matches.map((match) => {
    const dueMs = dueIn(match);
    return dueMs === null || dueMs === match.dueMs || dueMs <= turn.nowMs ? match : { ...match, dueMs };
  });
}
