import type { UserState } from '../core/state.ts';
import { RowInput } from './user-row-input.ts';
import { RowOutput } from './user-row-output.ts';
import { readUserState } from './user-row-read.ts';
import { writeUserState } from './user-row-write.ts';

/**
 * A user's row: a version byte, then Avro (`schemas/user-state/v<version>.avsc`). All older versions stay readable (but 1, which was never released); the newest is
 * written. The user's id is the row's key and not in its value. A change here is one of `STATE_VERSION` in `stage.ts` too.
 */
const VERSION = 4;
const OLDEST_VERSION = 2;

/** A row that this Lull cannot read: written by a newer one, or not a row. */
export class UserStateFormatError extends Error {
  override readonly name = 'UserStateFormatError';
}

const out = new RowOutput();
const row = new RowInput();

/** @throws RangeError where a number cannot be kept exactly */
export function encodeUserState(state: UserState): Buffer {
  do {
    out.begin();
    writeUserState(out, state);
  } while (!out.fits());
  return out.row(VERSION);
}

/** @throws UserStateFormatError where the version is unknown, or the bytes are cut or damaged */
export function decodeUserState(bytes: Buffer, userId: string): UserState {
  const version = bytes[0];
  if (version === undefined || version < OLDEST_VERSION || version > VERSION)
    throw new UserStateFormatError(
      version === undefined
        ? 'a user state of 0 bytes: the state topic holds something else'
        : `a user state of version ${version}, this Lull reads ${OLDEST_VERSION} to ${VERSION}: run the version that wrote it, or ${version > VERSION ? 'a newer one' : 'start over with another --prefix'}`,
    );
  try {
    row.begin(bytes);
    const state = readUserState(row, userId);
    row.end();
    return state;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserStateFormatError(`a user state of ${bytes.length} bytes that is cut or damaged: ${why}`, { cause });
  }
}
