import type { Properties } from '../core/event.ts';
import type { Moments } from '../core/moments.ts';
import type { LedgerEntry, Match, SessionSnapshot, SessionWindow, UserState } from '../core/state.ts';
import type { AttributeRow, ConsentRow, DeviceRow, EntryRow, LedgerRow, MatchRow, NumberRow, Ref, SessionRow } from './user-row.ts';
import { ID_BYTES, type TrackedKeyRow, type UserRow, type WindowRow } from './user-row.ts';

/** Writes a state as a row. In plain loops: this runs for every changed user of every batch. */
export function rowOf(state: UserState): UserRow {
  const strings = new Strings();
  return {
    profile: attributes(state.profile, strings),
    devices: state.devices.map((device): DeviceRow => ({
      ...device,
      deviceId: strings.ref(device.deviceId),
      kind: strings.ref(device.kind),
      zone: strings.maybe(device.zone),
      locale: strings.maybe(device.locale),
      appVersion: strings.maybe(device.appVersion),
    })),
    consent: consent(state.consent, strings),
    sessions: state.lifetime.sessions,
    firstSeenAtMs: state.lifetime.firstSeenAtMs,
    lastActivityAtMs: state.lifetime.lastActivityAtMs,
    lastActivityAppendedAtMs: state.lifetime.lastActivityAppendedAtMs,
    session: state.session === null ? null : session(state.session, strings),
    lastEventMs: state.lastEventMs,
    recentEventIds: packedIds(state.recentEventIds),
    trackers: trackers(state.trackers, strings),
    matches: state.matches.map((match) => matchRow(match, strings)),
    ledger: state.ledger.map((entry) => ledgerRow(entry, strings)),
    entries: entries(state.entries, strings),
    tidyAtMs: state.tidyAtMs,
    // Last: everything before has filled it.
    strings: strings.all,
  };
}

/** Gives each string of one row its index. */
class Strings {
  readonly all: string[] = [];
  readonly #refs = new Map<string, Ref>();

  ref(text: string): Ref {
    const known = this.#refs.get(text);
    if (known !== undefined) return known;
    const ref = this.all.length;
    this.all.push(text);
    this.#refs.set(text, ref);
    return ref;
  }

  maybe(text: string | null): Ref | null {
    return text === null ? null : this.ref(text);
  }
}

function attributes(properties: Properties, strings: Strings): AttributeRow[] {
  const rows: AttributeRow[] = [];
  for (const name of Object.keys(properties)) rows.push({ name: strings.ref(name), value: properties[name]! });
  return rows;
}

function numbers(record: Readonly<Record<string, number>>, strings: Strings): NumberRow[] {
  const rows: NumberRow[] = [];
  for (const name of Object.keys(record)) rows.push({ name: strings.ref(name), value: record[name]! });
  return rows;
}

function entries(record: UserState['entries'], strings: Strings): EntryRow[] {
  const rows: EntryRow[] = [];
  for (const name of Object.keys(record)) rows.push({ name: strings.ref(name), atMs: record[name]! });
  return rows;
}

function consent(record: UserState['consent'], strings: Strings): ConsentRow[] {
  const rows: ConsentRow[] = [];
  for (const name of Object.keys(record)) {
    const { state, atMs, reason } = record[name]!;
    rows.push({ name: strings.ref(name), state, atMs, reason: strings.maybe(reason) });
  }
  return rows;
}

function session(window: SessionWindow, strings: Strings): SessionRow {
  const { opened, lastAppendedAtMs, closeTimerMs } = window;
  const { topic, partition, offset } = opened;
  return { topic: strings.ref(topic), partition, offset, lastAppendedAtMs, closeTimerMs, window: windowRow(window, strings) };
}

function windowRow({ id, startMs, lastMs, count, counts, sums }: SessionSnapshot, strings: Strings): WindowRow {
  return { id: strings.ref(id), startMs, lastMs, count, counts: numbers(counts, strings), sums: numbers(sums, strings) };
}

function trackers(record: UserState['trackers'], strings: Strings): TrackedKeyRow[] {
  const rows: TrackedKeyRow[] = [];
  for (const id of Object.keys(record)) {
    const tracker = strings.ref(id);
    const lists = record[id]!;
    for (const key of Object.keys(lists)) rows.push({ tracker, key: strings.ref(key), moments: differences(lists[key]!) });
  }
  return rows;
}

function differences(moments: Moments): number[] {
  const flat: number[] = [];
  let atMs = 0;
  let offset = 0;
  for (let i = 0; i < moments.length; i += 2) {
    flat.push(moments[i]! - atMs, moments[i + 1]! - offset);
    atMs = moments[i]!;
    offset = moments[i + 1]!;
  }
  return flat;
}

function matchRow({ journey, key, occurrence, trigger, dueMs }: Match, strings: Strings): MatchRow {
  return {
    journey: strings.ref(journey),
    key: strings.ref(key),
    occurrence: strings.ref(occurrence),
    dueMs,
    trigger: {
      topic: strings.ref(trigger.topic),
      partition: trigger.partition,
      offset: trigger.offset,
      eventId: strings.ref(trigger.eventId),
      type: strings.ref(trigger.type),
      occurredAtMs: trigger.occurredAtMs,
      appendedAtMs: trigger.appendedAtMs,
      properties: attributes(trigger.properties, strings),
      session: trigger.session === null ? null : windowRow(trigger.session, strings),
      traceParent: strings.maybe(trigger.traceParent),
    },
  };
}

function ledgerRow(entry: LedgerEntry, strings: Strings): LedgerRow {
  return {
    commandId: Buffer.from(entry.commandId.replaceAll('-', ''), 'hex'),
    journey: strings.ref(entry.journey),
    step: strings.ref(entry.step),
    key: strings.ref(entry.key),
    occurrence: strings.ref(entry.occurrence),
    class: strings.ref(entry.class),
    category: strings.maybe(entry.category),
    channel: strings.ref(entry.channel),
    atMs: entry.atMs,
    expiresAtMs: entry.expiresAtMs,
    triggeredAtMs: entry.triggeredAtMs,
    deviceIds: entry.deviceIds.map((deviceId) => strings.ref(deviceId)),
    outcome: entry.outcome,
  };
}

function packedIds(ids: readonly number[]): Buffer {
  const packed = Buffer.allocUnsafe(ids.length * ID_BYTES);
  let at = 0;
  for (const id of ids) {
    const high = Math.floor(id / 2 ** 32);
    const low = id % 2 ** 32;
    packed[at++] = high >>> 16;
    packed[at++] = high >>> 8;
    packed[at++] = high;
    packed[at++] = low >>> 24;
    packed[at++] = low >>> 16;
    packed[at++] = low >>> 8;
    packed[at++] = low;
  }
  return packed;
}
