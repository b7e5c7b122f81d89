import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compare, observedOf, readReference } from './commands.ts';
import type { BenchEvent } from './w1-events.ts';
import { commandsOf, writeReference } from './w1-reference.ts';

const MINUTE = 60_000;
const START = 1_748_854_800_000;

function event(minutes: number, type: string, eventId: string, properties: BenchEvent['properties'] = {}): BenchEvent {
  return { eventId, userId: 'u1', type, occurredAtMs: START + minutes * MINUTE, properties };
}
const cart = (minutes: number, eventId: string): BenchEvent => event(minutes, 'cart_item_added', eventId, { price: 0.29, qty: 3 });
const idsOf = (events: readonly BenchEvent[]): string[] => commandsOf(events).map(({ commandId }) => commandId);

test('a cart is abandoned an hour after its last item, with the session as it was then', () => {
  const [command, ...others] = commandsOf([event(0, 'app_opened', 'a'), cart(1, 'b'), cart(2, 'c'), event(3, 'page_viewed', 'd')]);
  expect(others).toEqual([]);
  expect(command).toEqual({
    ...{ commandId: 'cart:c', userId: 'u1', rule: 'cart_abandoned', at: START + 62 * MINUTE },
    ...{ sessionStart: START, sessionEvents: 3, cartCents: 174 },
  });
});

test('a purchase within the hour cancels, one exactly at its end does not, and neither does one before', () => {
  expect(idsOf([cart(0, 'a'), event(59, 'purchase_completed', 'b')])).toEqual([]);
  expect(idsOf([cart(0, 'a'), event(60, 'purchase_completed', 'b')])).toEqual(['cart:a']);
  expect(idsOf([event(0, 'purchase_completed', 'b'), cart(1, 'a')])).toEqual(['cart:a']);
});

test('what counts is the time of events and not their place in the log, and at one moment the place', () => {
  // The cart stands behind the purchase in the log, but happened before it.
  expect(idsOf([event(1, 'purchase_completed', 'b'), cart(0.95, 'a')])).toEqual([]);
  expect(idsOf([event(1, 'page_viewed', 'b'), event(1, 'checkout_started', 'a')])).toEqual(['idle:a']);
  expect(idsOf([event(1, 'checkout_started', 'a'), event(1, 'page_viewed', 'b')])).toEqual([]);
});

test('a checkout is idle when nothing at all follows within ten minutes', () => {
  expect(idsOf([event(0, 'checkout_started', 'a'), event(9.9, 'app_opened', 'b')])).toEqual([]);
  expect(idsOf([event(0, 'checkout_started', 'a'), event(10, 'app_opened', 'b')])).toEqual(['idle:a']);
});

test('a session ends after thirty minutes without an event, and not at thirty', () => {
  const counts = (gap: number): number[] =>
    commandsOf([event(0, 'ping', 'a'), event(gap, 'ping', 'b')]).map(({ sessionEvents }) => sessionEvents);
  expect(counts(30)).toEqual([1, 2]);
  expect(counts(30.001)).toEqual([1, 1]);
});

test('the comparison notices what is missing, unexpected, twice there, or different', async () => {
  const commands = commandsOf([cart(0, 'a'), event(100, 'ping', 'p'), event(200, 'checkout_started', 'c')]);
  const folder = mkdtempSync(join(tmpdir(), 'lull-test-'));
  try {
    await writeReference(join(folder, 'reference.tsv'), commands);
    const expected = readReference(join(folder, 'reference.tsv'));
    const good = commands.map(observedOf);
    expect(compare(good, expected)).toMatchObject({ commands: 3, reference: 3, exact: true });
    expect(compare(good.slice(1), expected)).toMatchObject({ missing: 1, exact: false });
    expect(compare([...good, good[0]!], expected)).toMatchObject({ duplicates: 1, exact: false });
    expect(compare([...good, { ...good[0]!, id: 'ping other' }], expected)).toMatchObject({ unexpected: 1, exact: false });
    expect(compare([{ ...good[0]!, values: '1 2 3 4' }, ...good.slice(1)], expected)).toMatchObject({ wrongValue: 1, exact: false });
    expect(compare([{ ...good[0]!, user: 'u2' }, ...good.slice(1)], expected)).toMatchObject({ wrongValue: 1, exact: false });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
