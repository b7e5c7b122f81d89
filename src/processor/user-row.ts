import type { Scalar } from '../core/event.ts';

/** The shape of `schemas/user-state/v1.avsc` in memory. A `Ref` is the index of a string in `strings`. */
export type Ref = number;

/** Bytes of one event id's hash in `recentEventIds`. */
export const ID_BYTES = 7;

export interface AttributeRow {
  readonly name: Ref;
  readonly value: Scalar;
}

export interface NumberRow {
  readonly name: Ref;
  readonly value: number;
}

export interface WindowRow {
  readonly id: Ref;
  readonly startMs: number;
  readonly lastMs: number;
  readonly count: number;
  readonly counts: readonly NumberRow[];
  readonly sums: readonly NumberRow[];
}

export interface SessionRow {
  readonly topic: Ref;
  readonly partition: number;
  readonly offset: number;
  readonly lastAppendedAtMs: number;
  readonly closeTimerMs: number;
  readonly window: WindowRow;
}

export interface DeviceRow {
  readonly deviceId: Ref;
  readonly kind: Ref;
  readonly value: string;
  readonly permission: 'granted' | 'denied' | 'unknown';
  readonly zone: Ref | null;
  readonly locale: Ref | null;
  readonly appVersion: Ref | null;
  readonly registeredAtMs: number;
  readonly lastSeenAtMs: number;
  readonly unreachableAtMs: number | null;
}

export interface ConsentRow {
  readonly name: Ref;
  readonly state: 'in' | 'out';
  readonly atMs: number;
  readonly reason: Ref | null;
}

export interface TrackedKeyRow {
  readonly tracker: Ref;
  readonly key: Ref;
  readonly moments: readonly number[];
}

export interface TriggerRow {
  readonly topic: Ref;
  readonly partition: number;
  readonly offset: number;
  readonly eventId: Ref;
  readonly type: Ref;
  readonly occurredAtMs: number;
  readonly appendedAtMs: number;
  readonly properties: readonly AttributeRow[];
  readonly session: WindowRow | null;
  readonly traceParent: Ref | null;
}

export interface MatchRow {
  readonly journey: Ref;
  readonly key: Ref;
  readonly occurrence: Ref;
  readonly dueMs: number;
  readonly trigger: TriggerRow;
}

export interface LedgerRow {
  readonly commandId: Buffer;
  readonly journey: Ref;
  readonly step: Ref;
  readonly key: Ref;
  readonly occurrence: Ref;
  readonly class: Ref;
  readonly category: Ref | null;
  readonly channel: Ref;
  readonly atMs: number;
  readonly expiresAtMs: number;
  readonly triggeredAtMs: number;
  readonly deviceIds: readonly Ref[];
  readonly outcome: 'open' | 'accepted' | 'released' | 'revoked';
}

export interface EntryRow {
  readonly name: Ref;
  readonly atMs: number;
}

export interface UserRow {
  readonly strings: readonly string[];
  readonly profile: readonly AttributeRow[];
  readonly devices: readonly DeviceRow[];
  readonly consent: readonly ConsentRow[];
  readonly sessions: number;
  readonly firstSeenAtMs: number | null;
  readonly lastActivityAtMs: number | null;
  readonly lastActivityAppendedAtMs: number | null;
  readonly session: SessionRow | null;
  readonly lastEventMs: number;
  readonly recentEventIds: Buffer;
  readonly trackers: readonly TrackedKeyRow[];
  readonly matches: readonly MatchRow[];
  readonly ledger: readonly LedgerRow[];
  readonly entries: readonly EntryRow[];
  readonly tidyAtMs: number | null;
}
