import type { Codec } from '../avro/codec.ts';
import { PoisonError } from '../avro/errors.ts';
import type { ProductEvent, TopologyInForce } from '../avro/records.ts';
import { isTextAt } from '../avro/shared-text.ts';
import { MAX_TRACE_PARENT_BYTES, MAX_USER_ID_BYTES, type Event } from '../core/event.ts';
import type { LogRecord, TopicPartition } from '../log/port.ts';
import type { Refusal } from '../engine/dead-letter.ts';

/** Of a UTF-16 code unit in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

/** What a timeline record turned out to be. */
export type Input =
  | {
      readonly kind: 'event';
      readonly event: Event;
      readonly forwarded: boolean;
      readonly bytes: number;
      /** Where it is the change of an item: which. */
      readonly itemId: string | null;
    }
  | { readonly kind: 'tick'; readonly maxTimers: number; readonly upToMs: number | null }
  | { readonly kind: 'topology'; readonly topology: TopologyInForce }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/**
 * Decodes and checks one record of the timeline. Nothing here depends on state: a record is refused for what it is, with a reason, or it goes on.
 * Call `codec.prepare` for the batch first.
 */
export function readInput(codec: Codec, source: TopicPartition, record: LogRecord, maxEventBytes: number): Input {
  const { value } = record;
  if (value === null) return refused('null_value', 'a timeline record without a value');
  let decoded;
  try {
    decoded = codec.decode(value);
  } catch (error) {
    if (error instanceof PoisonError) return refused(error.reason, error.message);
    throw error;
  }
  if (decoded.record === 'lull.v1.Control') {
    const { tick, forward, ingested, fanOut, topology } = decoded.value;
    if (tick !== null) {
      // Lull writes none with a key; what has one belongs to that user alone.
      if (record.key !== null) return refused('keyed_tick', 'a tick with a key: ticks are of the whole partition');
      return { kind: 'tick', maxTimers: tick.maxTimers, upToMs: tick.upTo };
    }
    if (forward !== null)
      return readEvent(source, record, forward, { appendedAtMs: forward.appendedAt, forwarded: true, bytes: value.length });
    if (ingested !== null) {
      // Another broker's clock may be ahead: nothing was there before it was.
      const appendedAtMs = Math.min(ingested.appendedAt ?? Infinity, record.timestampMs);
      const event = { ...ingested, sentAt: null, imported: false };
      return readEvent(source, record, event, { appendedAtMs, forwarded: false, bytes: value.length });
    }
    if (fanOut !== null) {
      const appendedAtMs = Math.min(fanOut.appendedAt, record.timestampMs);
      const event = { ...fanOut, sentAt: null, imported: false };
      return readEvent(source, record, event, { appendedAtMs, forwarded: false, bytes: value.length, itemId: fanOut.itemId });
    }
    if (topology !== null) {
      if (record.key !== null) return refused('keyed_topology', 'a topology with a key: it is in force on the whole partition');
      return { kind: 'topology', topology };
    }
    return refused('unknown_control', 'a control record that this version does not know');
  }
  if (decoded.record !== 'lull.v1.ProductEvent') return refused('unexpected_schema', `${decoded.record} does not belong on the timeline`);
  // Only what others write has this limit: a forward or a fan-out is a little larger than what it carries.
  if (value.length > maxEventBytes) return refused('too_large', `${value.length} bytes, at most ${maxEventBytes} are taken`);
  return readEvent(source, record, decoded.value, { appendedAtMs: record.timestampMs, forwarded: false, bytes: value.length });
}

interface Origin {
  readonly appendedAtMs: number;
  readonly forwarded: boolean;
  readonly bytes: number;
  readonly itemId?: string | null;
}

/** A forwarded event has its place in the log where it was forwarded to, and its first append time. */
function readEvent(
  source: TopicPartition,
  record: LogRecord,
  value: ProductEvent,
  { appendedAtMs, forwarded, bytes, itemId = null }: Origin,
): Input {
  const { key } = record;
  if (key === null) return refused('null_key', 'a product event without a key: its user has no order');
  const { length } = value.userId;
  if (length === 0 || (length > MAX_USER_ID_BYTES / MAX_BYTES_PER_UNIT && Buffer.byteLength(value.userId, 'utf8') > MAX_USER_ID_BYTES)) {
    const userBytes = Buffer.byteLength(value.userId, 'utf8');
    return refused('user_id_length', `userId has ${userBytes} bytes, 1 to ${MAX_USER_ID_BYTES} are taken`);
  }
  if (!isTextOf(key, value.userId)) return refused('key_mismatch', 'the record key is not its userId');
  return {
    kind: 'event',
    forwarded,
    bytes,
    itemId,
    event: {
      topic: source.topic,
      partition: source.partition,
      offset: record.offset,
      eventId: value.eventId,
      userId: value.userId,
      type: value.type,
      occurredAtMs: value.occurredAt,
      sentAtMs: value.sentAt,
      properties: value.properties,
      imported: value.imported,
      appendedAtMs,
      traceParent: traceParentOf(record),
    },
  };
}

function traceParentOf({ headers }: LogRecord): string | null {
  const header = headers?.['traceparent'];
  return header === undefined || header.length > MAX_TRACE_PARENT_BYTES ? null : header.toString('utf8');
}

/** By bytes: keys that are not UTF-8 all read as the replacement character, and stand on different partitions. */
function isTextOf(key: Buffer, text: string): boolean {
  return isTextAt(key, 0, key.length, text) || key.equals(Buffer.from(text, 'utf8'));
}

function refused(reason: string, detail: string): Input {
  return { kind: 'refused', refusal: { reason, detail } };
}
