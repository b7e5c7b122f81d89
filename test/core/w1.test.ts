import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import { HOUR, MINUTE } from './support.ts';
import { generate, replayPartition, w1 } from './w1.ts';

const GAP = 30 * MINUTE;

/** The rules of W1 as set conditions over a user's complete, sorted events; after `reference.py` of the peers, and as independent of the core as that. */
function reference(events: readonly Event[]): string[] {
  const byUser = new Map<string, Event[]>();
  const seen = new Set<string>();
  for (const event of events) {
    if (event.type === 'flush' || seen.has(event.eventId)) continue;
    seen.add(event.eventId);
    byUser.set(event.userId, [...(byUser.get(event.userId) ?? []), event]);
  }
  const lines: string[] = [];
  for (const [userId, arrived] of byUser) {
    const atArrival = new Map<string, string>();
    let session: { start: number; last: number; count: number; cents: number } | null = null;
    for (const { eventId, type, occurredAtMs: t, properties } of arrived) {
      if (session === null || t > session.last + GAP) session = { start: t, last: t, count: 0, cents: 0 };
      const cents = type === 'cart_item_added' ? Math.round((properties['price'] as number) * 100) * (properties['qty'] as number) : 0;
      session.start = Math.min(session.start, t);
      session.last = Math.max(session.last, t);
      session.count++;
      session.cents += cents;
      atArrival.set(eventId, `${session.start} ${session.count} ${session.cents}`);
    }
    const sorted = arrived.toSorted((a, b) => a.occurredAtMs - b.occurredAtMs || a.offset - b.offset);
    const rule = (name: string, on: string, withinMs: number, among: readonly Event[]): void => {
      among.forEach((event, i) => {
        const next = among[i + 1];
        if (event.type === on && (next === undefined || next.occurredAtMs - event.occurredAtMs >= withinMs))
          lines.push(`${name} ${userId} ${event.eventId} ${event.occurredAtMs + withinMs} ${atArrival.get(event.eventId)!}`);
      });
    };
    rule(
      'cart_abandoned',
      'cart_item_added',
      HOUR,
      sorted.filter((e) => e.type === 'cart_item_added' || e.type === 'purchase_completed'),
    );
    rule('checkout_idle', 'checkout_started', 10 * MINUTE, sorted);
  }
  return lines.toSorted();
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}

describe('workload W1', () => {
  it('gives exactly the commands of its reference: by rule, trigger, time and the session as it was', () => {
    let commands = 0;
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 150 }), fc.constantFrom(0, 0.05), (seed, users, repeated) => {
        const events = generate(randomOf(seed), users, 1_500, repeated);
        const lines = replayPartition(w1, events, 5_000).commands.map(
          ({ journey, userId, occurrence, dueAtMs, data }) =>
            `${journey} ${userId} ${occurrence} ${dueAtMs} ${data['sessionStart']} ${data['sessionEvents']} ${data['cartCents']}`,
        );
        const expected = reference(events);
        commands += expected.length;
        expect(lines.toSorted()).toEqual(expected);
      }),
      { numRuns: 30 },
    );
    expect(commands).toBeGreaterThan(300);
  });
});
