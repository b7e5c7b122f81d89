import type { StoreOp } from '../store/port.ts';

/** The table of the timer index: one entry for each user who has timers, at the time when the first of them is due. Derived from user rows, hence not in the changelog. */
export const TIMER_TABLE = 'timer';

const DUE_BYTES = 8;
const LOW = 2 ** 32;
/** All that there is to know is in the key. */
const VALUE = Buffer.alloc(1);

/** A user, and when the first of their timers is due. */
export interface DueUser {
  readonly userId: string;
  readonly dueMs: number;
}

/** The index key. Its byte order is the firing order: due, user. (A user's timers that are due together fire in the order of their ids.) */
export function dueKey({ userId, dueMs }: DueUser): Buffer {
  const key = Buffer.allocUnsafe(DUE_BYTES + Buffer.byteLength(userId, 'utf8'));
  const ms = Math.max(0, dueMs);
  key.writeUInt32BE(Math.floor(ms / LOW), 0);
  key.writeUInt32BE(ms % LOW, DUE_BYTES / 2);
  key.write(userId, DUE_BYTES, 'utf8');
  return key;
}

export function parseDueKey(key: Buffer): DueUser {
  return { dueMs: key.readUInt32BE(0) * LOW + key.readUInt32BE(DUE_BYTES / 2), userId: key.toString('utf8', DUE_BYTES) };
}

/** What the index needs to follow a user from one first due time to another; null = no timers. */
export function indexOps(userId: string, beforeMs: number | null, afterMs: number | null): StoreOp[] {
  const ops: StoreOp[] = [];
  if (beforeMs === afterMs) return ops;
  if (beforeMs !== null) ops.push({ table: TIMER_TABLE, key: dueKey({ userId, dueMs: beforeMs }), value: null });
  if (afterMs !== null) ops.push({ table: TIMER_TABLE, key: dueKey({ userId, dueMs: afterMs }), value: VALUE });
  return ops;
}

/** The order of their keys, without making them. */
export function compareDue(a: DueUser, b: DueUser): number {
  return Math.max(0, a.dueMs) - Math.max(0, b.dueMs) || compareUtf8(a.userId, b.userId);
}

/** By their bytes in UTF-8: JavaScript's own order puts what needs a surrogate pair before U+E000, which comes first in bytes. */
function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  while (at < shorter && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === shorter) return a.length - b.length;
  return rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}
