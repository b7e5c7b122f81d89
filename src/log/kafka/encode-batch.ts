import type { Headers, OutRecord } from '../port.ts';
import { crc32c } from './crc32c.ts';

export interface ProducerIdentity {
  readonly producerId: string;
  readonly producerEpoch: number;
}

const HEADER_BYTES = 61;
const TRANSACTIONAL = 0x10;
const MAX_VARINT_BYTES = 10;
const NO_HEADERS: readonly [string, Buffer][] = [];

/** Never less than what the record takes in a batch. */
export function recordBytesAtMost(record: OutRecord): number {
  let bytes = 6 * MAX_VARINT_BYTES + 1 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of entries(record.headers)) bytes += 2 * MAX_VARINT_BYTES + 3 * name.length + value.length;
  return bytes;
}

/** One record batch, version 2, uncompressed: https://kafka.apache.org/documentation/#recordbatch */
export function encodeBatch(
  records: readonly OutRecord[],
  producer: ProducerIdentity,
  baseSequence: number,
  transactional: boolean,
  nowMs: number,
): Buffer {
  let atMost = HEADER_BYTES;
  for (const record of records) atMost += recordBytesAtMost(record);
  const writer = new ByteWriter(Buffer.allocUnsafe(atMost), HEADER_BYTES);
  const baseTimestampMs = records[0]!.timestampMs ?? nowMs;
  let maxTimestampMs = baseTimestampMs;
  for (let i = 0; i < records.length; i++) {
    const timestampMs = records[i]!.timestampMs ?? nowMs;
    maxTimestampMs = Math.max(maxTimestampMs, timestampMs);
    writeRecord(writer, records[i]!, i, timestampMs - baseTimestampMs);
  }
  const batch = writer.written();
  batch.writeBigInt64BE(0n, 0); // base offset: the broker's
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12); // leader epoch: the broker's
  batch.writeInt8(2, 16);
  batch.writeInt16BE(transactional ? TRANSACTIONAL : 0, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestampMs), 27);
  batch.writeBigInt64BE(BigInt(maxTimestampMs), 35);
  batch.writeBigInt64BE(BigInt(producer.producerId), 43);
  batch.writeInt16BE(producer.producerEpoch, 51);
  batch.writeInt32BE(baseSequence, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17); // over all that follows it
  return batch;
}

function writeRecord(writer: ByteWriter, record: OutRecord, offsetDelta: number, timestampDelta: number): void {
  const { key, value } = record;
  const headers = entries(record.headers);
  let length =
    1 +
    varintBytes(timestampDelta) +
    varintBytes(offsetDelta) +
    bytesWithLength(key) +
    bytesWithLength(value) +
    varintBytes(headers.length);
  for (const [name, content] of headers) {
    const nameBytes = Buffer.byteLength(name);
    length += varintBytes(nameBytes) + nameBytes + bytesWithLength(content);
  }
  writer.varint(length);
  writer.int8(0);
  writer.varint(timestampDelta);
  writer.varint(offsetDelta);
  writer.bytes(key);
  writer.bytes(value);
  writer.varint(headers.length);
  for (const [name, content] of headers) {
    writer.bytes(Buffer.from(name));
    writer.bytes(content);
  }
}

/** Nearly all records, a commit's rows, have none. */
function entries(headers: Headers | undefined): readonly [string, Buffer][] {
  return headers === undefined ? NO_HEADERS : Object.entries(headers);
}

function bytesWithLength(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) bytes++;
  return bytes;
}

class ByteWriter {
  readonly #buffer: Buffer;
  #offset: number;

  constructor(buffer: Buffer, offset: number) {
    this.#buffer = buffer;
    this.#offset = offset;
  }

  int8(value: number): void {
    this.#buffer[this.#offset++] = value;
  }

  varint(value: number): void {
    let left = zigzag(value);
    while (left >= 0x80) {
      this.#buffer[this.#offset++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#buffer[this.#offset++] = left;
  }

  /** With its length before it; null is -1. */
  bytes(bytes: Buffer | null): void {
    this.varint(bytes?.length ?? -1);
    if (bytes === null) return;
    this.#buffer.set(bytes, this.#offset);
    this.#offset += bytes.length;
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#offset);
  }
}
