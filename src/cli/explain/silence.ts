import type { ProductEvent } from '../../avro/records.ts';
import type { Journey } from '../../core/journey.ts';
import type { Program } from '../../core/program.ts';
import { ReservedEventError } from '../../core/reserved.ts';
import type { Match } from '../../core/state.ts';
import { Simulation } from '../../testing/simulation.ts';
import type { UserRecord } from './records.ts';

/** Why a journey has decided nothing for a user. Times are milliseconds since the epoch. */
export interface Silence {
  readonly journey: string;
  /** What starts it: an event type, or `session` for journeys on a session's end. */
  readonly startsOn: string;
  /** How often that came, and when last (append time). */
  readonly came: number;
  readonly lastMs: number | null;
  /** It has started and waits. */
  readonly waiting: readonly { readonly key: string; readonly sinceMs: number; readonly untilMs: number }[];
  /** For journeys on a session's end: the session that is still open. */
  readonly openSinceMs: number | null;
  /** It had started, and an event ended it: the latest few. */
  readonly ended: readonly { readonly key: string; readonly sinceMs: number; readonly by: string; readonly atMs: number }[];
}

const MOST_ENDED = 3;

/**
 * Runs a user's own timeline through the core, as the given topology would have it, and says of each journey without a decision what came of it.
 * @param nowMs how far the partition's time has come
 */
export function explainSilences(program: Program, records: readonly UserRecord[], nowMs: number, decided: ReadonlySet<string>): Silence[] {
  const events = records.flatMap((record) => {
    const value = eventOf(record);
    return value === null ? [] : [{ record, value }];
  });
  const simulation = new Simulation(program, events[0]?.record.timestampMs ?? nowMs);
  const seen = new Map<string, { count: number; lastMs: number }>();
  const ended = new Map<string, Silence['ended'][number][]>();
  const userId = events[0]?.value.userId ?? '';
  for (const { record, value } of events) {
    const before = simulation.stateOf(userId).matches;
    const event = {
      ...{ eventId: value.eventId, userId, type: value.type, occurredAtMs: value.occurredAt, sentAtMs: value.sentAt },
      ...{ properties: value.properties, imported: value.imported },
    };
    try {
      simulation.append(event, record.timestampMs);
    } catch (error) {
      if (error instanceof ReservedEventError) continue;
      throw error;
    }
    seen.set(value.type, { count: (seen.get(value.type)?.count ?? 0) + 1, lastMs: record.timestampMs });
    const after = simulation.stateOf(userId).matches;
    for (const match of before) {
      const isDecided = simulation.output.decisions.some(
        (decision) => decision.journey === match.journey && decision.occurrence === match.occurrence,
      );
      if (after.some((other) => isSame(other, match)) || isDecided) continue;
      const list = ended.get(match.journey) ?? [];
      list.push({ key: match.key, sinceMs: match.trigger.occurredAtMs, by: value.type, atMs: record.timestampMs });
      ended.set(match.journey, list.slice(-MOST_ENDED));
    }
  }
  simulation.passTo(nowMs);
  const { matches, lifetime, session } = simulation.stateOf(userId);
  return program.journeys
    .filter((journey) => !decided.has(journey.name))
    .map((journey) => {
      const startsOn = startOf(journey);
      const came = startsOn === SESSION ? { count: lifetime.sessions, lastMs: lifetime.lastActivityAppendedAtMs } : seen.get(startsOn);
      return {
        journey: journey.name,
        startsOn,
        came: came?.count ?? 0,
        lastMs: came?.lastMs ?? null,
        waiting: matches
          .filter((match) => match.journey === journey.name)
          .map((match) => ({ key: match.key, sinceMs: match.trigger.occurredAtMs, untilMs: match.dueMs })),
        openSinceMs: journey.pattern.kind === 'session_ended' ? (session?.startMs ?? null) : null,
        ended: ended.get(journey.name) ?? [],
      };
    });
}

/** What a product service wrote, or ingest or the items in its place. */
function eventOf({ decoded }: UserRecord): ProductEvent | null {
  if (decoded.record === 'lull.v1.ProductEvent') return decoded.value;
  if (decoded.record !== 'lull.v1.Control') return null;
  const written = decoded.value.ingested ?? decoded.value.fanOut;
  return written === null ? null : { ...written, sentAt: null, imported: false };
}

const SESSION = 'session';

function startOf({ pattern }: Journey): string {
  switch (pattern.kind) {
    case 'event':
    case 'sequence':
    case 'count':
    case 'milestone':
    case 'streak':
    case 'item':
      return pattern.on.type;
    case 'inactive':
      return pattern.since?.type ?? SESSION;
    case 'attribute':
    case 'date':
      return '$profile';
    case 'session_ended':
      return SESSION;
  }
}

function isSame(a: Match, b: Match): boolean {
  return a.journey === b.journey && a.key === b.key && a.occurrence === b.occurrence;
}
