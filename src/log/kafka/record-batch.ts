import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { FatalLogError } from '../errors.ts';
import { ByteReader } from './byte-reader.ts';
import { lz4Decompress } from './lz4.ts';
import { snappyDecompress } from './snappy.ts';

/** The fixed part of a record batch, version 2: https://kafka.apache.org/documentation/#recordbatch */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly count: number;
  /** What is behind the header. */
  readonly body: Buffer;
}

const PREFIX_BYTES = 12; // base offset and length
const MAGIC = 2;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const CODECS: Readonly<Record<number, readonly [string, (body: Buffer) => Buffer]>> = {
  1: ['gzip', (body) => gunzipSync(body)],
  2: ['snappy', snappyDecompress],
  3: ['lz4', lz4Decompress],
  4: ['zstd', (body) => zstdDecompressSync(body)],
};

export function isTransactional(batch: BatchHeader): boolean {
  return (batch.attributes & TRANSACTIONAL) !== 0;
}

export function isControl(batch: BatchHeader): boolean {
  return (batch.attributes & CONTROL) !== 0;
}

/** Its records have the time at which the broker appended the batch: the largest. */
export function hasAppendTime(batch: BatchHeader): boolean {
  return (batch.attributes & LOG_APPEND_TIME) !== 0;
}

/** The complete batches of a fetch; a broker cuts the last one where the fetch's limit is. */
export function* batchesOf(records: Buffer): Generator<BatchHeader> {
  const reader = new ByteReader(records);
  while (reader.left >= PREFIX_BYTES) {
    const baseOffset = reader.int64();
    const length = reader.int32();
    if (reader.left < length) return;
    const end = reader.offset + length;
    reader.offset += 4; // leader epoch
    const magic = reader.int8();
    if (magic !== MAGIC)
      throw new FatalLogError(`records at offset ${baseOffset} have the format ${magic} of Kafka before 0.11, which cannot be read`);
    reader.offset += 4; // checksum: TCP has one, and the broker checks its disk
    const attributes = reader.int16();
    const lastOffset = baseOffset + reader.int32();
    const baseTimestampMs = reader.int64();
    const maxTimestampMs = reader.int64();
    const producerId = reader.int64();
    reader.offset += 2 + 4; // producer epoch, base sequence
    const count = reader.int32();
    yield {
      baseOffset,
      lastOffset,
      attributes,
      baseTimestampMs,
      maxTimestampMs,
      producerId,
      count,
      body: records.subarray(reader.offset, end),
    };
    reader.offset = end;
  }
}

/** What is behind the header, as it was before it was compressed. @throws FatalLogError */
export function decompressed(batch: BatchHeader): Buffer {
  const codec = batch.attributes & CODEC;
  if (codec === 0) return batch.body;
  const [name, decompress] = CODECS[codec] ?? [`codec ${codec}`, undefined];
  if (decompress === undefined)
    throw new FatalLogError(`records from offset ${batch.baseOffset} on are compressed with ${name}, which is not known`);
  try {
    return decompress(batch.body);
  } catch (error) {
    throw new FatalLogError(`records from offset ${batch.baseOffset} on cannot be decompressed (${name}): ${(error as Error).message}`, {
      cause: error,
    });
  }
}
