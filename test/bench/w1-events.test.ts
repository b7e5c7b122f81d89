import { expect, test } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import { decodeEvent, encodeEvent } from './event-format.ts';
import { w1Events } from './w1-events.ts';

const OPTIONS = { seed: 'test', users: 2_000, events: 30_000 };

test('the same seed makes the same recording, another seed another', () => {
  const events = [...w1Events({ ...OPTIONS, events: 500 })];
  expect([...w1Events({ ...OPTIONS, events: 500 })]).toEqual(events);
  expect([...w1Events({ ...OPTIONS, events: 500, seed: 'other' })]).not.toEqual(events);
});

test('no event is more than five seconds behind one before it, and some are behind', () => {
  let [largestMs, behind, latestMs] = [0, 0, 0];
  for (const { occurredAtMs } of w1Events(OPTIONS)) {
    latestMs = Math.max(latestMs, largestMs - occurredAtMs);
    if (occurredAtMs < largestMs) behind++;
    largestMs = Math.max(largestMs, occurredAtMs);
  }
  expect(latestMs).toBeLessThanOrEqual(5_001);
  expect(behind / OPTIONS.events).toBeGreaterThan(0.1);
});

test('the recording is what the workload says: shares of types, a few hot users, six hours, ids that are never repeated', () => {
  const events = [...w1Events(OPTIONS)];
  const share = (type: string): number => events.filter((event) => event.type === type).length / events.length;
  for (const [type, expected] of [
    ['page_viewed', 0.7],
    ['cart_item_added', 0.08],
    ['checkout_started', 0.03],
    ['app_opened', 0.01],
  ] as const)
    expect(Math.abs(share(type) - expected)).toBeLessThan(0.015);
  expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(events.length);
  const perUser = [...Map.groupBy(events, ({ userId }) => userId).values()].map(({ length }) => length).sort((a, b) => b - a);
  expect(perUser[0]! / events.length).toBeGreaterThan(0.01);
  expect(perUser.length).toBeGreaterThan(1_000);
  const spanHours = (events.at(-1)!.occurredAtMs - events[0]!.occurredAtMs) / 3_600_000;
  expect(spanHours).toBeGreaterThan(5);
  expect(spanHours).toBeLessThan(7);
});

test('one user can be hot, and a part of the page views another type', () => {
  const events = [...w1Events({ ...OPTIONS, hotShare: 0.05, otherTypes: { names: ['a', 'b'], share: 0.5 } })];
  const hot = events.filter(({ userId }) => userId === 'hot').length / events.length;
  expect(Math.abs(hot - 0.05)).toBeLessThan(0.01);
  for (const type of ['a', 'b'])
    expect(Math.abs(events.filter((event) => event.type === type).length / events.length - 0.175)).toBeLessThan(0.02);
});

test('what the bench writes, without any of our codec, our codec reads as it was meant', () => {
  const codec = createCodec();
  const event = {
    eventId: 'e1',
    userId: 'u1',
    type: 'cart_item_added',
    occurredAtMs: 1_748_854_800_000,
    properties: { sku: 's', price: 12, qty: 2 },
  };
  const value = encodeEvent(event);
  expect(decodeEvent(value)).toEqual(event);
  expect(codec.decode(value)).toEqual({
    record: 'lull.v1.ProductEvent',
    value: {
      eventId: 'e1',
      userId: 'u1',
      type: 'cart_item_added',
      occurredAt: event.occurredAtMs,
      properties: event.properties,
      sentAt: null,
      imported: false,
    },
  });
});
