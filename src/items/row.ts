/**
 * Rows of interest, as they stand in the changelog and in the store.
 *
 * Key: length of the item's id, the id, length of the change's type, the type, the user's id. Lengths are two bytes, so whoever is interested in one change of one item is one
 * range of keys, whatever characters the ids have. Value: a version, and until when.
 */
const LENGTH_BYTES = 2;
/** Enough until the year 10889. */
const MS_BYTES = 6;
const MAX_MS = 2 ** (8 * MS_BYTES) - 1;
const VERSION = 1;

/**
 * How far the change stands that is being told: one row, beside the position row. No row of interest begins with the byte 0xff, a high one of a length of at most 256.
 */
export const CURSOR_KEY = Buffer.from([0xff, 0x63]);

/** What the keys of all who are interested begin with. */
export function prefixOf(itemId: string, change: string): Buffer {
  const item = Buffer.from(itemId);
  const type = Buffer.from(change);
  const prefix = Buffer.allocUnsafe(2 * LENGTH_BYTES + item.length + type.length);
  prefix.writeUInt16BE(item.length, 0);
  item.copy(prefix, LENGTH_BYTES);
  prefix.writeUInt16BE(type.length, LENGTH_BYTES + item.length);
  type.copy(prefix, 2 * LENGTH_BYTES + item.length);
  return prefix;
}

/** The first key behind those with this prefix. It ends in a byte of UTF-8, so it never overflows. */
export function behindPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]!++;
  return end;
}

export function encodeUntil(untilMs: number): Buffer {
  const value = Buffer.allocUnsafe(1 + MS_BYTES);
  value[0] = VERSION;
  value.writeUIntBE(Math.min(untilMs, MAX_MS), 1, MS_BYTES);
  return value;
}

/** @throws Error where it is none of ours */
export function decodeUntil(value: Buffer): number {
  if (value[0] !== VERSION || value.length !== 1 + MS_BYTES) throw new Error(`a row of interest that this version cannot read`);
  return value.readUIntBE(1, MS_BYTES);
}

/** Of the change at this offset, everybody up to and with this row has been told. */
export interface Cursor {
  readonly offset: number;
  readonly after: Buffer;
}

export function encodeCursor({ offset, after }: Cursor): Buffer {
  const head = Buffer.allocUnsafe(1 + MS_BYTES);
  head[0] = VERSION;
  head.writeUIntBE(offset, 1, MS_BYTES);
  return Buffer.concat([head, after]);
}

/** @throws Error where it is none of ours */
export function decodeCursor(value: Buffer): Cursor {
  if (value[0] !== VERSION || value.length <= 1 + MS_BYTES) throw new Error(`a cursor that this version cannot read`);
  return { offset: value.readUIntBE(1, MS_BYTES), after: Buffer.from(value.subarray(1 + MS_BYTES)) };
}

/** The index of when interest ends: a key that sorts by that. */
export function endKey(untilMs: number, rowKey: Buffer): Buffer {
  const key = Buffer.allocUnsafe(MS_BYTES + rowKey.length);
  key.writeUIntBE(Math.min(untilMs, MAX_MS), 0, MS_BYTES);
  rowKey.copy(key, MS_BYTES);
  return key;
}

export function parseEndKey(key: Buffer): { readonly untilMs: number; readonly rowKey: Buffer } {
  return { untilMs: key.readUIntBE(0, MS_BYTES), rowKey: key.subarray(MS_BYTES) };
}
