import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseType } from '../../src/avro/types.ts';
import type { Scalar } from '../../src/core/event.ts';
import type { Consent, Device, LedgerEntry, SessionSnapshot, UserState } from '../../src/core/state.ts';

/** The published schemas, as avsc compiles them. */
export const rowType = typeOf(4);
const olderTypes = { 2: typeOf(2), 3: typeOf(3) } as const;

function typeOf(version: number): ReturnType<typeof parseType> {
  return parseType(readFileSync(path.join(import.meta.dirname, `../../schemas/user-state/v${version}.avsc`), 'utf8'));
}

/** The row as an older Lull wrote it: what that version does not have is not in it. */
export function asVersion(version: keyof typeof olderTypes, bytes: Buffer): Buffer {
  const row = rowType.decode(bytes, 1).value as Row;
  return Buffer.concat([Buffer.of(version), olderTypes[version].toBuffer(row)]);
}

/**
 * A row as avsc reads it, and a state as the schema's text says: what the reader and the writer of the processor are held to. Plain and slow, with fields in the
 * schema's order wherever a chain of differences goes through them. Throws where avsc does not read the row, or an index leads nowhere.
 */
export function stateByAvsc(bytes: Buffer, userId: string): UserState {
  const decoded: { readonly value: Row | undefined; readonly offset: number } = rowType.decode(bytes, 1);
  const row = decoded.value;
  if (row === undefined || decoded.offset !== bytes.length) throw new Error('not one row');
  const at = (table: readonly string[], ref: number): string => {
    const text = table[ref];
    if (text === undefined) throw new Error(`no string ${ref}`);
    return text;
  };
  const name = (ref: number): string => at(row.names, ref);
  const id = (ref: number): string => at(row.ids, ref);
  const maybe = <T, R>(value: T | null, read: (value: T) => R): R | null => (value === null ? null : read(value));
  const chain = (): ((difference: number) => number) => {
    let sum = 0;
    return (difference) => {
      sum += difference;
      if (!Number.isSafeInteger(sum)) throw new Error('a sum over 2^53');
      return sum;
    };
  };
  const time = chain();
  const offset = chain();
  const byName = <T extends { readonly name: number }, R>(items: readonly T[], read: (item: T) => R): Record<string, R> =>
    Object.fromEntries(items.map((item) => [name(item.name), read(item)]));
  const window = (w: WindowRow): SessionSnapshot => {
    const [lastMs, startMs] = [time(w.lastMs), time(w.startMs)];
    const [counts, sums] = [byName(w.counts, (count) => count.value), byName(w.sums, (sum) => sum.value)];
    return { id: id(w.id), startMs, lastMs, count: w.count, counts, sums };
  };

  const lastEventMs = time(row.lastEventMs);
  const lastActivityAtMs = maybe(row.lastActivityAtMs, time);
  const lastActivityAppendedAtMs = maybe(row.lastActivityAppendedAtMs, time);
  const firstSeenAtMs = maybe(row.firstSeenAtMs, time);
  const tidyAtMs = maybe(row.tidyAtMs, time);
  return {
    userId,
    lifetime: { sessions: row.sessions, firstSeenAtMs, lastActivityAtMs, lastActivityAppendedAtMs },
    lastEventMs,
    tidyAtMs,
    session: maybe(row.session, (s) => {
      const opened = { topic: name(s.topic), partition: s.partition, offset: offset(s.offset) };
      const lastAppendedAtMs = time(s.lastAppendedAtMs);
      return { ...window(s.window), opened, lastAppendedAtMs, closeTimerMs: time(s.closeTimerMs) };
    }),
    matches: row.matches.map(({ journey, key, occurrence, trigger: t, dueMs, wait }) => ({
      ...{ journey: name(journey), key: id(key), occurrence: id(occurrence) },
      trigger: {
        ...{ topic: name(t.topic), partition: t.partition, offset: offset(t.offset), eventId: id(t.eventId), type: name(t.type) },
        ...{ occurredAtMs: time(t.occurredAtMs), appendedAtMs: time(t.appendedAtMs) },
        properties: byName(t.properties, ({ value }) => value),
        session: maybe(t.session, window),
        traceParent: maybe(t.traceParent, id),
      },
      dueMs: time(dueMs),
      wait: maybe(wait, ({ step, sinceMs, sinceOffset, entered, version }) => ({
        step: name(step),
        sinceMs: time(sinceMs),
        sinceOffset: offset(sinceOffset),
        entered,
        version,
      })),
    })),
    recentEventIds: hashes(row.recentEventIds),
    trackers: Object.fromEntries(
      row.trackers.map((tracker) => [
        name(tracker.id),
        Object.fromEntries(
          tracker.keys.map(({ key, moments }) => {
            if (moments.length % 2 !== 0) throw new Error('half a moment');
            return [id(key), moments.map((difference, i) => (i % 2 === 0 ? time(difference) : offset(difference)))];
          }),
        ),
      ]),
    ),
    ledger: row.ledger.map((e) => ({
      commandId: uuid(e.commandId),
      ...{ journey: name(e.journey), step: name(e.step), key: id(e.key), occurrence: id(e.occurrence), class: name(e.class) },
      ...{ category: maybe(e.category, name), channel: name(e.channel) },
      ...{ atMs: time(e.atMs), expiresAtMs: time(e.expiresAtMs), triggeredAtMs: time(e.triggeredAtMs) },
      ...{ deviceIds: e.deviceIds.map(id), outcome: e.outcome },
    })),
    entries: Object.fromEntries(row.entries.map((entry) => [id(entry.name), time(entry.atMs)])),
    profile: byName(row.profile, ({ value }) => value),
    devices: row.devices.map((d) => ({
      ...{ deviceId: id(d.deviceId), kind: name(d.kind), value: d.value, permission: d.permission },
      ...{ zone: maybe(d.zone, name), locale: maybe(d.locale, name), appVersion: maybe(d.appVersion, name) },
      ...{ registeredAtMs: time(d.registeredAtMs), lastSeenAtMs: time(d.lastSeenAtMs), unreachableAtMs: maybe(d.unreachableAtMs, time) },
    })),
    consent: byName(row.consent, ({ state, atMs, reason }) => ({ state, atMs: time(atMs), reason: maybe(reason, id) })),
    tallies: Object.fromEntries(
      row.tallies.map((tally) => [name(tally.id), Object.fromEntries(tally.keys.map(({ key, numbers }) => [id(key), numbers]))]),
    ),
  };
}

function hashes(packed: Buffer): number[] {
  if (packed.length % 7 !== 0) throw new Error('half a hash');
  return Array.from({ length: packed.length / 7 }, (_, i) => {
    const hash = Number(BigInt(`0x${packed.toString('hex', 7 * i, 7 * i + 7)}`));
    if (!Number.isSafeInteger(hash)) throw new Error('a hash over 2^53');
    return hash;
  });
}

function uuid(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

interface Named<T> {
  readonly name: number;
  readonly value: T;
}

interface WindowRow {
  readonly id: number;
  readonly lastMs: number;
  readonly startMs: number;
  readonly count: number;
  readonly counts: readonly Named<number>[];
  readonly sums: readonly Named<number>[];
}

interface TriggerRow {
  readonly topic: number;
  readonly partition: number;
  readonly offset: number;
  readonly eventId: number;
  readonly type: number;
  readonly occurredAtMs: number;
  readonly appendedAtMs: number;
  readonly properties: readonly Named<Scalar>[];
  readonly session: WindowRow | null;
  readonly traceParent: number | null;
}

type Refs<T, K extends keyof T> = { readonly [P in keyof T]: P extends K ? number | Extract<T[P], null> : T[P] };

interface Row {
  readonly names: readonly string[];
  readonly ids: readonly string[];
  readonly lastEventMs: number;
  readonly sessions: number;
  readonly lastActivityAtMs: number | null;
  readonly lastActivityAppendedAtMs: number | null;
  readonly firstSeenAtMs: number | null;
  readonly tidyAtMs: number | null;
  readonly session: {
    readonly topic: number;
    readonly partition: number;
    readonly offset: number;
    readonly lastAppendedAtMs: number;
    readonly window: WindowRow;
    readonly closeTimerMs: number;
  } | null;
  readonly matches: readonly {
    readonly journey: number;
    readonly key: number;
    readonly occurrence: number;
    readonly trigger: TriggerRow;
    readonly dueMs: number;
    readonly wait: {
      readonly step: number;
      readonly sinceMs: number;
      readonly sinceOffset: number;
      readonly entered: boolean;
      readonly version: number;
    } | null;
  }[];
  readonly recentEventIds: Buffer;
  readonly tallies: readonly {
    readonly id: number;
    readonly keys: readonly { readonly key: number; readonly numbers: readonly number[] }[];
  }[];
  readonly trackers: readonly {
    readonly id: number;
    readonly keys: readonly { readonly key: number; readonly moments: readonly number[] }[];
  }[];
  readonly ledger: readonly (Refs<
    Omit<LedgerEntry, 'commandId' | 'deviceIds'>,
    'journey' | 'step' | 'key' | 'occurrence' | 'class' | 'category' | 'channel'
  > & { readonly commandId: Buffer; readonly deviceIds: readonly number[] })[];
  readonly entries: readonly { readonly name: number; readonly atMs: number }[];
  readonly profile: readonly Named<Scalar>[];
  readonly devices: readonly Refs<Device, 'deviceId' | 'kind' | 'zone' | 'locale' | 'appVersion'>[];
  readonly consent: readonly (Refs<Consent, 'reason'> & { readonly name: number })[];
}
