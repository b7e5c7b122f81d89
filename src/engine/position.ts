import type { InputPosition } from './stage.ts';
import { FatalError } from './errors.ts';

/**
 * The position row: where the task stands in its input. It lives in the changelog, written in the same transaction as the state, so that nothing
 * outside can move it. Keys of user rows are UTF-8, which never holds the byte 0xff: no user can collide with it.
 */
export const POSITION_KEY = Buffer.from([0xff, 0x70]);

export interface PositionRow extends InputPosition {
  /** The stage's state version when it was written. */
  readonly stateVersion: number;
  /** Partition count of the input: fixed for life, keys would move otherwise. */
  readonly partitions: number;
  /** Group generation of the owner, for people who look at the changelog. */
  readonly generationId: number;
}

export function encodePosition(row: PositionRow): Buffer {
  return Buffer.from(JSON.stringify(row));
}

/** @throws FatalError where the row is not one of ours */
export function decodePosition(value: Buffer, where: string): PositionRow {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch {
    parsed = undefined;
  }
  if (!isPositionRow(parsed))
    throw new FatalError(`${where}: the position row cannot be read; was something else written to the changelog?`);
  return parsed;
}

function isPositionRow(value: unknown): value is PositionRow {
  if (typeof value !== 'object' || value === null) return false;
  const row = value as Record<string, unknown>;
  const isStageFine = row['stage'] === undefined || typeof row['stage'] === 'string';
  return (
    isStageFine && ['offset', 'nowMs', 'stateVersion', 'partitions', 'generationId'].every((field) => Number.isSafeInteger(row[field]))
  );
}
