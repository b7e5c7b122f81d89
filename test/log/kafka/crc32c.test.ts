import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../../../src/log/kafka/crc32c.ts';

test('the checksum is the one of RFC 3720', () => {
  // Its section B.4, and the check value of the catalogue of CRCs.
  expect(crc32c(Buffer.alloc(32, 0x00))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e);
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});

test('any length and any place in memory gives what bit after bit gives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(7), (bytes, from) => {
      const shifted = Buffer.concat([Buffer.alloc(from), bytes]).subarray(from);
      expect(crc32c(shifted)).toBe(bitByBit(bytes));
    }),
  );
});

function bitByBit(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}
