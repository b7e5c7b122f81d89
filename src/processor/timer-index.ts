import type { Timer } from '../core/state.ts';
import type { TimerChanges } from '../core/timers.ts';
import type { StoreOp } from '../store/port.ts';

/** The table of the timer index. Derived from user rows, hence not in the changelog. */
export const TIMER_TABLE = 'timer';

const DUE_BYTES = 8;

export interface UserTimer extends Timer {
  readonly userId: string;
}

/** The index key. Its byte order is the firing order: due, user, timer id. */
export function timerKey({ userId, dueMs, id }: UserTimer): Buffer {
  const userBytes = Buffer.byteLength(userId, 'utf8');
  const key = Buffer.allocUnsafe(DUE_BYTES + userBytes + 1 + Buffer.byteLength(id, 'utf8'));
  key.writeBigUInt64BE(BigInt(Math.max(0, dueMs)), 0);
  key.write(userId, DUE_BYTES, 'utf8');
  key[DUE_BYTES + userBytes] = 0;
  key.write(id, DUE_BYTES + userBytes + 1, 'utf8');
  return key;
}

/** The row's value is the user's length, since ids may hold any byte. */
function insertOp(timer: UserTimer): StoreOp {
  const value = Buffer.allocUnsafe(2);
  value.writeUInt16BE(Buffer.byteLength(timer.userId, 'utf8'), 0);
  return { table: TIMER_TABLE, key: timerKey(timer), value };
}

function deleteOp(timer: UserTimer): StoreOp {
  return { table: TIMER_TABLE, key: timerKey(timer), value: null };
}

export function parseRow(key: Buffer, value: Buffer): UserTimer {
  const userEnd = DUE_BYTES + value.readUInt16BE(0);
  return {
    dueMs: Number(key.readBigUInt64BE(0)),
    userId: key.toString('utf8', DUE_BYTES, userEnd),
    id: key.toString('utf8', userEnd + 1),
  };
}

/** The order of their keys, without making them. */
export function compareTimers(a: UserTimer, b: UserTimer): number {
  const byDue = Math.max(0, a.dueMs) - Math.max(0, b.dueMs);
  if (byDue !== 0) return byDue;
  return a.userId === b.userId ? compareUtf8(a.id, b.id) : compareUtf8(`${a.userId}\0${a.id}`, `${b.userId}\0${b.id}`);
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

/** What the index needs to follow a user from one state to another. */
export function indexOps(userId: string, { removed, added }: TimerChanges): StoreOp[] {
  return [
    ...removed.map(({ dueMs, id }) => deleteOp({ userId, dueMs, id })),
    ...added.map(({ dueMs, id }) => insertOp({ userId, dueMs, id })),
  ];
}
