import avsc from 'avsc';
import { FIRST_PRODUCT_EVENT } from '../../src/avro/schemas.ts';
import type { BenchEvent } from './w1-events.ts';

/**
 * The workloads' records as another product would write and read them: plain avsc, none of Lull's codec. A frame with schema id 1, then Avro of
 * `lull.v1.ProductEvent`'s first five fields.
 */
const TYPE = avsc.Type.forSchema(JSON.parse(FIRST_PRODUCT_EVENT) as Parameters<typeof avsc.Type.forSchema>[0], { wrapUnions: true });
const FRAME = Buffer.from([0, 0, 0, 0, 1]);

type Wrapped = { readonly string: string } | { readonly long: number } | { readonly double: number };
interface Plain {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly properties: Readonly<Record<string, Wrapped>>;
}

export function encodeEvent({ eventId, userId, type, occurredAtMs, properties }: BenchEvent): Buffer {
  const wrapped = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, wrap(name, value)]));
  const plain: Plain = { eventId, userId, type, occurredAt: occurredAtMs, properties: wrapped };
  return Buffer.concat([FRAME, TYPE.toBuffer(plain)]);
}

export function decodeEvent(value: Buffer): BenchEvent {
  const { eventId, userId, type, occurredAt, properties } = TYPE.fromBuffer(value.subarray(FRAME.length)) as Plain;
  const plain = Object.fromEntries(Object.entries(properties).map(([name, branch]) => [name, Object.values(branch)[0] as string | number]));
  return { eventId, userId, type, occurredAtMs: occurredAt, properties: plain };
}

/** A price is a double also where it is a whole number. */
function wrap(name: string, value: string | number): Wrapped {
  if (typeof value === 'string') return { string: value };
  return name === 'price' ? { double: value } : { long: value };
}
