import { indexProgram } from '../core/program-index.ts';
import type { Program } from '../core/program.ts';

/** Of a match or a ledger entry, without what it keeps of its event and its session. */
const ENTRY_BYTES = 256;
/** Of a type's count, or a sum, in a session's window. Its name stands in the row once. */
const COUNT_BYTES = 32;

/**
 * At most how many bytes a step can add to a user's row: each journey that it starts may keep its event, and the session as it is. More than it ever is, and still so
 * little that rows need not be measured after each step.
 * @returns by the bytes of what the step reads, and its event's type; null = it is a timer's
 */
export function rowGrowthOf(program: Program): (inputBytes: number, type: string | null) => number {
  const { types, sessionEnded } = indexProgram(program);
  const entryBytes = ENTRY_BYTES + COUNT_BYTES * (program.eventTypes.size + program.sums.length);
  return (inputBytes, type) => {
    const started = type === null ? 0 : (types.get(type)?.triggers.length ?? 0);
    return (1 + sessionEnded.length + started) * (inputBytes + entryBytes);
  };
}
