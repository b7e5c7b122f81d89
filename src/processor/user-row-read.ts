import type { Moments } from '../core/moments.ts';
import type { Scalar } from '../core/event.ts';
import type { Consent, Device, LedgerEntry, Match, SessionSnapshot, SessionWindow, UserState } from '../core/state.ts';
import type { AttributeRow, ConsentRow, DeviceRow, EntryRow, LedgerRow, MatchRow, NumberRow, Ref, SessionRow } from './user-row.ts';
import { ID_BYTES, type TrackedKeyRow, type UserRow, type WindowRow } from './user-row.ts';

/** A row that is Avro of its schema, and still makes no sense. */
export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';
}

/** Reads a row as a state. In plain loops: this runs for every user that a batch touches and no cache holds. */
export function stateOf(row: UserRow, userId: string): UserState {
  const { strings } = row;
  return {
    userId,
    profile: attributes(row.profile, strings),
    devices: row.devices.map((device) => deviceOf(device, strings)),
    consent: consent(row.consent, strings),
    lifetime: {
      sessions: row.sessions,
      firstSeenAtMs: row.firstSeenAtMs,
      lastActivityAtMs: row.lastActivityAtMs,
      lastActivityAppendedAtMs: row.lastActivityAppendedAtMs,
    },
    session: row.session === null ? null : session(row.session, strings),
    lastEventMs: row.lastEventMs,
    recentEventIds: unpackedIds(row.recentEventIds),
    trackers: trackers(row.trackers, strings),
    matches: row.matches.map((match) => matchOf(match, strings)),
    ledger: row.ledger.map((entry) => ledgerEntryOf(entry, strings)),
    entries: entries(row.entries, strings),
    tidyAtMs: row.tidyAtMs,
  };
}

type Strings = readonly string[];

function text(strings: Strings, ref: Ref): string {
  const found = strings[ref];
  if (found === undefined) throw new DamagedRowError(`it refers to string ${ref} of ${strings.length}`);
  return found;
}

function maybe(strings: Strings, ref: Ref | null): string | null {
  return ref === null ? null : text(strings, ref);
}

/** Rows are keyed by what users send: `__proto__` must become a property like any other. */
function put<T>(record: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') Object.defineProperty(record, key, { value, enumerable: true, writable: true, configurable: true });
  else record[key] = value;
}

function attributes(rows: readonly AttributeRow[], strings: Strings): Readonly<Record<string, Scalar>> {
  const record: Record<string, Scalar> = {};
  for (const { name, value } of rows) put(record, text(strings, name), value);
  return record;
}

function numbers(rows: readonly NumberRow[], strings: Strings): Readonly<Record<string, number>> {
  const record: Record<string, number> = {};
  for (const { name, value } of rows) put(record, text(strings, name), value);
  return record;
}

function entries(rows: readonly EntryRow[], strings: Strings): UserState['entries'] {
  const record: Record<string, number> = {};
  for (const { name, atMs } of rows) put(record, text(strings, name), atMs);
  return record;
}

function consent(rows: readonly ConsentRow[], strings: Strings): UserState['consent'] {
  const record: Record<string, Consent> = {};
  for (const { name, state, atMs, reason } of rows) put(record, text(strings, name), { state, atMs, reason: maybe(strings, reason) });
  return record;
}

function deviceOf(row: DeviceRow, strings: Strings): Device {
  return {
    deviceId: text(strings, row.deviceId),
    kind: text(strings, row.kind),
    value: row.value,
    permission: row.permission,
    zone: maybe(strings, row.zone),
    locale: maybe(strings, row.locale),
    appVersion: maybe(strings, row.appVersion),
    registeredAtMs: row.registeredAtMs,
    lastSeenAtMs: row.lastSeenAtMs,
    unreachableAtMs: row.unreachableAtMs,
  };
}

function session({ topic, partition, offset, lastAppendedAtMs, closeTimerMs, window }: SessionRow, strings: Strings): SessionWindow {
  return {
    id: text(strings, window.id),
    opened: { topic: text(strings, topic), partition, offset },
    startMs: window.startMs,
    lastMs: window.lastMs,
    lastAppendedAtMs,
    count: window.count,
    counts: numbers(window.counts, strings),
    sums: numbers(window.sums, strings),
    closeTimerMs,
  };
}

function snapshot({ id, startMs, lastMs, count, counts, sums }: WindowRow, strings: Strings): SessionSnapshot {
  return { id: text(strings, id), startMs, lastMs, count, counts: numbers(counts, strings), sums: numbers(sums, strings) };
}

function trackers(rows: readonly TrackedKeyRow[], strings: Strings): UserState['trackers'] {
  const record: Record<string, Record<string, Moments>> = {};
  let current: Ref = -1;
  let lists: Record<string, Moments> = {};
  for (const { tracker, key, moments } of rows) {
    // The keys of one tracker stand together.
    if (tracker !== current) {
      current = tracker;
      lists = {};
      put(record, text(strings, tracker), lists);
    }
    put(lists, text(strings, key), summed(moments));
  }
  return record;
}

function summed(flat: readonly number[]): Moments {
  const moments: number[] = [];
  let atMs = 0;
  let offset = 0;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    atMs += flat[i]!;
    offset += flat[i + 1]!;
    moments.push(atMs, offset);
  }
  return moments;
}

function matchOf({ journey, key, occurrence, dueMs, trigger }: MatchRow, strings: Strings): Match {
  return {
    journey: text(strings, journey),
    key: text(strings, key),
    occurrence: text(strings, occurrence),
    trigger: {
      topic: text(strings, trigger.topic),
      partition: trigger.partition,
      offset: trigger.offset,
      eventId: text(strings, trigger.eventId),
      type: text(strings, trigger.type),
      occurredAtMs: trigger.occurredAtMs,
      appendedAtMs: trigger.appendedAtMs,
      properties: attributes(trigger.properties, strings),
      session: trigger.session === null ? null : snapshot(trigger.session, strings),
      traceParent: maybe(strings, trigger.traceParent),
    },
    dueMs,
  };
}

function ledgerEntryOf(row: LedgerRow, strings: Strings): LedgerEntry {
  const hex = row.commandId.toString('hex');
  return {
    commandId: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    journey: text(strings, row.journey),
    step: text(strings, row.step),
    key: text(strings, row.key),
    occurrence: text(strings, row.occurrence),
    class: text(strings, row.class),
    category: maybe(strings, row.category),
    channel: text(strings, row.channel),
    atMs: row.atMs,
    expiresAtMs: row.expiresAtMs,
    triggeredAtMs: row.triggeredAtMs,
    deviceIds: row.deviceIds.map((ref) => text(strings, ref)),
    outcome: row.outcome,
  };
}

function unpackedIds(packed: Buffer): readonly number[] {
  const ids: number[] = [];
  for (let at = 0; at + ID_BYTES <= packed.length; at += ID_BYTES) {
    const high = (packed[at]! << 16) | (packed[at + 1]! << 8) | packed[at + 2]!;
    const low = (packed[at + 3]! << 24) | (packed[at + 4]! << 16) | (packed[at + 5]! << 8) | packed[at + 6]!;
    ids.push(high * 2 ** 32 + (low >>> 0));
  }
  return ids;
}
