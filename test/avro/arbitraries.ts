import fc from 'fast-check';
import type { EncodableTypes } from '../../src/avro/records.ts';

/** Any text but lone surrogates, which UTF-8 cannot carry. */
const text = fc.string({ unit: 'binary', maxLength: 20 });
const key = text.filter((one) => one !== '__proto__');
const long = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(2 ** 52 - 1, 2 ** 52, 2 ** 52 + 1, -(2 ** 52), -(2 ** 52) - 1, 2 ** 53 - 1),
);
const timeMs = long;
const scalar = fc.oneof(fc.constant(null), fc.boolean(), long, fc.double(), text, fc.constantFrom(2 ** 53, -(2 ** 53), -0, 0.1, 1e300));
const map = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.dictionary(key, values, { maxKeys: 5, noNullPrototype: true });
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);
const int = fc.integer();
const trigger = fc.record({ topic: text, partition: int, offset: long, eventId: text });

const productEvent = {
  ...{ eventId: text, userId: text, type: text, occurredAt: timeMs },
  ...{ properties: map(scalar), sentAt: orNull(timeMs), imported: fc.boolean() },
};

const { sentAt: _sentAt, imported: _imported, ...mapped } = productEvent;
const ingestedEvent = { ...mapped, appendedAt: orNull(timeMs) };
const noControl = {
  tick: fc.constant(null),
  forward: fc.constant(null),
  ingested: fc.constant(null),
  fanOut: fc.constant(null),
  topology: fc.constant(null),
};
const { userId: _userId, ...itemEvent } = mapped;
const itemChange = { ...itemEvent, itemId: text };

/** Whatever each record may hold. */
export const records: { readonly [Name in keyof EncodableTypes]: fc.Arbitrary<EncodableTypes[Name]> } = {
  'lull.v1.ProductEvent': fc.record(productEvent),
  'lull.v1.Control': fc.oneof(
    fc.record({ ...noControl, tick: fc.record({ maxTimers: int, upTo: orNull(timeMs), nonce: text }) }),
    fc.record({ ...noControl, forward: fc.record({ ...productEvent, appendedAt: timeMs, partition: int, offset: long }) }),
    fc.record({ ...noControl, topology: fc.record({ hash: text, number: long, name: text }) }),
    fc.record({ ...noControl, ingested: fc.record({ ...ingestedEvent, source: text, topic: text, partition: int, offset: long }) }),
    fc.record({ ...noControl, fanOut: fc.record({ ...itemChange, userId: text, appendedAt: timeMs, partition: int, offset: long }) }),
  ),
  'lull.v1.SendCommand': fc.record({
    commandId: text,
    app: text,
    userId: text,
    journey: text,
    step: text,
    occurrence: text,
    class: text,
    promise: fc.constantFrom('at_most_once' as const, 'at_least_once' as const),
    category: orNull(text),
    channel: text,
    trigger,
    dueAtMs: timeMs,
    decidedAtMs: timeMs,
    expiresAtMs: timeMs,
    ttlMs: long,
    collapseKey: orNull(text),
    content: orNull(fc.record({ title: text, body: text, url: orNull(text), image: orNull(text) })),
    data: map(text),
    devices: fc.array(fc.record({ deviceId: text, kind: text, value: text }), { maxLength: 4 }),
    topologyHash: text,
    traceParent: orNull(text),
  }),
  'lull.v1.Revocation': fc.record({ commandId: text, userId: text, channel: text, reason: text, atMs: timeMs }),
  'lull.v1.Decision': fc.record({
    userId: text,
    journey: text,
    step: text,
    occurrence: text,
    key: text,
    outcome: fc.constantFrom('sent' as const, 'rejected' as const),
    reason: text,
    checks: fc.array(fc.record({ name: text, passed: fc.boolean(), detail: text }), { maxLength: 4 }),
    commandId: text,
    channel: orNull(text),
    trigger,
    dueAtMs: timeMs,
    decidedAtMs: timeMs,
    topology: text,
    topologyHash: text,
  }),
  'lull.v1.Outcome': fc.record({
    commandId: text,
    userId: text,
    channel: text,
    device: orNull(fc.record({ deviceId: text, kind: text, hash: text })),
    provider: text,
    class: text,
    final: fc.boolean(),
    code: orNull(text),
    providerMessageId: orNull(text),
    attempt: int,
    atMs: timeMs,
  }),
  'lull.v1.ItemChange': fc.record(itemChange),
  'lull.v1.ItemInterest': fc.record({ itemId: text, change: text, userId: text, until: timeMs }),
};
