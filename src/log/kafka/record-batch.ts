import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { FatalLogError } from '../errors.ts';
import type { LogRecord } from '../port.ts';
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

/** Appends the records from `from` on to `into`. */
export function readRecords(batch: BatchHeader, from: number, into: LogRecord[]): void {
  const bytes = decompressed(batch);
  const reader = new ByteReader(bytes);
  const isAppendTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
  const base: Base = { bytes, offset: batch.baseOffset, timestampMs: isAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs };
  for (let i = 0; i < batch.count; i++) {
    const length = reader.varint();
    if (length < 0 || length > reader.left)
      throw new FatalLogError(`the records from offset ${batch.baseOffset} on are damaged: number ${i} is not whole`);
    const end = reader.offset + length;
    reader.offset++; // attributes: unused
    const givenMs = reader.varint();
    const behindMs = isAppendTime ? 0 : givenMs;
    const behind = reader.varint();
    if (batch.baseOffset + behind >= from) {
      const keyLength = reader.varint();
      const keyAt = reader.offset;
      reader.offset += Math.max(0, keyLength);
      const valueLength = reader.varint();
      const valueAt = reader.offset;
      reader.offset += Math.max(0, valueLength);
      const headers = reader.varint();
      const record = new FetchedRecord(base, behind, behindMs, keyAt, keyLength, valueAt, valueLength);
      into.push(headers === 0 ? record : withHeaders(record, readHeaders(reader, headers)));
    }
    reader.offset = end;
  }
}

/** What a batch's records have in common. */
interface Base {
  readonly bytes: Buffer;
  readonly offset: number;
  readonly timestampMs: number;
}

/**
 * A record without headers, whose parts are made when they are asked for, and each time anew. Thousands of records wait for their turn together, and outlive a garbage
 * collection or two: as views they would be three objects each, and a time or a large offset one more. Here all but the base are small integers.
 */
class FetchedRecord implements LogRecord {
  readonly #base: Base;
  readonly #behind: number;
  readonly #behindMs: number;
  readonly #keyAt: number;
  readonly #keyLength: number;
  readonly #valueAt: number;
  readonly #valueLength: number;

  constructor(base: Base, behind: number, behindMs: number, keyAt: number, keyLength: number, valueAt: number, valueLength: number) {
    this.#base = base;
    this.#behind = behind;
    this.#behindMs = behindMs;
    this.#keyAt = keyAt;
    this.#keyLength = keyLength;
    this.#valueAt = valueAt;
    this.#valueLength = valueLength;
  }

  get offset(): number {
    return this.#base.offset + this.#behind;
  }

  get timestampMs(): number {
    return this.#base.timestampMs + this.#behindMs;
  }

  get key(): Buffer | null {
    return view(this.#base.bytes, this.#keyAt, this.#keyLength);
  }

  get value(): Buffer | null {
    return view(this.#base.bytes, this.#valueAt, this.#valueLength);
  }
}

function withHeaders({ offset, timestampMs, key, value }: FetchedRecord, headers: LogRecord['headers']): LogRecord {
  return { offset, timestampMs, key, value, ...(headers === undefined ? {} : { headers }) };
}

/** null where the length is negative. */
function view(bytes: Buffer, at: number, length: number): Buffer | null {
  return length < 0 ? null : bytes.subarray(at, at + length);
}

function readHeaders(reader: ByteReader, count: number): Record<string, Buffer> {
  // Names come from outside: none of them may reach a prototype.
  const headers = Object.create(null) as Record<string, Buffer>;
  for (let i = 0; i < count; i++) {
    const name = reader.text(reader.varint());
    const length = reader.varint();
    headers[name] = length < 0 ? Buffer.alloc(0) : reader.bytes(length);
  }
  return headers;
}

function decompressed(batch: BatchHeader): Buffer {
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
