import type { Scalar } from '../core/event.ts';
import type { Moments } from '../core/moments.ts';
import type { Consent, Device, LedgerEntry, Match, SessionSnapshot, SessionWindow, Trigger, UserState } from '../core/state.ts';
import { CHOICES, OUTCOMES, PERMISSIONS } from './user-row.ts';
import type { RowOutput } from './user-row-output.ts';

/** Writes a state's fields. Each function has its mirror in `user-row-read.ts`; their order is the schema's. */
export function writeUserState(out: RowOutput, state: UserState): void {
  const { lifetime, session } = state;
  out.time(state.lastEventMs);
  out.long(lifetime.sessions);
  out.maybeTime(lifetime.lastActivityAtMs);
  out.maybeTime(lifetime.lastActivityAppendedAtMs);
  out.maybeTime(lifetime.firstSeenAtMs);
  out.maybeTime(state.tidyAtMs);
  if (out.some(session)) writeSession(out, session);
  writeList(out, state.matches, writeMatch);
  out.hashes(state.recentEventIds);
  writeByName(out, state.trackers, writeTracked);
  writeList(out, state.ledger, writeLedgerEntry);
  writeById(out, state.entries, writeTime);
  writeByName(out, state.profile, writeScalar);
  writeList(out, state.devices, writeDevice);
  writeByName(out, state.consent, writeConsent);
  writeByName(out, state.tallies, writeTallied);
}

type Write<T> = (out: RowOutput, value: T) => void;

function writeList<T>(out: RowOutput, items: readonly T[], write: Write<T>): void {
  const start = out.list();
  for (let i = 0; i < items.length; i++) write(out, items[i]!);
  out.endList(start, items.length);
}

function writeByName<T>(out: RowOutput, record: Readonly<Record<string, T>>, write: Write<T>): void {
  const start = out.list();
  let length = 0;
  for (const name in record) {
    out.name(name);
    write(out, record[name]!);
    length++;
  }
  out.endList(start, length);
}

function writeById<T>(out: RowOutput, record: Readonly<Record<string, T>>, write: Write<T>): void {
  const start = out.list();
  let length = 0;
  for (const id in record) {
    out.id(id);
    write(out, record[id]!);
    length++;
  }
  out.endList(start, length);
}

function writeSession(out: RowOutput, session: SessionWindow): void {
  const { opened } = session;
  out.name(opened.topic);
  out.long(opened.partition);
  out.offset(opened.offset);
  out.time(session.lastAppendedAtMs);
  writeWindow(out, session);
  out.time(session.closeTimerMs);
}

function writeWindow(out: RowOutput, window: SessionSnapshot): void {
  out.id(window.id);
  out.time(window.lastMs);
  out.time(window.startMs);
  out.long(window.count);
  writeByName(out, window.counts, writeCount);
  writeByName(out, window.sums, writeSum);
}

function writeCount(out: RowOutput, count: number): void {
  out.long(count);
}

function writeSum(out: RowOutput, sum: number): void {
  writeNumber(out, sum, 0);
}

/** In a union whose branches `long` and `long + 1` are long and double. What is no whole number is a double, and so is -0. */
function writeNumber(out: RowOutput, value: number, long: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    out.long(long);
    out.long(value);
  } else {
    out.long(long + 1);
    out.double(value);
  }
}

function writeMatch(out: RowOutput, match: Match): void {
  out.name(match.journey);
  out.id(match.key);
  out.id(match.occurrence);
  writeTrigger(out, match.trigger);
  out.time(match.dueMs);
  if (out.some(match.wait)) {
    out.name(match.wait.step);
    out.time(match.wait.sinceMs);
    out.offset(match.wait.sinceOffset);
    out.boolean(match.wait.entered);
    out.long(match.wait.version);
  }
}

function writeTrigger(out: RowOutput, trigger: Trigger): void {
  const { session } = trigger;
  out.name(trigger.topic);
  out.long(trigger.partition);
  out.offset(trigger.offset);
  out.id(trigger.eventId);
  out.name(trigger.type);
  out.time(trigger.occurredAtMs);
  out.time(trigger.appendedAtMs);
  writeByName(out, trigger.properties, writeScalar);
  if (out.some(session)) writeWindow(out, session);
  out.maybeId(trigger.traceParent);
}

function writeScalar(out: RowOutput, value: Scalar): void {
  if (value === null) {
    out.long(0);
  } else if (typeof value === 'boolean') {
    out.long(1);
    out.boolean(value);
  } else if (typeof value === 'number') {
    writeNumber(out, value, 2);
  } else {
    out.long(4);
    out.text(value);
  }
}

function writeTracked(out: RowOutput, keys: Readonly<Record<string, Moments>>): void {
  writeById(out, keys, writeMoments);
}

function writeTallied(out: RowOutput, keys: Readonly<Record<string, readonly number[]>>): void {
  writeById(out, keys, writeNumbers);
}

function writeNumbers(out: RowOutput, numbers: readonly number[]): void {
  const start = out.list();
  for (let i = 0; i < numbers.length; i++) out.long(numbers[i]!);
  out.endList(start, numbers.length);
}

function writeMoments(out: RowOutput, moments: Moments): void {
  const start = out.list();
  for (let i = 0; i < moments.length; i += 2) {
    out.time(moments[i]!);
    out.offset(moments[i + 1]!);
  }
  out.endList(start, moments.length);
}

function writeLedgerEntry(out: RowOutput, entry: LedgerEntry): void {
  out.uuid(entry.commandId);
  out.name(entry.journey);
  out.name(entry.step);
  out.id(entry.key);
  out.id(entry.occurrence);
  out.name(entry.class);
  out.maybeName(entry.category);
  out.name(entry.channel);
  out.time(entry.atMs);
  out.time(entry.expiresAtMs);
  out.time(entry.triggeredAtMs);
  writeList(out, entry.deviceIds, writeId);
  out.symbol(OUTCOMES, entry.outcome);
}

function writeId(out: RowOutput, id: string): void {
  out.id(id);
}

function writeTime(out: RowOutput, ms: number): void {
  out.time(ms);
}

function writeDevice(out: RowOutput, device: Device): void {
  out.id(device.deviceId);
  out.name(device.kind);
  out.text(device.value);
  out.symbol(PERMISSIONS, device.permission);
  out.maybeName(device.zone);
  out.maybeName(device.locale);
  out.maybeName(device.appVersion);
  out.time(device.registeredAtMs);
  out.time(device.lastSeenAtMs);
  out.maybeTime(device.unreachableAtMs);
}

function writeConsent(out: RowOutput, consent: Consent): void {
  out.symbol(CHOICES, consent.state);
  out.time(consent.atMs);
  out.maybeId(consent.reason);
}
