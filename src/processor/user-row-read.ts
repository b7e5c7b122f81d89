import type { Scalar } from '../core/event.ts';
import type { Moments } from '../core/moments.ts';
import type { Consent, Device, LedgerEntry, Match, SessionSnapshot, SessionWindow, Trigger, UserState, Wait } from '../core/state.ts';
import { CHOICES, OUTCOMES, PERMISSIONS } from './user-row.ts';
import { DamagedRowError, type RowInput } from './user-row-input.ts';

/**
 * Reads a state's fields: the mirror of `user-row-write.ts`. First all fields, in the schema's order, then the object, in the order in which the core makes it:
 * the engine keeps one shape for both.
 */
export function readUserState(row: RowInput, userId: string): UserState {
  const lastEventMs = row.time();
  const sessions = row.long();
  const lastActivityAtMs = row.maybeTime();
  const lastActivityAppendedAtMs = row.maybeTime();
  const firstSeenAtMs = row.maybeTime();
  const tidyAtMs = row.maybeTime();
  const session = row.some() ? readSession(row) : null;
  const matches = readList(row, readMatch);
  const recentEventIds = row.hashes();
  const trackers = readByName(row, readTracked);
  const ledger = readList(row, readLedgerEntry);
  const entries = readById(row, readTime);
  const profile = readByName(row, readScalar);
  const devices = readList(row, readDevice);
  const consent = readByName(row, readConsent);
  const tallies = row.version >= 3 ? readByName(row, readTallied) : {};
  const lifetime = { sessions, firstSeenAtMs, lastActivityAtMs, lastActivityAppendedAtMs };
  return {
    userId,
    profile,
    devices,
    consent,
    lifetime,
    session,
    lastEventMs,
    recentEventIds,
    trackers,
    tallies,
    matches,
    ledger,
    entries,
    tidyAtMs,
  };
}

type Read<T> = (row: RowInput) => T;

function readList<T>(row: RowInput, read: Read<T>): readonly T[] {
  const length = row.list();
  if (length === 0) return [];
  const items = new Array<T>(length);
  for (let i = 0; i < length; i++) items[i] = read(row);
  row.endList(length);
  return items;
}

function readByName<T>(row: RowInput, read: Read<T>): Readonly<Record<string, T>> {
  const record: Record<string, T> = {};
  const length = row.list();
  for (let i = 0; i < length; i++) put(record, row.name(), read(row));
  row.endList(length);
  return record;
}

function readById<T>(row: RowInput, read: Read<T>): Readonly<Record<string, T>> {
  const record: Record<string, T> = {};
  const length = row.list();
  for (let i = 0; i < length; i++) put(record, row.id(), read(row));
  row.endList(length);
  return record;
}

/** Rows are keyed by what users send: `__proto__` must become a property like any other. */
function put<T>(record: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') Object.defineProperty(record, key, { value, enumerable: true, writable: true, configurable: true });
  else record[key] = value;
}

function readSession(row: RowInput): SessionWindow {
  const topic = row.name();
  const partition = row.long();
  const offset = row.offset();
  const lastAppendedAtMs = row.time();
  const { id, startMs, lastMs, count, counts, sums } = readWindow(row);
  const closeTimerMs = row.time();
  return { id, opened: { topic, partition, offset }, startMs, lastMs, lastAppendedAtMs, count, counts, sums, closeTimerMs };
}

function readWindow(row: RowInput): SessionSnapshot {
  const id = row.id();
  const lastMs = row.time();
  const startMs = row.time();
  const count = row.long();
  const counts = readByName(row, readCount);
  const sums = readByName(row, readSum);
  return { id, startMs, lastMs, count, counts, sums };
}

function readCount(row: RowInput): number {
  return row.long();
}

function readSum(row: RowInput): number {
  return readNumber(row, row.long());
}

/** The branches of a union that are numbers, counted from 0. */
function readNumber(row: RowInput, branch: number): number {
  if (branch === 0) return row.long();
  if (branch === 1) return row.double();
  throw new DamagedRowError('a value of no type');
}

function readMatch(row: RowInput): Match {
  const journey = row.name();
  const key = row.id();
  const occurrence = row.id();
  const trigger = readTrigger(row);
  const dueMs = row.time();
  const wait = row.version >= 3 && row.some() ? readWait(row) : null;
  return { journey, key, occurrence, trigger, dueMs, wait };
}

function readWait(row: RowInput): Wait {
  const step = row.name();
  const sinceMs = row.time();
  const sinceOffset = row.offset();
  const entered = row.boolean();
  // Before format 4 nobody knew with which topology a run had begun.
  const version = row.version >= 4 ? row.long() : 0;
  return { step, sinceMs, sinceOffset, entered, version };
}

function readTrigger(row: RowInput): Trigger {
  const topic = row.name();
  const partition = row.long();
  const offset = row.offset();
  const eventId = row.id();
  const type = row.name();
  const occurredAtMs = row.time();
  const appendedAtMs = row.time();
  const properties = readByName(row, readScalar);
  const session = row.some() ? readWindow(row) : null;
  const traceParent = row.maybeId();
  return { topic, partition, offset, eventId, type, occurredAtMs, appendedAtMs, properties, session, traceParent };
}

function readScalar(row: RowInput): Scalar {
  const branch = row.long();
  if (branch === 0) return null;
  if (branch === 1) return row.boolean();
  if (branch === 4) return row.text();
  return readNumber(row, branch - 2);
}

function readTracked(row: RowInput): Readonly<Record<string, Moments>> {
  return readById(row, readMoments);
}

function readTallied(row: RowInput): Readonly<Record<string, readonly number[]>> {
  return readById(row, readNumbers);
}

function readNumbers(row: RowInput): readonly number[] {
  const length = row.list();
  const numbers = new Array<number>(length);
  for (let i = 0; i < length; i++) numbers[i] = row.long();
  row.endList(length);
  return numbers;
}

function readMoments(row: RowInput): Moments {
  const length = row.list();
  if (length % 2 !== 0) throw new DamagedRowError(`${length} numbers of moments, which have 2 each`);
  const moments = new Array<number>(length);
  for (let i = 0; i < length; i += 2) {
    moments[i] = row.time();
    moments[i + 1] = row.offset();
  }
  row.endList(length);
  return moments;
}

function readLedgerEntry(row: RowInput): LedgerEntry {
  const commandId = row.uuid();
  const journey = row.name();
  const step = row.name();
  const key = row.id();
  const occurrence = row.id();
  const class_ = row.name();
  const category = row.maybeName();
  const channel = row.name();
  const atMs = row.time();
  const expiresAtMs = row.time();
  const triggeredAtMs = row.time();
  const deviceIds = readList(row, readId);
  const outcome = row.symbol(OUTCOMES);
  return {
    commandId,
    journey,
    step,
    key,
    occurrence,
    class: class_,
    category,
    channel,
    atMs,
    expiresAtMs,
    triggeredAtMs,
    deviceIds,
    outcome,
  };
}

function readId(row: RowInput): string {
  return row.id();
}

function readTime(row: RowInput): number {
  return row.time();
}

function readDevice(row: RowInput): Device {
  const deviceId = row.id();
  const kind = row.name();
  const value = row.text();
  const permission = row.symbol(PERMISSIONS);
  const zone = row.maybeName();
  const locale = row.maybeName();
  const appVersion = row.maybeName();
  const registeredAtMs = row.time();
  const lastSeenAtMs = row.time();
  const unreachableAtMs = row.maybeTime();
  return { deviceId, kind, value, permission, zone, locale, appVersion, registeredAtMs, lastSeenAtMs, unreachableAtMs };
}

function readConsent(row: RowInput): Consent {
  const state = row.symbol(CHOICES);
  const atMs = row.time();
  const reason = row.maybeId();
  return { state, atMs, reason };
}
