import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FatalLogError } from '../../../src/log/errors.ts';
import { filterBatches } from '../../../src/log/kafka/committed.ts';
import { encodeBatch } from '../../../src/log/kafka/encode-batch.ts';
import { batchesOf } from '../../../src/log/kafka/record-batch.ts';

const HEADER_BYTES = 61;

function compressed(values: readonly string[], codec: number, compress: (body: Buffer) => Buffer): Buffer {
  const records = values.map((value) => ({ topic: 't', partition: 0, key: null, value: Buffer.from(value) }));
  const plain = encodeBatch(records, { producerId: '-1', producerEpoch: 0 }, 0, false, 1_000);
  const packed = Buffer.concat([plain.subarray(0, HEADER_BYTES), compress(plain.subarray(HEADER_BYTES))]);
  packed.writeInt32BE(packed.length - 12, 8);
  packed.writeInt16BE(codec, 21);
  return packed;
}

function read(batch: Buffer): string[] {
  return filterBatches(batchesOf(batch), 0, []).records.map(({ value }) => String(value));
}

/** Six records, compressed by the Java client. */
const FROM_JAVA = {
  snappy:
    'AAAAAAAAAAAAAACl/////wJR5YYkAAIAAAAFAAAAAAAAA+gAAAAAAAAD7f//////////////////AAAABoJTTkFQUFkAAAAAAQAAAAEAAABg3gFASAAAAAprZXktMDJ2YWx1ZSBGBgAUMABIAAICBSUAMWIlABQxAEgABAQFJQAyYiUAFDIASAAGBgUlADNiJQAUMwBIAAgIBSUANGIlABQ0AEgACgoFJQA1YiUABDUA',
  lz4: 'AAAAAAAAAAAAAACh/////wKAWd+cAAMAAAAFAAAAAAAAA+gAAAAAAAAD7f//////////////////AAAABgQiTRhgQIJhAAAA/gJIAAAACmtleS0wMnZhbHVlIAYAYTAASAACAiUAHzElAAZhMQBIAAQEJQAfMiUABmEyAEgABgYlAB8zJQAGYTMASAAICCUAHzQlAAZhNABIAAoKJQAfNSUAA1B1ZSA1AAAAAAA=',
};

test.each(Object.entries(FROM_JAVA))('%s from a Java producer is read', (_, base64) => {
  const { records } = filterBatches(batchesOf(Buffer.from(base64, 'base64')), 0, []);
  expect(records.map(({ key, value, timestampMs }) => [String(key), String(value), timestampMs])).toEqual(
    Array.from({ length: 6 }, (_, i) => [`key-${i}`, `value value value value ${i}`, 1_000 + i]),
  );
});

test.each(Object.entries(FROM_JAVA))('%s that is cut or garbled is an error naming the offset, never wrong records', (_, base64) => {
  const whole = Buffer.from(base64, 'base64');
  fc.assert(
    fc.property(fc.nat(whole.length - HEADER_BYTES - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const garbled = Buffer.from(whole);
      garbled[HEADER_BYTES + at]! ^= flip;
      try {
        read(garbled); // a flipped bit in a literal is another literal: only a checksum would tell
      } catch (error) {
        expect(error).toBeInstanceOf(FatalLogError);
        expect((error as Error).message).toContain('offset 0');
      }
      const cut = Buffer.from(whole.subarray(0, HEADER_BYTES + at));
      cut.writeInt32BE(cut.length - 12, 8);
      expect(() => read(cut)).toThrow(FatalLogError);
      expect(() => read(cut)).toThrow('offset 0');
    }),
  );
});

test('gzip and zstd are read, a compression that nobody knows is an error', () => {
  expect(read(compressed(['a', 'b'], 1, (body) => gzipSync(body)))).toEqual(['a', 'b']);
  expect(read(compressed(['a', 'b'], 4, (body) => zstdCompressSync(body)))).toEqual(['a', 'b']);
  expect(() => read(compressed(['a'], 7, (body) => body))).toThrow(FatalLogError);
});
