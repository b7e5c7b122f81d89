import { createHash } from 'node:crypto';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import type { CommandRow, Unit } from './command-row.ts';

/** Rows as they are; the changelog's. */
export const COMMAND_TABLE = 'commands';
/** Units that wait: due time, command, device -> nothing. */
const DUE_TABLE = 'due';
/** Units that were claimed, called or about to be: what a restart has to settle. */
const OPEN_TABLE = 'open';
/** Unfinished units by (user, device, collapse key), in the order of their commands. */
const COLLAPSE_TABLE = 'collapse';

export const INDEX_TABLES: readonly string[] = [DUE_TABLE, OPEN_TABLE, COLLAPSE_TABLE];

export interface UnitRef {
  readonly commandId: string;
  readonly index: number;
}

const NOTHING = Buffer.alloc(0);
const COLLAPSE_BYTES = 16;

/** What changes in the indexes when a command's row changes. null = no row. */
export function indexOps(commandId: string, before: CommandRow | null, after: CommandRow | null): StoreOp[] {
  const old = entries(commandId, before);
  const now = entries(commandId, after);
  const same = (a: Entry, b: Entry): boolean => a.table === b.table && a.key.equals(b.key);
  return [
    ...old.filter((entry) => !now.some((other) => same(entry, other))).map((entry) => ({ ...entry, value: null })),
    ...now.filter((entry) => !old.some((other) => same(entry, other))).map((entry) => ({ ...entry, value: NOTHING })),
  ];
}

/** Waiting units that are due at or before `nowMs`, earliest first. */
export async function dueUnits(store: PartitionStore, nowMs: number, limit: number): Promise<readonly UnitRef[]> {
  const rows = await store.scan(DUE_TABLE, { lt: timeKey(nowMs + 1), limit });
  return rows.map(({ key }) => refOf(key, 8));
}

/** When the earliest waiting unit is due; null where none waits. */
export async function nextDueMs(store: PartitionStore): Promise<number | null> {
  const [first] = await store.scan(DUE_TABLE, { limit: 1 });
  return first === undefined ? null : Number(first.key.readBigUInt64BE(0));
}

export async function countWaiting(store: PartitionStore, atMost: number): Promise<number> {
  return (await store.scan(DUE_TABLE, { limit: atMost })).length;
}

/** Units that a former task left claimed, calling or ready. */
export async function openUnits(store: PartitionStore, after: UnitRef | null, limit: number): Promise<readonly UnitRef[]> {
  const gte = after === null ? {} : { gte: Buffer.concat([refKey(after), Buffer.from([0])]) };
  return (await store.scan(OPEN_TABLE, { ...gte, limit })).map(({ key }) => refOf(key, 0));
}

/** Unfinished units with this collapse key, whose command came before `offset`. */
export async function olderUnits(store: PartitionStore, collapse: Buffer, offset: number, limit: number): Promise<readonly UnitRef[]> {
  const rows = await store.scan(COLLAPSE_TABLE, { gte: collapse, lt: Buffer.concat([collapse, timeKey(offset)]), limit });
  return rows.map(({ key }) => refOf(key, COLLAPSE_BYTES + 8));
}

/** (user, device, collapse key) as 16 bytes: the parts are of any length. */
export function collapseHash(userId: string, deviceId: string, collapseKey: string): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([userId, deviceId, collapseKey]))
    .digest()
    .subarray(0, COLLAPSE_BYTES);
}

interface Entry {
  readonly table: string;
  readonly key: Buffer;
}

function entries(commandId: string, row: CommandRow | null): Entry[] {
  return (row?.units ?? []).flatMap((unit, index) => unitEntries({ commandId, index }, row, unit));
}

function unitEntries(ref: UnitRef, row: CommandRow | null, unit: Unit): Entry[] {
  if (row === null || unit.state === 'final') return [];
  const key = refKey(ref);
  const stand =
    unit.state === 'waiting' ? { table: DUE_TABLE, key: Buffer.concat([timeKey(unit.dueMs), key]) } : { table: OPEN_TABLE, key };
  if (row.collapseKey === null) return [stand];
  const hash = collapseHash(row.userId, unit.deviceId, row.collapseKey);
  return [stand, { table: COLLAPSE_TABLE, key: Buffer.concat([hash, timeKey(row.offset), key]) }];
}

/** Big-endian, so that byte order is number order. */
function timeKey(value: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(value));
  return key;
}

function refKey({ commandId, index }: UnitRef): Buffer {
  const id = Buffer.from(commandId);
  const key = Buffer.alloc(id.length + 2);
  id.copy(key);
  key.writeUInt16BE(index, id.length);
  return key;
}

function refOf(key: Buffer, from: number): UnitRef {
  return { commandId: key.toString('utf8', from, key.length - 2), index: key.readUInt16BE(key.length - 2) };
}
