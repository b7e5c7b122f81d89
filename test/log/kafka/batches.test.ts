import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader } from '../../../src/log/kafka/byte-reader.ts';
import { filterBatches } from '../../../src/log/kafka/committed.ts';
import { encodeBatch } from '../../../src/log/kafka/encode-batch.ts';
import { batchesOf } from '../../../src/log/kafka/record-batch.ts';
import { MAX_BATCH_BYTES, splitIntoBatches } from '../../../src/log/kafka/split.ts';
import type { OutRecord } from '../../../src/log/port.ts';

const HEADER_BYTES = 61;

function text(value: string): OutRecord {
  return { topic: 't', partition: 0, key: null, value: Buffer.from(value) };
}

/** A batch as a broker hands it out: at an offset, by a producer, with flags. */
function batch(
  values: readonly string[],
  options: { at: number; producer?: number; attributes?: number; lastDelta?: number } = { at: 0 },
): Buffer {
  const encoded = encodeBatch(values.map(text), { producerId: String(options.producer ?? -1), producerEpoch: 0 }, 0, false, 1_000);
  encoded.writeBigInt64BE(BigInt(options.at), 0);
  encoded.writeInt16BE(options.attributes ?? 0, 21);
  if (options.lastDelta !== undefined) encoded.writeInt32BE(options.lastDelta, 23);
  return encoded;
}

/** What log compaction leaves of a producer's last batch: a header that still takes its offsets, and no records. */
function emptied(at: number, lastDelta: number): Buffer {
  const header = Buffer.from(batch(['x'], { at, lastDelta }).subarray(0, HEADER_BYTES));
  header.writeInt32BE(HEADER_BYTES - 12, 8);
  header.writeInt32BE(0, 57);
  return header;
}

function read(records: Buffer, position = 0, aborted?: readonly { producerId: number; firstOffset: number }[]) {
  const result = filterBatches(batchesOf(records), position, aborted);
  return { values: result.records.map(({ value }) => String(value)), nextOffset: result.nextOffset };
}

test('any record survives encoding and decoding', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  const nullable = fc.option(bytes);
  const record = fc.record({
    topic: fc.constant('t'),
    partition: fc.constant(0),
    key: nullable,
    value: nullable,
    timestampMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    headers: fc.dictionary(fc.string({ maxLength: 20 }), bytes, { maxKeys: 4 }),
  });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (records) => {
      const encoded = encodeBatch(records, { producerId: '9007199254740991', producerEpoch: 7 }, 42, true, 0);
      const { records: decoded, nextOffset } = filterBatches(batchesOf(encoded), 0, []);
      expect(nextOffset).toBe(records.length);
      expect(decoded.map(({ offset }) => offset)).toEqual(records.map((_, i) => i));
      for (const [i, { key, value, timestampMs, headers }] of records.entries()) {
        expect(decoded.at(i)).toMatchObject({ key, value, timestampMs });
        expect(Object.entries(decoded.at(i)!.headers ?? {})).toEqual(Object.entries(headers));
      }
    }),
  );
});

test('variable-length numbers are exact up to 2^52, in both directions', () => {
  fc.assert(
    fc.property(
      fc.maxSafeInteger().map((n) => Math.trunc(n / 2) + 0),
      (delta) => {
        const first = { ...text('a'), timestampMs: 0 };
        const encoded = encodeBatch([first, { ...text('b'), timestampMs: delta }], { producerId: '1', producerEpoch: 0 }, 0, false, 0);
        expect(filterBatches(batchesOf(encoded), 0, []).records.at(1)!.timestampMs).toBe(delta);
      },
    ),
  );
});

test('a number of 64 bits is read with its sign', () => {
  const buffer = Buffer.alloc(24);
  buffer.writeBigInt64BE(-1n, 0);
  buffer.writeBigInt64BE(9_007_199_254_740_991n, 8);
  buffer.writeBigInt64BE(4_294_967_296n, 16);
  const reader = new ByteReader(buffer);
  expect([reader.int64(), reader.int64(), reader.int64()]).toEqual([-1, 9_007_199_254_740_991, 4_294_967_296]);
});

test('a batch that was cut at the limit of the fetch is left for the next one', () => {
  const [one, two] = [batch(['a', 'b'], { at: 5 }), batch(['c'], { at: 7 })];
  expect(read(Buffer.concat([one, two.subarray(0, two.length - 1)]), 5)).toEqual({ values: ['a', 'b'], nextOffset: 7 });
  expect(read(Buffer.concat([one, two.subarray(0, 3)]), 5)).toEqual({ values: ['a', 'b'], nextOffset: 7 });
});

test('batches that compaction has emptied or thinned out still move the position', () => {
  expect(read(emptied(10, 4), 10)).toEqual({ values: [], nextOffset: 15 });
  expect(read(Buffer.concat([batch(['a'], { at: 10, lastDelta: 9 }), emptied(20, 0)]), 10)).toEqual({ values: ['a'], nextOffset: 21 });
});

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
function data(at: number, producer: number, value: string): Buffer {
  return batch([value], { at, producer, attributes: TRANSACTIONAL });
}
function marker(at: number, producer: number, type: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  const encoded = encodeBatch(
    [{ topic: 't', partition: 0, key, value: Buffer.alloc(6) }],
    { producerId: String(producer), producerEpoch: 0 },
    0,
    true,
    0,
  );
  encoded.writeBigInt64BE(BigInt(at), 0);
  encoded.writeInt16BE(TRANSACTIONAL | CONTROL, 21);
  return encoded;
}

test('the aborted list may come in any order: what it names is skipped, and nothing else', () => {
  const log = Buffer.concat([
    data(0, 2, 'two'),
    data(1, 1, 'one'),
    marker(2, 1, 'abort'),
    marker(3, 2, 'abort'),
    data(4, 2, 'kept'),
    marker(5, 2, 'commit'),
  ]);
  const one = { producerId: 1, firstOffset: 1 };
  const two = { producerId: 2, firstOffset: 0 };
  for (const aborted of [
    [one, two],
    [two, one],
  ])
    expect(read(log, 0, aborted)).toEqual({ values: ['kept'], nextOffset: 6 });
});

test('all aborted transactions that began before the fetched range count from its first batch on', () => {
  const log = Buffer.concat([data(2, 2, 'two'), data(3, 1, 'one'), marker(4, 1, 'abort'), marker(5, 2, 'abort')]);
  const aborted = [
    { producerId: 1, firstOffset: 0 },
    { producerId: 2, firstOffset: 1 },
  ];
  expect(read(log, 2, aborted)).toEqual({ values: [], nextOffset: 6 });
});

test('one producer that aborts, commits and aborts again in one fetch', () => {
  const log = Buffer.concat([
    data(0, 1, 'a'),
    data(1, 9, 'other'),
    marker(2, 1, 'abort'),
    data(3, 1, 'b'),
    marker(4, 1, 'commit'),
    data(5, 1, 'c'),
    marker(6, 1, 'abort'),
    marker(7, 9, 'commit'),
    batch(['plain'], { at: 8 }),
  ]);
  const aborted = [
    { producerId: 1, firstOffset: 5 },
    { producerId: 1, firstOffset: 0 },
  ];
  expect(read(log, 0, aborted)).toEqual({ values: ['other', 'b', 'plain'], nextOffset: 9 });
  expect(read(log, 0)).toEqual({ values: ['a', 'other', 'b', 'c', 'plain'], nextOffset: 9 });
});

test('a data record with a key of four zero bytes is no marker', () => {
  const looksLikeAbort = encodeBatch(
    [{ topic: 't', partition: 0, key: Buffer.alloc(4), value: Buffer.from('data') }],
    { producerId: '1', producerEpoch: 0 },
    0,
    true,
    0,
  );
  expect(read(looksLikeAbort, 0, []).values).toEqual(['data']);
});

test('records are split by bytes, per partition, in order, and a giant has a batch of its own', () => {
  const rows = Array.from({ length: 5_000 }, (_, i) => ({ ...text(`${i}:`.padEnd(400, '.')), partition: i % 2 }));
  const giant = { ...text('x'.repeat(2 * MAX_BATCH_BYTES)), partition: 0 };
  const partitions = splitIntoBatches([...rows, giant, { ...text('last'), partition: 0 }]);
  expect(partitions.map(({ name }) => name)).toEqual(['t-0', 't-1']);
  for (const { batches, partition } of partitions) {
    const sizes = batches.map((records) => encodeBatch(records, { producerId: '1', producerEpoch: 0 }, 0, true, 0).length);
    expect(sizes.filter((bytes) => bytes > MAX_BATCH_BYTES)).toHaveLength(partition === 0 ? 1 : 0);
    const sent =
      partition === 0
        ? [...rows.filter((row) => row.partition === 0), giant, { ...text('last'), partition: 0 }]
        : rows.filter((row) => row.partition === 1);
    expect(batches.flat()).toEqual(sent);
  }
});

test('a batch that says it has more records than it has bytes is refused before room is made for them', () => {
  const encoded = encodeBatch([text('a')], { producerId: '1', producerEpoch: 0 }, 0, false, 0);
  // Behind base offset, length, epoch, magic, checksum, attributes, last offset, two times, producer, its epoch and sequence.
  encoded.writeInt32BE(2 ** 31 - 1, 57);
  expect(() => filterBatches(batchesOf(encoded), 0, [])).toThrow('the records from offset 0 on are damaged: 2147483647 in');
});
