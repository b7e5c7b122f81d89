import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_USERS, Segment } from '../../src/processor/segment.ts';

const times = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 30 });

function segmentOf(timestamps: readonly number[], users: readonly (string | null)[], allowedLatenessMs: number, from = 0): Segment {
  const keyOf = (user: string | null): Buffer | null => (user === null ? null : Buffer.from(user));
  const records = timestamps.map((timestampMs, offset) => ({ offset, timestampMs, key: keyOf(users[offset]!), value: null }));
  return new Segment(records, { from, most: Infinity, endsAtKeyless: false }, { nowMs: 10, allowedLatenessMs });
}

test("gives each user's records in their order, and those that are nobody's", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('ann', 'bob', 'cid', null), { minLength: 1, maxLength: 30 }), fc.nat(29), (users, from) => {
      fc.pre(from < users.length);
      const segment = segmentOf(
        users.map(() => 1),
        users,
        0,
        from,
      );
      const all = new Map<string | null, number[]>([[null, [...segment.keyless]]]);
      for (const { userId, first, last } of segment.runs.values()) {
        const chain: number[] = [];
        for (let at = first; at >= 0; at = segment.next(at)) chain.push(at);
        expect(chain.at(-1)).toBe(last);
        all.set(userId, chain);
      }
      for (const [user, chain] of all) expect(chain).toEqual(users.flatMap((other, i) => (i >= from && other === user ? [i] : [])));
      expect([...all.values()].flat().length).toBe(users.length - from);
    }),
  );
});

test('a timer fires before the first record that is later than its due time by more than the allowed lateness', () => {
  fc.assert(
    fc.property(times, fc.nat(40), fc.nat(10), fc.nat(29), fc.nat(29), (timestamps, dueMs, lateMs, from, until) => {
      fc.pre(until < timestamps.length);
      const segment = segmentOf(
        timestamps,
        timestamps.map(() => 'ann'),
        lateMs,
      );
      const expected = timestamps.findIndex((ms, i) => i >= from && i <= until && dueMs < ms - lateMs);
      expect(segment.passing(dueMs, from, until)).toBe(expected);
      expect(dueMs < segment.horizonMs).toBe(segment.passing(dueMs, 0, timestamps.length - 1) >= 0);
    }),
    { numRuns: 2_000 },
  );
});

test('now is the largest append time seen, of the partition', () => {
  const segment = segmentOf([3, 12, 11, 20], ['ann', 'bob', 'ann', 'bob'], 0);
  expect([0, 1, 2, 3].map((i) => segment.nowMs(i))).toEqual([10, 12, 12, 20]);
});

test("ends behind so many records, and before one that is nobody's", () => {
  const records = ['ann', 'bob', null, 'cid'].map((user, offset) => ({
    ...{ offset, timestampMs: 1, value: null },
    key: user === null ? null : Buffer.from(user),
  }));
  const to = (from: number, most: number, endsAtKeyless: boolean): number =>
    new Segment(records, { from, most, endsAtKeyless }, { nowMs: 0, allowedLatenessMs: 0 }).to;
  expect([to(0, 1, true), to(0, Infinity, true), to(0, Infinity, false), to(3, 5, true)]).toEqual([1, 2, 4, 4]);
});

test('has no more users than go into one transaction', () => {
  const users = Array.from({ length: MAX_USERS + 10 }, (_, i) => `user-${i}`);
  const [twice, once] = [users.flatMap((user) => [user, user]), users];
  expect(
    segmentOf(
      twice.map(() => 1),
      twice,
      0,
    ).to,
  ).toBe(2 * MAX_USERS - 1);
  expect(
    segmentOf(
      once.map(() => 1),
      once,
      0,
      5,
    ).to,
  ).toBe(5 + MAX_USERS);
});

test('is as long as it has to be', () => {
  const users = Array.from({ length: 1_000 }, (_, i) => `user-${i % 7}`);
  const segment = segmentOf(
    users.map((_, i) => i),
    users,
    0,
  );
  const chain: number[] = [];
  for (let at = segment.runs.get('user-3')!.first; at >= 0; at = segment.next(at)) chain.push(at);
  expect(chain).toEqual(users.flatMap((user, i) => (user === 'user-3' ? [i] : [])));
  expect([segment.nowMs(999), segment.horizonMs, segment.passing(500, 0, 999)]).toEqual([999, 999, 501]);
});
