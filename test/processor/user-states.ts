import fc from 'fast-check';
import type { Consent, Device, LedgerEntry, Match, SessionSnapshot, SessionWindow, UserState } from '../../src/core/state.ts';

/** Any state that a row can hold, also those that no timeline makes: every field at its extremes, and nothing related to anything. */
export function anyState(): fc.Arbitrary<UserState> {
  return plain({
    userId: fc.constant('user'),
    profile: record(scalar()),
    devices: fc.array(device(), { maxLength: 3 }),
    consent: record(consent()),
    lifetime: plain({
      sessions: fc.maxSafeNat(),
      firstSeenAtMs: maybe(time()),
      lastActivityAtMs: maybe(time()),
      lastActivityAppendedAtMs: maybe(time()),
    }),
    session: maybe(session()),
    lastEventMs: time(),
    recentEventIds: fc.array(fc.oneof(fc.maxSafeNat(), fc.nat(), fc.constant(2 ** 52 - 1)), { maxLength: 100 }),
    trackers: record(record(moments())),
    tallies: record(record(fc.array(fc.maxSafeInteger(), { maxLength: 8 }))),
    matches: fc.array(match(), { maxLength: 3 }),
    ledger: fc.array(ledgerEntry(), { maxLength: 3 }),
    entries: record(time()),
    tidyAtMs: maybe(time()),
  });
}

/** Sizes at which a varint grows by a byte, or is written in another way; and everything between. */
function time(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.nat(200),
    fc.integer({ min: 1_748_000_000_000, max: 1_748_900_000_000 }),
    fc.maxSafeNat(),
    fc.constantFrom(2 ** 27, 2 ** 28 - 1, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER),
  );
}

export function scalar(): fc.Arbitrary<null | boolean | number | string> {
  return fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), fc.double(), text());
}

/** Few, so that they repeat, and any: long, not ASCII, names of built-in properties. */
function text(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom('a', 'b', 'view', 'shop-events', '', '__proto__', 'valueOf', '1', 'für', '\u{1f6d2}'),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({ minLength: 20, maxLength: 70 }),
    fc.uuid(),
  );
}

function record<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> {
  return fc.array(fc.tuple(text(), value), { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
}

/** fast-check's own records have no prototype, now and then. */
function plain<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.option(value, { freq: 3 });
}

function moments(): fc.Arbitrary<number[]> {
  return fc.array(fc.tuple(time(), fc.maxSafeNat()), { maxLength: 40 }).map((pairs) => pairs.flat());
}

function snapshot(): fc.Arbitrary<SessionSnapshot> {
  const sums = record(fc.oneof(fc.maxSafeInteger(), fc.double()));
  return plain({ id: text(), startMs: time(), lastMs: time(), count: fc.maxSafeNat(), counts: record(fc.maxSafeInteger()), sums });
}

const position = { topic: text(), partition: fc.nat(10_000), offset: fc.maxSafeNat() };

function session(): fc.Arbitrary<SessionWindow> {
  return fc
    .tuple(snapshot(), plain({ opened: plain(position), lastAppendedAtMs: time(), closeTimerMs: time() }))
    .map(([window, rest]) => ({ ...window, ...rest }));
}

function match(): fc.Arbitrary<Match> {
  const trigger = plain({
    ...position,
    eventId: text(),
    type: text(),
    occurredAtMs: time(),
    appendedAtMs: time(),
    properties: record(scalar()),
    session: maybe(snapshot()),
    traceParent: maybe(text()),
  });
  const wait = maybe(plain({ step: text(), sinceMs: time(), sinceOffset: fc.maxSafeNat(), entered: fc.boolean(), version: fc.nat() }));
  return plain({ journey: text(), key: text(), occurrence: text(), trigger, dueMs: time(), wait });
}

function ledgerEntry(): fc.Arbitrary<LedgerEntry> {
  return plain({
    commandId: fc.uuid(),
    journey: text(),
    step: text(),
    key: text(),
    occurrence: text(),
    class: text(),
    category: maybe(text()),
    channel: text(),
    atMs: time(),
    expiresAtMs: time(),
    triggeredAtMs: time(),
    deviceIds: fc.array(text(), { maxLength: 12 }),
    outcome: fc.constantFrom('open', 'accepted', 'released', 'revoked'),
  });
}

function device(): fc.Arbitrary<Device> {
  return plain({
    deviceId: text(),
    kind: text(),
    value: text(),
    permission: fc.constantFrom('granted', 'denied', 'unknown'),
    zone: maybe(text()),
    locale: maybe(text()),
    appVersion: maybe(text()),
    registeredAtMs: time(),
    lastSeenAtMs: time(),
    unreachableAtMs: maybe(time()),
  });
}

function consent(): fc.Arbitrary<Consent> {
  return plain({ state: fc.constantFrom('in', 'out'), atMs: time(), reason: maybe(text()) });
}
