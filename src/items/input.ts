import type { Codec } from '../avro/codec.ts';
import { PoisonError } from '../avro/errors.ts';
import type { ItemChange, ItemInterest } from '../avro/records.ts';
import { MAX_ITEM_ID_BYTES, MAX_USER_ID_BYTES } from '../core/event.ts';
import type { Refusal } from '../engine/dead-letter.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { LogRecord } from '../log/port.ts';

/** The type is part of a key, like the ids. */
const MAX_TYPE_BYTES = 256;

/** What a record of the topic of items turned out to be. */
export type ItemInput =
  | { readonly kind: 'interest'; readonly interest: ItemInterest }
  | { readonly kind: 'change'; readonly change: ItemChange }
  /** Its item belongs to another partition. */
  | { readonly kind: 'elsewhere'; readonly partition: number }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface ItemInputOptions {
  readonly codec: Codec;
  readonly partition: number;
  readonly partitions: number;
  readonly maxEventBytes: number;
}

/** Decodes and checks one record, whatever is kept of its item. Call `codec.prepare` for the batch first. */
export function readItemRecord(record: LogRecord, { codec, partition, partitions, maxEventBytes }: ItemInputOptions): ItemInput {
  const { key, value } = record;
  if (value === null) return refused('null_value', 'a record of an item without a value');
  if (value.length > maxEventBytes) return refused('too_large', `${value.length} bytes, at most ${maxEventBytes} are taken`);
  let decoded;
  try {
    decoded = codec.decode(value);
  } catch (error) {
    if (error instanceof PoisonError) return refused(error.reason, error.message);
    throw error;
  }
  let input: Extract<ItemInput, { kind: 'interest' | 'change' }>;
  if (decoded.record === 'lull.v1.ItemChange') input = { kind: 'change', change: decoded.value };
  else if (decoded.record === 'lull.v1.ItemInterest') input = { kind: 'interest', interest: decoded.value };
  else return refused('unexpected_schema', `${decoded.record} does not belong on the topic of items`);
  if (key === null) return refused('null_key', 'without a key: its item has no order');
  const refusal = input.kind === 'change' ? ofChange(input.change) : ofInterest(input.interest);
  if (refusal !== null) return { kind: 'refused', refusal };
  if (!key.equals(Buffer.from(decoded.value.itemId))) return refused('key_mismatch', 'the record key is not its itemId');
  const home = partitionFor(key, partitions);
  return home === partition ? input : { kind: 'elsewhere', partition: home };
}

function ofChange({ itemId, type }: ItemChange): Refusal | null {
  if (type.startsWith('$')) return { reason: 'reserved_event', detail: 'the type of a change does not start with $' };
  return wrongLength('item_id_length', 'itemId', itemId, MAX_ITEM_ID_BYTES) ?? wrongLength('type_length', 'type', type, MAX_TYPE_BYTES);
}

function ofInterest({ itemId, change, userId }: ItemInterest): Refusal | null {
  return (
    wrongLength('item_id_length', 'itemId', itemId, MAX_ITEM_ID_BYTES) ??
    wrongLength('type_length', 'change', change, MAX_TYPE_BYTES) ??
    wrongLength('user_id_length', 'userId', userId, MAX_USER_ID_BYTES)
  );
}

function wrongLength(reason: string, field: string, text: string, max: number): Refusal | null {
  const bytes = Buffer.byteLength(text, 'utf8');
  return bytes >= 1 && bytes <= max ? null : { reason, detail: `${field} has ${bytes} bytes, 1 to ${max} are taken` };
}

function refused(reason: string, detail: string): ItemInput {
  return { kind: 'refused', refusal: { reason, detail } };
}
