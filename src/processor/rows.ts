import type { UserState } from '../core/state.ts';
import { StateLostError, toError } from '../engine/errors.ts';
import { decodeUserState, encodeUserState } from './user-state-codec.ts';

/** Users' rows, as far as they can be kept. */

/** A row or a command over this is refused: its record is rolled back alone. */
export const MAX_ROW_BYTES = 256 * 1024;

/** A user's row has grown over `MAX_ROW_BYTES`, or cannot be kept at all, which only shows when it is encoded. */
export class RowError extends Error {
  override readonly name = 'RowError';
  /** The dead letter's. */
  readonly reason: 'row_too_large' | 'step_failed';

  constructor(reason: RowError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** @throws RowError where it cannot be kept */
export function encodeRow(state: UserState): Buffer {
  let row;
  try {
    row = encodeUserState(state);
  } catch (error) {
    if (error instanceof RangeError) throw new RowError('step_failed', `it makes a user row that cannot be kept: ${error.message}`);
    throw error;
  }
  if (row.length > MAX_ROW_BYTES)
    throw new RowError('row_too_large', `it makes a user row of ${row.length} bytes, at most ${MAX_ROW_BYTES} are kept`);
  return row;
}

/** @throws StateLostError where it cannot be read */
export function decodeRow(row: Buffer, userId: string): UserState {
  try {
    return decodeUserState(row, userId);
  } catch (cause) {
    // The changelog has the row as it was written; a restore says so if that is bad too.
    throw new StateLostError(`the local store has ${toError(cause).message}`, { cause });
  }
}
