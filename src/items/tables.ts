import type { StoreOp } from '../store/port.ts';
import { endKey } from './row.ts';

/** Rows of interest and the cursor, as in the changelog. */
export const INTEREST_TABLE = 'interest';
/** When they end: derived from them, hence not in the changelog. */
export const END_TABLE = 'end';

/** All that there is to know is in the key. */
const VALUE = Buffer.alloc(1);

/** What the index needs to follow a row from one end to another; null = no row. */
export function endOps(rowKey: Buffer, beforeMs: number | null, afterMs: number | null): StoreOp[] {
  const ops: StoreOp[] = [];
  if (beforeMs === afterMs) return ops;
  if (beforeMs !== null) ops.push({ table: END_TABLE, key: endKey(beforeMs, rowKey), value: null });
  if (afterMs !== null) ops.push({ table: END_TABLE, key: endKey(afterMs, rowKey), value: VALUE });
  return ops;
}
