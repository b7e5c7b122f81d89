import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseType } from '../avro/types.ts';
import type { Properties, Scalar } from '../core/event.ts';
import type { LedgerEntry, Match, Moment, SessionSnapshot, SessionWindow, UserState } from '../core/state.ts';
import type { AttributeRow, LedgerRow, MatchRow, NumberRow, Ref, SessionRow, TrackedKeyRow, UserRow, WindowRow } from './user-state-row.ts';

/**
 * A user's row: a version byte, then Avro (`schemas/user-state/v<version>.avsc`). All older versions stay readable; the newest is written. The user's id is the
 * row's key and not in its value.
 */
const VERSION = 1;
const ID_BYTES = 7;
const HIGH = 2 ** 32;

const schemaFile = path.join(import.meta.dirname, '../../schemas/user-state/v1.avsc');
const v1 = parseType(readFileSync(schemaFile, 'utf8'));

/** A row that this Lull cannot read: written by a newer one, or not a row. */
export class UserStateFormatError extends Error {
  override readonly name = 'UserStateFormatError';
}

let scratch = Buffer.allocUnsafe(64 * 1024);

export function encodeUserState(state: UserState): Buffer {
  const row = rowOf(state);
  scratch[0] = VERSION;
  let end = v1.encode(row, scratch, 1);
  if (end < 0) {
    // avsc answers with how many bytes were missing.
    scratch = Buffer.allocUnsafe(2 * (scratch.length - end));
    scratch[0] = VERSION;
    end = v1.encode(row, scratch, 1);
  }
  return Buffer.from(scratch.subarray(0, end));
}

/** @throws UserStateFormatError where the version is unknown, or the bytes are cut or damaged */
export function decodeUserState(bytes: Buffer, userId: string): UserState {
  const version = bytes[0];
  if (version !== VERSION)
    throw new UserStateFormatError(
      version === undefined
        ? 'a user state of 0 bytes: the state topic holds something else'
        : `a user state of version ${version}, this Lull reads ${VERSION}: run the version that wrote it, or a newer one`,
    );
  return stateOf(rowIn(bytes), userId);
}

function rowIn(bytes: Buffer): UserRow {
  let read: { value: UserRow | undefined; offset: number };
  try {
    read = v1.decode(bytes, 1);
  } catch (cause) {
    throw new UserStateFormatError(`a user state of ${bytes.length} bytes that is not Avro of its version: it is damaged`, { cause });
  }
  if (read.value === undefined || read.offset !== bytes.length)
    throw new UserStateFormatError(`a user state of ${bytes.length} bytes that does not end where its content does: it is cut or damaged`);
  return read.value;
}

/** Gives each string its index; one row's strings. */
class Strings {
  readonly all: string[] = [];
  readonly #refs = new Map<string, Ref>();

  ref = (text: string): Ref => {
    const known = this.#refs.get(text);
    if (known !== undefined) return known;
    const ref = this.all.push(text) - 1;
    this.#refs.set(text, ref);
    return ref;
  };

  maybe = (text: string | null): Ref | null => (text === null ? null : this.ref(text));
}

function rowOf(state: UserState): UserRow {
  const strings = new Strings();
  const { ref, maybe } = strings;
  const trackers: TrackedKeyRow[] = [];
  for (const tracker in state.trackers) {
    const lists = state.trackers[tracker]!;
    for (const key of Object.keys(lists)) trackers.push({ tracker: ref(tracker), key: ref(key), moments: flatMoments(lists[key]!) });
  }
  return {
    profile: attributeRows(state.profile, strings),
    devices: state.devices.map((d) => ({
      ...d,
      deviceId: ref(d.deviceId),
      kind: ref(d.kind),
      zone: maybe(d.zone),
      locale: maybe(d.locale),
      appVersion: maybe(d.appVersion),
    })),
    consent: Object.entries(state.consent).map(([name, c]) => ({ name: ref(name), state: c.state, atMs: c.atMs, reason: maybe(c.reason) })),
    ...state.lifetime,
    session: state.session === null ? null : sessionRow(state.session, strings),
    lastEventMs: state.lastEventMs,
    recentEventIds: packIds(state.recentEventIds),
    trackers,
    matches: state.matches.map((match) => matchRow(match, strings)),
    ledger: state.ledger.map((entry) => ledgerRow(entry, strings)),
    entries: Object.entries(state.entries).map(([name, atMs]) => ({ name: ref(name), atMs })),
    tidyAtMs: state.tidyAtMs,
    // Last: the rest has filled it.
    strings: strings.all,
  };
}

function stateOf(row: UserRow, userId: string): UserState {
  const at = (ref: Ref): string => stringAt(row.strings, ref);
  const maybe = (ref: Ref | null): string | null => (ref === null ? null : at(ref));
  return {
    userId,
    profile: attributesOf(row.profile, at),
    devices: row.devices.map((d) => ({
      ...d,
      deviceId: at(d.deviceId),
      kind: at(d.kind),
      zone: maybe(d.zone),
      locale: maybe(d.locale),
      appVersion: maybe(d.appVersion),
    })),
    consent: Object.fromEntries(row.consent.map((c) => [at(c.name), { state: c.state, atMs: c.atMs, reason: maybe(c.reason) }])),
    lifetime: {
      sessions: row.sessions,
      firstSeenAtMs: row.firstSeenAtMs,
      lastActivityAtMs: row.lastActivityAtMs,
      lastActivityAppendedAtMs: row.lastActivityAppendedAtMs,
    },
    session: row.session === null ? null : sessionOf(row.session, at),
    lastEventMs: row.lastEventMs,
    recentEventIds: unpackIds(row.recentEventIds),
    trackers: trackersOf(row.trackers, at),
    matches: row.matches.map(({ journey, key, occurrence, dueMs, trigger: t }): Match => ({
      journey: at(journey),
      key: at(key),
      occurrence: at(occurrence),
      trigger: {
        topic: at(t.topic),
        partition: t.partition,
        offset: t.offset,
        eventId: at(t.eventId),
        type: at(t.type),
        occurredAtMs: t.occurredAtMs,
        appendedAtMs: t.appendedAtMs,
        properties: attributesOf(t.properties, at),
        session: t.session === null ? null : snapshotOf(t.session, at),
        traceParent: maybe(t.traceParent),
      },
      dueMs,
    })),
    ledger: row.ledger.map((e): LedgerEntry => ({
      commandId: uuidOf(e.commandId),
      journey: at(e.journey),
      step: at(e.step),
      key: at(e.key),
      occurrence: at(e.occurrence),
      class: at(e.class),
      category: maybe(e.category),
      channel: at(e.channel),
      atMs: e.atMs,
      expiresAtMs: e.expiresAtMs,
      triggeredAtMs: e.triggeredAtMs,
      deviceIds: e.deviceIds.map(at),
      outcome: e.outcome,
    })),
    entries: Object.fromEntries(row.entries.map((entry) => [at(entry.name), entry.atMs])),
    tidyAtMs: row.tidyAtMs,
  };
}

function stringAt(strings: readonly string[], ref: Ref): string {
  const text = strings[ref];
  if (text === undefined) throw new UserStateFormatError(`a user state that refers to string ${ref} of ${strings.length}: it is damaged`);
  return text;
}

type At = (ref: Ref) => string;

function attributeRows(properties: Properties, { ref }: Strings): AttributeRow[] {
  return Object.entries(properties).map(([name, value]) => ({ name: ref(name), value }));
}

function attributesOf(rows: readonly AttributeRow[], at: At): Readonly<Record<string, Scalar>> {
  return Object.fromEntries(rows.map(({ name, value }) => [at(name), value]));
}

function numberRows(numbers: Readonly<Record<string, number>>, { ref }: Strings): NumberRow[] {
  return Object.entries(numbers).map(([name, value]) => ({ name: ref(name), value }));
}

function numbersOf(rows: readonly NumberRow[], at: At): Readonly<Record<string, number>> {
  return Object.fromEntries(rows.map(({ name, value }) => [at(name), value]));
}

function windowRow(window: SessionSnapshot, strings: Strings): WindowRow {
  const { id, startMs, lastMs, count, counts, sums } = window;
  return { id: strings.ref(id), startMs, lastMs, count, counts: numberRows(counts, strings), sums: numberRows(sums, strings) };
}

function snapshotOf({ id, startMs, lastMs, count, counts, sums }: WindowRow, at: At): SessionSnapshot {
  return { id: at(id), startMs, lastMs, count, counts: numbersOf(counts, at), sums: numbersOf(sums, at) };
}

function sessionRow(session: SessionWindow, strings: Strings): SessionRow {
  const { opened, lastAppendedAtMs, closeTimerMs } = session;
  const { topic, partition, offset } = opened;
  return { topic: strings.ref(topic), partition, offset, lastAppendedAtMs, closeTimerMs, window: windowRow(session, strings) };
}

function sessionOf({ topic, partition, offset, lastAppendedAtMs, closeTimerMs, window }: SessionRow, at: At): SessionWindow {
  const { id, startMs, lastMs, count, counts, sums } = snapshotOf(window, at);
  return { id, opened: { topic: at(topic), partition, offset }, startMs, lastMs, lastAppendedAtMs, count, counts, sums, closeTimerMs };
}

function matchRow({ journey, key, occurrence, trigger, dueMs }: Match, strings: Strings): MatchRow {
  const { ref } = strings;
  return {
    journey: ref(journey),
    key: ref(key),
    occurrence: ref(occurrence),
    dueMs,
    trigger: {
      topic: ref(trigger.topic),
      partition: trigger.partition,
      offset: trigger.offset,
      eventId: ref(trigger.eventId),
      type: ref(trigger.type),
      occurredAtMs: trigger.occurredAtMs,
      appendedAtMs: trigger.appendedAtMs,
      properties: attributeRows(trigger.properties, strings),
      session: trigger.session === null ? null : windowRow(trigger.session, strings),
      traceParent: strings.maybe(trigger.traceParent),
    },
  };
}

function ledgerRow(entry: LedgerEntry, { ref, maybe }: Strings): LedgerRow {
  return {
    commandId: Buffer.from(entry.commandId.replaceAll('-', ''), 'hex'),
    journey: ref(entry.journey),
    step: ref(entry.step),
    key: ref(entry.key),
    occurrence: ref(entry.occurrence),
    class: ref(entry.class),
    category: maybe(entry.category),
    channel: ref(entry.channel),
    atMs: entry.atMs,
    expiresAtMs: entry.expiresAtMs,
    triggeredAtMs: entry.triggeredAtMs,
    deviceIds: entry.deviceIds.map(ref),
    outcome: entry.outcome,
  };
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function flatMoments(moments: readonly Moment[]): number[] {
  const flat: number[] = [];
  let before: Moment = { atMs: 0, offset: 0 };
  for (const moment of moments) {
    flat.push(moment.atMs - before.atMs, moment.offset - before.offset);
    before = moment;
  }
  return flat;
}

function trackersOf(rows: readonly TrackedKeyRow[], at: At): UserState['trackers'] {
  const byTracker = new Map<string, [string, readonly Moment[]][]>();
  for (const { tracker, key, moments: flat } of rows) {
    const moments: Moment[] = [];
    let atMs = 0;
    let offset = 0;
    for (let i = 0; i + 1 < flat.length; i += 2) {
      atMs += flat[i]!;
      offset += flat[i + 1]!;
      moments.push({ atMs, offset });
    }
    const id = at(tracker);
    const lists = byTracker.get(id);
    if (lists === undefined) byTracker.set(id, [[at(key), moments]]);
    else lists.push([at(key), moments]);
  }
  return Object.fromEntries([...byTracker].map(([id, lists]) => [id, Object.fromEntries(lists)]));
}

function packIds(ids: readonly number[]): Buffer {
  const packed = Buffer.allocUnsafe(ids.length * ID_BYTES);
  ids.forEach((id, i) => {
    packed.writeUIntBE(Math.floor(id / HIGH), i * ID_BYTES, 3);
    packed.writeUInt32BE(id % HIGH, i * ID_BYTES + 3);
  });
  return packed;
}

function unpackIds(packed: Buffer): readonly number[] {
  const ids: number[] = [];
  for (let at = 0; at + ID_BYTES <= packed.length; at += ID_BYTES) ids.push(packed.readUIntBE(at, 3) * HIGH + packed.readUInt32BE(at + 3));
  return ids;
}
