import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { murmur2, partitionFor } from '../../src/log/partitioner.ts';

/** From the Java client's own unit test of its murmur2. */
const JAVA_VECTORS: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

test.each(JAVA_VECTORS)('murmur2 of %s is what the Java client computes', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test('a partition is the hash without its sign bit, modulo the count', () => {
  expect(partitionFor(Buffer.from('foobar'), 24)).toBe((-790332482 & 0x7fffffff) % 24);
  expect(partitionFor(Buffer.from('abc'), 4)).toBe(479470107 % 4);
  expect(partitionFor(Buffer.alloc(0), 1)).toBe(0);
});

test('any key of any length goes where kafkajs, an independent implementation, puts it', () => {
  const reference = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2.js') as (key: Buffer) => number;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 67 }), (bytes) => {
      const key = Buffer.from(bytes);
      expect(murmur2(key)).toBe(reference(key));
    }),
  );
});

test('a topic without partitions is refused', () => {
  expect(() => partitionFor(Buffer.from('a'), 0)).toThrow(RangeError);
});
