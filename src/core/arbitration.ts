import { bucketOf } from './bucket.ts';
import type { Candidate, Turn } from './draft.ts';
import type { Journey, SendStep } from './journey.ts';

/**
 * One message a moment: of the journeys with a priority that come to a message at the same moment, the one with the highest priority gets through, and the others are rejected with its name.
 * A moment is one event, or all that is due to a user at the same millisecond.
 *
 * - Journeys without a priority or in the shadow, and classes that caps do not stop, neither win nor lose: they go their own way.
 * - Only what was sent wins: where the first is stopped by its own checks, the next one has its turn. That may be another message of the same run, which goes on meanwhile.
 * - Order: priority, then what is worth the least time, then a hash of journey and user: no journey goes first for its name.
 */
export function competes(turn: Turn, journey: Journey, send: SendStep): boolean {
  return journey.priority !== null && !journey.shadow && turn.program.classes.get(send.class)?.capped !== false;
}

export function inOrder({ state }: Turn, candidates: readonly Candidate[]): readonly Candidate[] {
  const deadlineOf = ({ going }: Candidate): number => going.doneMs + (going.journey.expiresAfterMs ?? Infinity);
  const bucketIn = ({ going }: Candidate): number => bucketOf(going.journey.name, state.userId);
  return candidates.toSorted((a, b) => {
    const byPriority = b.going.journey.priority! - a.going.journey.priority!;
    if (byPriority !== 0) return byPriority;
    const [deadlineA, deadlineB] = [deadlineOf(a), deadlineOf(b)];
    if (deadlineA !== deadlineB) return deadlineA - deadlineB;
    return bucketIn(a) - bucketIn(b) || (a.going.journey.name < b.going.journey.name ? -1 : 1);
  });
}
