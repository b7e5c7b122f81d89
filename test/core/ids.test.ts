import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventIdHash, withRecent } from '../../src/core/dedup.ts';
import { commandIdOf } from '../../src/core/ids.ts';

const name = { app: 'lull', userId: 'u', journey: 'cart', occurrence: 'e1', step: 'send', channel: 'fcm' };

describe('a command id', () => {
  it('is a UUID of version 5, the same for ever', () => {
    expect(commandIdOf(name)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // Pinned: another value here means that everything in flight is sent again after an upgrade.
    expect(commandIdOf(name)).toBe('59346a9e-c851-5f65-9e3f-dcdcf682ab81');
  });

  it('differs with each of its parts, however they are cut', () => {
    const ids = Object.keys(name).map((part) => commandIdOf({ ...name, [part]: 'other' }));
    expect(new Set([...ids, commandIdOf(name)]).size).toBe(7);
    expect(commandIdOf({ ...name, userId: 'u","cart', journey: '' })).not.toBe(commandIdOf({ ...name, userId: 'u', journey: 'cart' }));
  });
});

describe('the hash of an event id', () => {
  it('has 52 bits, all of them in use', () => {
    let or = 0n;
    let and = (1n << 52n) - 1n;
    for (let i = 0; i < 2_000; i++) {
      const hash = eventIdHash(`e${i}`);
      expect(Number.isSafeInteger(hash) && hash >= 0 && hash < 2 ** 52).toBe(true);
      or |= BigInt(hash);
      and &= BigInt(hash);
    }
    expect([or, and]).toEqual([(1n << 52n) - 1n, 0n]);
  });

  it('does not collide on ids as producers make them', () => {
    const hashes = new Set<number>();
    for (let i = 0; i < 200_000; i++) {
      hashes.add(eventIdHash(`event-${i}`));
      hashes.add(eventIdHash(i.toString(16).padStart(32, '0')));
      hashes.add(eventIdHash(`${i}-00000000-4000-8000`));
    }
    expect(hashes.size).toBe(600_000);
  });

  it('spreads evenly in its low and its high bits', () => {
    const low = new Array<number>(64).fill(0);
    const high = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i++) {
      const hash = eventIdHash(`e-${i}`);
      low[hash % 64]!++;
      high[Math.floor(hash / 2 ** 46)]!++;
    }
    for (const count of [...low, ...high]) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });
});

describe('the ring of recent ids', () => {
  it('holds the latest, at most its limit, and tells what it has seen', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 60, size: 'max' }),
        fc.integer({ min: 1, max: 8 }),
        (ids, limit) => {
          let ring: readonly number[] = [];
          let expected: number[] = [];
          for (const id of ids) {
            const next = withRecent(ring, id, limit);
            expect(next === null).toBe(expected.includes(id));
            if (!expected.includes(id)) expected = [...expected, id].slice(-limit);
            ring = next ?? ring;
            expect(ring).toEqual(expected);
          }
        },
      ),
    );
  });
});
