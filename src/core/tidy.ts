import type { Turn } from './draft.ts';
import { isForgotten } from './ledger.ts';
import { latestMoment, momentsSince, type Moments } from './moments.ts';
import { lastMarkEndMs, markEndMs } from './reentry.ts';
import type { UserState } from './state.ts';
import { floorOf } from './trackers.ts';

/**
 * Forgetting, for users who never return: what their own next event would have pruned. The timer is set once by the first thing that expires and looked at
 * again when it fires, at the latest when everything of one kind has expired: a handful of wakes for a user who has gone, one per `maxEventAge` for one who has not.
 */

/** Sets the timer where it is not and something can expire. At the end of every step. */
export function armTidy(turn: Turn): void {
  const { state } = turn;
  if (state.tidyAtMs === null && expires(turn)) state.tidyAtMs = turn.nowMs + Math.max(turn.program.maxEventAgeMs, 1);
}

/** The timer fired: forgets what has expired, and sets the next look, if there is anything left to expire. */
export function tidy(turn: Turn): void {
  const { state, program, nowMs } = turn;
  const ends: number[] = [];
  const ringEndMs = state.lastEventMs + program.maxEventAgeMs;
  if (ringEndMs <= nowMs) state.recentEventIds = [];
  else if (state.recentEventIds.length > 0) ends.push(ringEndMs);

  tidyTrackers(turn, ends);

  if (state.ledger.some((entry) => isForgotten(turn, entry))) state.ledger = state.ledger.filter((entry) => !isForgotten(turn, entry));
  // What a run that waits holds on to has no end of its own: look again later.
  const laterMs = nowMs + Math.max(program.maxEventAgeMs, 1);
  const ledgerEnds = state.ledger.map((entry) => Math.max(entry.expiresAtMs, entry.atMs + turn.index.ledgerKeepMs));
  if (ledgerEnds.length > 0) ends.push(Math.max(...ledgerEnds.map((endMs) => (endMs > nowMs ? endMs : laterMs))));

  const lasting = Object.entries(state.entries).filter(([name, atMs]) => entryEndMs(turn, name, atMs) > nowMs);
  if (lasting.length < Object.keys(state.entries).length) state.entries = Object.fromEntries(lasting);
  const entryEnds = lasting.map(([name, atMs]) => entryEndMs(turn, name, atMs)).filter(Number.isFinite);
  if (entryEnds.length > 0) ends.push(Math.max(...entryEnds));

  state.tidyAtMs = ends.length === 0 ? null : Math.min(...ends);
}

/**
 * Nothing lasting is left, and nothing that waits: the user's row becomes a tombstone. Lifetime counts are lasting, so this is for users of whom nothing but
 * expired traces was known.
 */
export function isEmpty(state: UserState): boolean {
  const { lifetime } = state;
  return (
    state.session === null &&
    state.tidyAtMs === null &&
    state.matches.length === 0 &&
    state.devices.length === 0 &&
    state.recentEventIds.length === 0 &&
    state.ledger.length === 0 &&
    isBare(state.profile) &&
    isBare(state.consent) &&
    isBare(state.trackers) &&
    isBare(state.tallies) &&
    isBare(state.entries) &&
    lifetime.sessions === 0 &&
    lifetime.firstSeenAtMs === null &&
    lifetime.lastActivityAtMs === null
  );
}

function expires(turn: Turn): boolean {
  const { state } = turn;
  if (state.recentEventIds.length > 0 || state.ledger.length > 0 || !isBare(state.trackers)) return true;
  return Object.entries(state.entries).some(([name, atMs]) => Number.isFinite(entryEndMs(turn, name, atMs)));
}

/** When a re-entry mark no longer says anything; a `once` mark always does, also that of a journey that is gone. */
function entryEndMs(turn: Turn, name: string, mark: number): number {
  const journey = turn.program.journeys.find(({ name: own }) => name === own || name.startsWith(`${own}/`));
  return journey === undefined ? lastMarkEndMs(turn, mark) : markEndMs(turn, journey, mark);
}

function tidyTrackers(turn: Turn, ends: number[]): void {
  const { state, nowMs } = turn;
  if (isBare(state.trackers)) return;
  const trackers: [string, Readonly<Record<string, Moments>>][] = [];
  for (const [id, lists] of Object.entries(state.trackers)) {
    const tracker = turn.index.trackers.get(id);
    // The topology in force no longer asks for it.
    if (tracker === undefined) continue;
    const floorMs = floorOf(turn, tracker);
    const kept: [string, Moments][] = [];
    let latestMs = 0;
    for (const [key, moments] of Object.entries(lists)) {
      const living = momentsSince(moments, floorMs);
      if (living.length === 0) continue;
      kept.push([key, living]);
      latestMs = Math.max(latestMs, latestMoment(living).atMs);
    }
    if (kept.length === 0) continue;
    trackers.push([id, Object.fromEntries(kept)]);
    // What a waiting match still holds on to has no end of its own: look again later.
    const endMs = latestMs + tracker.tracker.keepMs + 1;
    ends.push(endMs > nowMs ? endMs : nowMs + Math.max(turn.program.maxEventAgeMs, 1));
  }
  state.trackers = Object.fromEntries(trackers);
}

function isBare(record: Readonly<Record<string, unknown>>): boolean {
  for (const _ in record) return false;
  return true;
}
