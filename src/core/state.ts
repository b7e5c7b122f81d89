import type { Moments } from './moments.ts';
import type { Position, Properties, Scalar } from './event.ts';

/**
 * All that is kept for one user. Immutable: a step returns a new one and shares what did not change, so that the task can
 * roll a record back by keeping the reference it had. Everything is bounded by a cap or a time; lasting facts (profile,
 * devices, consent, once-marks, lifetime counts) are small. All times are milliseconds since the epoch.
 */
export interface UserState {
  readonly userId: string;
  readonly profile: Readonly<Record<string, Scalar>>;
  readonly devices: readonly Device[];
  /** By category, or `category/channel` (the narrower wins). */
  readonly consent: Readonly<Record<string, Consent>>;
  readonly lifetime: Lifetime;
  /** The open session window; null once a tick has closed it. */
  readonly session: SessionWindow | null;
  /** `now` of the latest event of any kind; 0 before the first. The ring of ids is forgotten `maxEventAge` after it. */
  readonly lastEventMs: number;
  /** 52-bit hashes of the latest event ids, oldest first, at most `limits.recentEventIds`. */
  readonly recentEventIds: readonly number[];
  /** Last moments of negated and cancelling events: tracker id -> correlation key ('' = per user) -> when. */
  readonly trackers: Readonly<Record<string, Readonly<Record<string, Moments>>>>;
  /** Numbers over the lifetime: tally id -> correlation key ('' = per user) -> a count and when it was counted last, or first and last days of streaks. Lasting. */
  readonly tallies: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** Patterns and runs that wait; each carries its deadline. */
  readonly matches: readonly Match[];
  /** What was sent (or reserved), newest last: caps, dedup, revocations. */
  readonly ledger: readonly LedgerEntry[];
  /** Journey, or `journey/key` -> when it was last entered (re-entry), or in which session. */
  readonly entries: Readonly<Record<string, number>>;
  /** When to look for what has expired in a user who never returns; null where nothing expires. */
  readonly tidyAtMs: number | null;
}

export interface Device {
  readonly deviceId: string;
  /** The channel that reaches it: `fcm`, `webpush`. */
  readonly kind: string;
  /** Token, or the subscription as JSON. A credential: never logged. */
  readonly value: string;
  readonly permission: 'granted' | 'denied' | 'unknown';
  readonly zone: string | null;
  readonly locale: string | null;
  readonly appVersion: string | null;
  readonly registeredAtMs: number;
  readonly lastSeenAtMs: number;
  readonly unreachableAtMs: number | null;
}

export interface Consent {
  readonly state: 'in' | 'out';
  readonly atMs: number;
  readonly reason: string | null;
}

export interface Lifetime {
  readonly sessions: number;
  readonly firstSeenAtMs: number | null;
  /** Event time of the last activity. */
  readonly lastActivityAtMs: number | null;
  /** Append time of the last activity: "nothing for 90 s" counts from here. */
  readonly lastActivityAppendedAtMs: number | null;
}

/** A session in event time. Its id is its opening event's id, which also is the occurrence of journeys on its end. */
export interface SessionWindow {
  readonly id: string;
  readonly opened: Position;
  readonly startMs: number;
  readonly lastMs: number;
  /** Append time of its last event. */
  readonly lastAppendedAtMs: number;
  readonly count: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, number>>;
  /** When its timer looks next; at or before `lastMs + gap`. Left in place while events extend the session: one index write per gap, not per event. */
  readonly closeTimerMs: number;
}

/** What a journey remembers of the moment it was triggered. `properties` holds only those that the journey reads. */
export interface Trigger extends Position {
  readonly eventId: string;
  readonly type: string;
  readonly occurredAtMs: number;
  readonly appendedAtMs: number;
  readonly properties: Properties;
  /** The session as it was at the trigger, trigger included; null where the journey does not read it or there is none. */
  readonly session: SessionSnapshot | null;
  readonly traceParent: string | null;
}

export interface SessionSnapshot {
  readonly id: string;
  readonly startMs: number;
  readonly lastMs: number;
  readonly count: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, number>>;
}

/** A pattern that waits to come true, or a run of its journey that waits at a step. */
export interface Match {
  readonly journey: string;
  /** The correlation key's value; '' where the journey is per user. */
  readonly key: string;
  /** Trigger event id, or the session's opening event id. */
  readonly occurrence: string;
  readonly trigger: Trigger;
  /** Its deadline; for a silence, when its timer looks next: at or before the deadline, which each new trigger moves on. */
  readonly dueMs: number;
  /** The wait step where the run stands; null while its pattern has not come true. */
  readonly wait: Wait | null;
}

export interface Wait {
  readonly step: string;
  /** Events behind this moment end the wait: (event time, offset). An offset of -1 is before all of that time. */
  readonly sinceMs: number;
  readonly sinceOffset: number;
  /** It has sent a message: re-entry is not asked again. */
  readonly entered: boolean;
  /** The number of the topology (`Program.version`) with which the run began. */
  readonly version: number;
}

export interface LedgerEntry {
  readonly commandId: string;
  readonly journey: string;
  readonly step: string;
  readonly key: string;
  readonly occurrence: string;
  readonly class: string;
  readonly category: string | null;
  readonly channel: string;
  /** `now` of the decision. */
  readonly atMs: number;
  readonly expiresAtMs: number;
  /** From here on, in event time, a goal or a suppressor would have cancelled it. */
  readonly triggeredAtMs: number;
  readonly deviceIds: readonly string[];
  /** `open` until the sender's final outcome; `released` entries (terminal failure) no longer count towards caps. */
  readonly outcome: 'open' | 'accepted' | 'released' | 'revoked';
}

/** A timer is derived from the state: the index of timers can be rebuilt from user rows alone. */
export interface Timer {
  readonly dueMs: number;
  readonly id: string;
}
