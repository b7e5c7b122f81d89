import type { AbortedTransaction } from './committed.ts';
import { ByteReader } from './byte-reader.ts';

export interface FetchRequest {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly committedOnly: boolean;
}

/** One partition's part of a fetch response. */
export interface FetchResponse {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
}

export const FETCH_VERSION = 11;

/** https://kafka.apache.org/protocol#The_Messages_Fetch, of one partition and outside of a fetch session. */
export function encodeFetch(request: FetchRequest): Buffer {
  const topic = Buffer.from(request.topic);
  const body = Buffer.alloc(4 + 4 + 4 + 4 + 1 + 4 + 4 + 4 + 2 + topic.length + 4 + 4 + 4 + 8 + 8 + 4 + 4 + 2);
  let at = body.writeInt32BE(-1, 0); // replica: a consumer
  at = body.writeInt32BE(request.maxWaitMs, at);
  at = body.writeInt32BE(1, at); // at least one byte
  at = body.writeInt32BE(request.maxBytes, at);
  at = body.writeInt8(request.committedOnly ? 1 : 0, at);
  at = body.writeInt32BE(0, at); // no session
  at = body.writeInt32BE(-1, at);
  at = body.writeInt32BE(1, at); // topics
  at = body.writeInt16BE(topic.length, at);
  at += topic.copy(body, at);
  at = body.writeInt32BE(1, at); // partitions
  at = body.writeInt32BE(request.partition, at);
  at = body.writeInt32BE(-1, at); // leader epoch: unknown
  at = body.writeBigInt64BE(BigInt(request.offset), at);
  at = body.writeBigInt64BE(-1n, at); // log start: only replicas know
  at = body.writeInt32BE(request.maxBytes, at);
  at = body.writeInt32BE(0, at); // forgotten topics
  body.writeInt16BE(0, at); // rack: none, so the leader answers
  return body;
}

export function decodeFetch(raw: Buffer): FetchResponse {
  const reader = new ByteReader(raw);
  reader.offset += 4; // throttle time: the broker has waited
  const errorCode = reader.int16();
  reader.offset += 4; // session
  if (errorCode !== 0 || reader.int32() === 0)
    return {
      errorCode: errorCode === 0 ? -1 : errorCode,
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: -1,
      aborted: [],
      records: Buffer.alloc(0),
    };
  reader.string(); // topic
  reader.offset += 4 + 4; // one partition, its number
  const partitionError = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  const logStartOffset = reader.int64();
  const aborted: AbortedTransaction[] = [];
  for (let count = reader.int32(); count > 0; count--) aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
  reader.offset += 4; // preferred replica
  const length = reader.int32();
  const records = length > 0 ? reader.bytes(length) : Buffer.alloc(0);
  return { errorCode: partitionError, highWatermark, lastStableOffset, logStartOffset, aborted, records };
}
