import { readFileSync } from 'node:fs';
import { parseType } from '../avro/types.ts';
import { StateLostError } from '../engine/errors.ts';

/**
 * A command that is not finished, as the sender's changelog and store have it: version byte, then Avro (`schemas/sender-state/v<version>.avsc`). The key
 * is the command id. Behind the input position every command either has all its final outcomes written, or has such a row.
 *
 * A unit is (command, device); its life:
 *
 *   ready --claim committed--> claimed --answer--> final | waiting      (at_most_once: the claim comes before the call)
 *   ready --call----------> calling --answer--> final | waiting         (at_least_once: the call comes before the commit)
 *   waiting --due--> ready
 *
 * Found at a restart, `claimed` has become `unknown` (it may have been called), `calling` is called again.
 */
export interface CommandRow {
  readonly offset: number;
  readonly userId: string;
  readonly collapseKey: string | null;
  readonly accepted: boolean;
  readonly unknown: boolean;
  readonly units: readonly Unit[];
  /** The dispatch record's value. */
  readonly command: Buffer;
}

export interface Unit {
  readonly deviceId: string;
  readonly state: 'ready' | 'claimed' | 'calling' | 'waiting' | 'final';
  /** Calls begun. */
  readonly attempt: number;
  readonly dueMs: number;
  /** An earlier call may have delivered it. */
  readonly doubt: boolean;
  readonly withdrawn: Withdrawn | null;
}

export type Withdrawn = 'revoked' | 'superseded';

/** Named in the position row. */
export const STATE_VERSION = 1;

const v1 = parseType(readFileSync(new URL('../../schemas/sender-state/v1.avsc', import.meta.url), 'utf8'));

export function encodeRow(row: CommandRow): Buffer {
  return Buffer.concat([Buffer.from([STATE_VERSION]), v1.toBuffer(row)]);
}

/** @throws StateLostError when it is no row of a version that this build reads */
export function decodeRow(value: Buffer): CommandRow {
  if (value[0] !== STATE_VERSION)
    throw new StateLostError(`a sender's row has version ${value[0] ?? 'none'}, this build reads ${STATE_VERSION}`);
  try {
    return v1.fromBuffer(value.subarray(1)) as CommandRow;
  } catch (error) {
    throw new StateLostError("a sender's row cannot be read", { cause: error });
  }
}

export function newRow(
  command: { readonly offset: number; readonly userId: string; readonly collapseKey: string | null; readonly deviceIds: readonly string[] },
  value: Buffer,
): CommandRow {
  const { offset, userId, collapseKey, deviceIds } = command;
  const units = deviceIds.map((deviceId): Unit => ({ deviceId, state: 'ready', attempt: 0, dueMs: 0, doubt: false, withdrawn: null }));
  return { offset, userId, collapseKey, accepted: false, unknown: false, units, command: value };
}

export function withUnit(row: CommandRow, index: number, changes: Partial<Unit>): CommandRow {
  const unit = row.units[index];
  if (unit === undefined) throw new RangeError(`a command with ${row.units.length} devices has no device ${index}`);
  return { ...row, units: row.units.with(index, { ...unit, ...changes }) };
}

export function isFinished(row: CommandRow): boolean {
  return row.units.every((unit) => unit.state === 'final');
}

/** Nothing to do for it before a waiting unit is due. */
export function isIdle(row: CommandRow): boolean {
  return row.units.every((unit) => unit.state === 'final' || unit.state === 'waiting');
}
