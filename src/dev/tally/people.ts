import type { UserState } from '../../core/state.ts';
import type { PersonView } from './view.ts';

/** What of every user's changelog row is counted. Grows with the users, by little: a number and what is open. */
interface Row {
  readonly sessions: number;
  /** When the open window's last event was appended; null where none is open. */
  readonly openSinceMs: number | null;
  readonly waitsUntilMs: readonly number[];
}

export interface Waiting {
  readonly sessions: number;
  readonly patterns: number;
  readonly later: number;
}

/**
 * Counts over the processor's changelog: sessions opened, windows open, patterns waiting. This is the state itself, committed with the
 * output, and not a counter that a restart would lose or repeat.
 */
export class People {
  readonly #rows = new Map<string, Row>();
  #sessions = 0;
  #open = 0;

  get sessions(): number {
    return this.#sessions;
  }

  get openSessions(): number {
    return this.#open;
  }

  /** `null`: the row was deleted; what the user had done stays counted. */
  row(userId: string, state: UserState | null): void {
    const before = this.#rows.get(userId);
    const row: Row = {
      sessions: state?.lifetime.sessions ?? 0,
      openSinceMs: state?.session?.lastAppendedAtMs ?? null,
      waitsUntilMs: state?.matches.map((match) => match.dueMs) ?? [],
    };
    this.#sessions += Math.max(0, row.sessions - (before?.sessions ?? 0));
    this.#open += Number(row.openSinceMs !== null) - Number((before?.openSinceMs ?? null) !== null);
    if (state === null) this.#rows.delete(userId);
    else this.#rows.set(userId, row);
  }

  /** What falls due at or before `horizonMs`, and how much waits for longer: windows until they close, patterns until they decide. */
  waiting(horizonMs: number, gapMs: number): Waiting {
    const waiting = { sessions: 0, patterns: 0, later: 0 };
    for (const { openSinceMs, waitsUntilMs } of this.#rows.values()) {
      if (openSinceMs !== null) waiting[openSinceMs + gapMs <= horizonMs ? 'sessions' : 'later']++;
      for (const dueMs of waitsUntilMs) waiting[dueMs <= horizonMs ? 'patterns' : 'later']++;
    }
    return waiting;
  }
}

/** What the page shows of a row. Push addresses stay behind. */
export function personView(userId: string, state: UserState | null): PersonView {
  const name = state?.profile['firstName'];
  return {
    userId,
    name: typeof name === 'string' ? name : null,
    sessions: state?.lifetime.sessions ?? 0,
    session: state?.session
      ? { id: state.session.id, startMs: state.session.startMs, lastMs: state.session.lastMs, count: state.session.count }
      : null,
    waits: (state?.matches ?? []).map((match) => ({ journey: match.journey, dueMs: match.dueMs })),
    consent: Object.fromEntries(Object.entries(state?.consent ?? {}).map(([category, answer]) => [category, answer.state])),
    devices: (state?.devices ?? []).map((device) => ({
      deviceId: device.deviceId,
      kind: device.kind,
      permission: device.permission,
      reachable: device.unreachableAtMs === null,
    })),
  };
}
