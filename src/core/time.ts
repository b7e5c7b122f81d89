import type { Event } from './event.ts';
import type { Program } from './program.ts';

/**
 * When the event happened, as well as it can be known. A client that says when it sent the event tells how wrong its clock is: the same error
 * is in `occurredAtMs`. Nothing happens after it was appended, so a clock that runs ahead is cut at the first append time; nor before 1970: an absurd clock must
 * not make a number that no row can keep, which would stop its partition.
 */
export function occurredAtOf(event: Event): number {
  const skewMs = event.sentAtMs === null ? 0 : event.appendedAtMs - event.sentAtMs;
  return Math.max(0, Math.min(event.occurredAtMs + skewMs, event.appendedAtMs));
}

/**
 * History updates facts and never triggers: imports and backfills, and what is older than `maxEventAgeMs` when it is read. It counts into profile, devices,
 * consent, first and last activity, and it still negates and cancels; but it opens and changes no session window (a closed past is not opened again, and a past
 * that never was live has no end to notice), ends no silence and starts no journey.
 */
export function isHistory(event: Event, occurredAtMs: number, nowMs: number, program: Program): boolean {
  return event.imported || nowMs - occurredAtMs > program.maxEventAgeMs;
}
