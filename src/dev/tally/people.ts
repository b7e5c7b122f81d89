import type { UserState } from '../../core/state.ts';
import type { PersonView } from './view.ts';

/** What of every user's changelog row is counted. Grows with the users, by little: a number and what is open. */
interface Row {
  readonly sessions: number;
  readonly open: boolean;
  readonly waitsUntilMs: readonly number[];
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
      open: (state?.session ?? null) !== null,
      waitsUntilMs: state?.matches.map((match) => match.dueMs) ?? [],
    };
    this.#sessions += Math.max(0, row.sessions - (before?.sessions ?? 0));
    this.#open += Number(row.open) - Number(before?.open ?? false);
    if (state === null) this.#rows.delete(userId);
    else this.#rows.set(userId, row);
  }

  /** Patterns that decide at or before `horizonMs`, and those that wait for longer. */
  waiting(horizonMs: number): { readonly soon: number; readonly later: number; readonly nextDueMs: number | null } {
    let soon = 0;
    let later = 0;
    let nextDueMs: number | null = null;
    for (const { waitsUntilMs } of this.#rows.values())
      for (const dueMs of waitsUntilMs) {
        if (dueMs <= horizonMs) soon++;
        else later++;
        if (nextDueMs === null || dueMs < nextDueMs) nextDueMs = dueMs;
      }
    return { soon, later, nextDueMs };
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
