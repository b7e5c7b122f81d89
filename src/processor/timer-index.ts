import type { Timer } from '../core/state.ts';
import type { StoreOp } from '../store/port.ts';

/** The table of the timer index. Derived from user rows, hence not in the changelog. */
export const TIMER_TABLE = 'timer';

const DUE_BYTES = 8;

/** A user's timer with its index key. The key's byte order is the firing order: due, user, timer id. */
export interface IndexedTimer extends Timer {
  readonly userId: string;
  readonly key: Buffer;
}

export function indexed(userId: string, timer: Timer): IndexedTimer {
  const user = Buffer.from(userId, 'utf8');
  const id = Buffer.from(timer.id, 'utf8');
  const key = Buffer.allocUnsafe(DUE_BYTES + user.length + 1 + id.length);
  key.writeBigUInt64BE(BigInt(Math.max(0, timer.dueMs)), 0);
  user.copy(key, DUE_BYTES);
  key[DUE_BYTES + user.length] = 0;
  id.copy(key, DUE_BYTES + user.length + 1);
  return { userId, dueMs: timer.dueMs, id: timer.id, key };
}

/** The row's value is the user's length, since ids may hold any byte. */
function insertOp(timer: IndexedTimer): StoreOp {
  const value = Buffer.allocUnsafe(2);
  value.writeUInt16BE(Buffer.byteLength(timer.userId, 'utf8'), 0);
  return { table: TIMER_TABLE, key: timer.key, value };
}

function deleteOp(timer: IndexedTimer): StoreOp {
  return { table: TIMER_TABLE, key: timer.key, value: null };
}

export function parseRow(key: Buffer, value: Buffer): IndexedTimer {
  const userEnd = DUE_BYTES + value.readUInt16BE(0);
  return {
    dueMs: Number(key.readBigUInt64BE(0)),
    userId: key.toString('utf8', DUE_BYTES, userEnd),
    id: key.toString('utf8', userEnd + 1),
    key,
  };
}

export function compareTimers(a: IndexedTimer, b: IndexedTimer): number {
  return a.dueMs - b.dueMs || Buffer.compare(a.key, b.key);
}

/** Timers that came and went between two states of a user. */
export function timerChanges(before: readonly Timer[], after: readonly Timer[]): { readonly removed: Timer[]; readonly added: Timer[] } {
  const same = (a: Timer) => (b: Timer) => a.dueMs === b.dueMs && a.id === b.id;
  return {
    removed: before.filter((timer) => !after.some(same(timer))),
    added: after.filter((timer) => !before.some(same(timer))),
  };
}

/** What the index needs to follow a user from one set of timers to another. */
export function indexOps(userId: string, before: readonly Timer[], after: readonly Timer[]): StoreOp[] {
  const { removed, added } = timerChanges(before, after);
  return [...removed.map((timer) => deleteOp(indexed(userId, timer))), ...added.map((timer) => insertOp(indexed(userId, timer)))];
}
