import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseType } from '../avro/types.ts';
import type { UserState } from '../core/state.ts';
import { DamagedRowError, stateOf } from './user-row-read.ts';
import { rowOf } from './user-row-write.ts';
import type { UserRow } from './user-row.ts';

/**
 * A user's row: a version byte, then Avro (`schemas/user-state/v<version>.avsc`). All older versions stay readable; the newest is written. The user's id is the
 * row's key and not in its value.
 */
const VERSION = 1;

const schemaFile = path.join(import.meta.dirname, '../../schemas/user-state/v1.avsc');
const v1 = parseType(readFileSync(schemaFile, 'utf8'));

/** A row that this Lull cannot read: written by a newer one, or not a row. */
export class UserStateFormatError extends Error {
  override readonly name = 'UserStateFormatError';
}

let scratch = Buffer.allocUnsafe(64 * 1024);

export function encodeUserState(state: UserState): Buffer {
  const row = rowOf(state);
  scratch[0] = VERSION;
  let end = v1.encode(row, scratch, 1);
  if (end < 0) {
    // avsc answers with how many bytes were missing.
    scratch = Buffer.allocUnsafe(2 * (scratch.length - end));
    scratch[0] = VERSION;
    end = v1.encode(row, scratch, 1);
  }
  return Buffer.from(scratch.subarray(0, end));
}

/** @throws UserStateFormatError where the version is unknown, or the bytes are cut or damaged */
export function decodeUserState(bytes: Buffer, userId: string): UserState {
  const version = bytes[0];
  if (version !== VERSION)
    throw new UserStateFormatError(
      version === undefined
        ? 'a user state of 0 bytes: the state topic holds something else'
        : `a user state of version ${version}, this Lull reads ${VERSION}: run the version that wrote it, or a newer one`,
    );
  try {
    const read: { readonly value: UserRow | undefined; readonly offset: number } = v1.decode(bytes, 1);
    if (read.value === undefined || read.offset !== bytes.length) throw new DamagedRowError('its content does not end where it does');
    return stateOf(read.value, userId);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserStateFormatError(`a user state of ${bytes.length} bytes that is cut or damaged: ${why}`, { cause });
  }
}
