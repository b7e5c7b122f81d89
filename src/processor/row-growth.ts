import type { Program } from '../core/program.ts';

/** Of a match or a ledger entry, without what it keeps of its event and its session. */
const ENTRY_BYTES = 256;
/** Of a type's count, or a sum, in a session's window. Its name stands in the row once. */
const COUNT_BYTES = 32;

/**
 * At most how many bytes a step can add to a user's row: every journey may keep its event once, and the session as it is. Far more than it ever is, and still so little
 * that rows need not be measured after each step.
 * @returns by the bytes of what the step reads
 */
export function rowGrowthOf({ journeys, eventTypes, sums }: Program): (inputBytes: number) => number {
  const copies = journeys.length + 1;
  const entryBytes = ENTRY_BYTES + COUNT_BYTES * (eventTypes.size + sums.length);
  return (inputBytes) => copies * (inputBytes + entryBytes);
}
