import { decideUnevaluated } from './decisions.ts';
import type { Turn } from './draft.ts';
import type { Event, Properties, Scalar } from './event.ts';
import type { Moment } from './moments.ts';
import { own } from './own.ts';
import type { Journey } from './journey.ts';
import type { Match, SessionSnapshot, SessionWindow, Trigger } from './state.ts';

/** How what waits is made and armed: with what its journey reads of the moment of its trigger, and no more. */

const NO_PROPERTIES: Properties = Object.freeze({});

export function arm(turn: Turn, journey: Journey, match: Match): void {
  const { matches } = turn.state;
  let mine = 0;
  let oldest: Match | null = null;
  for (const other of matches) {
    if (other.journey !== journey.name) continue;
    // Also one that has come further already.
    if (other.occurrence === match.occurrence) return;
    oldest ??= other;
    mine++;
  }
  if (oldest !== null && mine >= turn.program.limits.matchesPerJourney) {
    const dropped = oldest;
    turn.state.matches = [...matches.filter((other) => other !== dropped), match];
    decideUnevaluated(turn, dropped, journey, `more than ${turn.program.limits.matchesPerJourney} of this journey wait`, 'limit');
    return;
  }
  turn.state.matches = [...matches, match];
}

export function matchOf(journey: Journey, key: string, trigger: Trigger, dueMs: number): Match {
  return { journey: journey.name, key, occurrence: trigger.eventId, trigger, dueMs, wait: null };
}

export function triggerOf(
  event: Event,
  journey: Pick<Journey, 'capture' | 'captureSession'>,
  atMs: number,
  session: SessionWindow | null,
): Trigger {
  return {
    topic: event.topic,
    partition: event.partition,
    offset: event.offset,
    eventId: event.eventId,
    type: event.type,
    occurredAtMs: atMs,
    appendedAtMs: event.appendedAtMs,
    properties: captured(event.properties, journey.capture),
    session: journey.captureSession && session !== null ? snapshotOf(session) : null,
    traceParent: event.traceParent,
  };
}

export function snapshotOf(session: SessionWindow): SessionSnapshot {
  const { id, startMs, lastMs, count, counts, sums } = session;
  return { id, startMs, lastMs, count, counts, sums };
}

/** Only what the journey reads is kept: less state, and less of people's data in it. */
export function captured(properties: Properties, names: readonly string[]): Properties {
  if (names.length === 0) return NO_PROPERTIES;
  const kept: Record<string, Scalar> = {};
  for (const name of names) {
    const value = own(properties, name);
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/** The moment of its trigger. */
export function startOf({ trigger }: Match): Moment {
  return { atMs: trigger.occurredAtMs, offset: trigger.offset };
}
