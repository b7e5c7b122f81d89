import type { Turn } from './draft.ts';
import { own } from './own.ts';
import type { Journey } from './journey.ts';

/** Where a journey's re-entry mark stands: per key where the journey has one. */
export function entryKeyOf(journey: Journey, key: string): string {
  return key === '' ? journey.name : `${journey.name}/${key}`;
}

/**
 * Until when a mark bars its journey. A mark is a time, and that of a journey which is entered once in a session is the session's number: what a mark says where an edit has changed
 * the rule errs on the side of entering, but for `once`.
 */
export function markEndMs(turn: Turn, { reentry }: Journey, mark: number): number {
  switch (reentry.kind) {
    case 'session':
      return sessionMarkEndMs(turn, mark);
    case 'every':
      return mark + reentry.intervalMs;
    case 'once':
      return Number.POSITIVE_INFINITY;
    case 'always':
      return lastMarkEndMs(turn, mark);
  }
}

/**
 * Of a journey that is gone, or asks no more: where an edit brings the rule back, a time says what it said. The number of a session, which no time is as small as, ends with that.
 */
export function lastMarkEndMs(turn: Turn, mark: number): number {
  return mark <= turn.state.lifetime.sessions ? sessionMarkEndMs(turn, mark) : Number.POSITIVE_INFINITY;
}

function sessionMarkEndMs({ state, program }: Turn, mark: number): number {
  const { sessions, lastActivityAppendedAtMs } = state.lifetime;
  if (mark !== sessions) return 0;
  // What came of a session may be decided behind its end, for as long as its events may still arrive.
  return state.session === null ? (lastActivityAppendedAtMs ?? 0) + program.maxEventAgeMs : Number.POSITIVE_INFINITY;
}

/** What keeps the journey from being entered again; null = nothing. */
export function barredBy(turn: Turn, journey: Journey, key: string): string | null {
  const { reentry } = journey;
  if (reentry.kind === 'always') return null;
  const mark = own(turn.state.entries, entryKeyOf(journey, key));
  if (mark === undefined || markEndMs(turn, journey, mark) <= turn.nowMs) return null;
  if (reentry.kind === 'session') return 'entered in this session, allowed once in each';
  const allowed = reentry.kind === 'once' ? 'once' : `every ${reentry.intervalMs} ms`;
  return `entered ${turn.nowMs - mark} ms ago, allowed ${allowed}`;
}

/** Marks that the journey was entered, where its re-entry rule asks for it. Marks per key are bounded like the keys of a tracker: the oldest goes. */
export function recordEntry(turn: Turn, journey: Journey, key: string): void {
  if (journey.reentry.kind === 'always') return;
  const name = entryKeyOf(journey, key);
  const entries = Object.entries(turn.state.entries).filter(([other]) => other !== name);
  if (key !== '') {
    const mine = entries.filter(([other]) => other.startsWith(`${journey.name}/`)).sort((a, b) => a[1] - b[1]);
    for (const [oldest] of mine.slice(0, Math.max(0, mine.length + 1 - turn.program.limits.keysPerTracker)))
      entries.splice(
        entries.findIndex(([other]) => other === oldest),
        1,
      );
  }
  entries.push([name, journey.reentry.kind === 'session' ? turn.state.lifetime.sessions : turn.nowMs]);
  turn.state.entries = Object.fromEntries(entries);
}
