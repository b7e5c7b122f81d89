import { createHash } from 'node:crypto';

/** A seeded source of chance: the same seed draws the same numbers, on every machine. Not for secrets. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A real number in [from, to). */
  between(from: number, to: number): number;
  /** An integer in [from, to], both included. */
  int(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Picks by weight; a weight of 0 is never picked. */
  weighted<T>(items: readonly (readonly [T, number])[]): T;
  /** `count` different items, in random order. */
  sample<T>(items: readonly T[], count: number): T[];
  /** Shaped like a version 4 UUID. */
  uuid(): string;
}

/** sfc32 by Chris Doty-Humphrey (PractRand), seeded from a SHA-256 of the text, so that near seeds draw unrelated numbers. */
export function createRandom(seed: string): Random {
  const bytes = createHash('sha256').update(seed).digest();
  let a = bytes.readUInt32LE(0);
  let b = bytes.readUInt32LE(4);
  let c = bytes.readUInt32LE(8);
  let counter = 1;

  function uint32(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
  for (let i = 0; i < 12; i++) uint32();

  const next = (): number => uint32() / 2 ** 32;
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  const pick = <T>(items: readonly T[]): T => {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[int(0, items.length - 1)]!;
  };

  return {
    next,
    int,
    pick,
    between: (from, to) => from + next() * (to - from),
    chance: (probability) => next() < probability,
    weighted(items) {
      const total = items.reduce((sum, [, weight]) => sum + weight, 0);
      let rest = next() * total;
      for (const [item, weight] of items) {
        rest -= weight;
        if (rest < 0) return item;
      }
      throw new RangeError('no item has a weight');
    },
    sample(items, count) {
      const left = [...items];
      return Array.from({ length: Math.min(count, left.length) }, () => left.splice(int(0, left.length - 1), 1)[0]!);
    },
    uuid() {
      const hex = Array.from({ length: 4 }, () => uint32().toString(16).padStart(8, '0')).join('');
      const variant = '89ab'[int(0, 3)]!;
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
  };
}
