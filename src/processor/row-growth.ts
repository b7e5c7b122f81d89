import { indexProgram } from '../core/program-index.ts';
import type { Program } from '../core/program.ts';

/** Of a match or a ledger entry, without what it keeps of its event and its session. */
const ENTRY_BYTES = 256;
/** Of a type's count, or a sum, in a session's window. Its name stands in the row once. */
const COUNT_BYTES = 32;

const NOTHING = { triggers: [], completes: [], trackers: [] } as const;

/**
 * At most how many bytes a step can add to a user's row: each journey that it starts may keep its event and the session as it is, each tracker its key, and each send
 * what the row has of devices and keys. More than it ever is, and still so little that most rows need not be measured after each step.
 * @returns by the bytes of the row and of what the step reads, and its event's type; null = it is a timer's
 */
export function rowGrowthOf(program: Program): (rowBytes: number, inputBytes: number, type: string | null) => number {
  const { types, sessionEnded } = indexProgram(program);
  const entryBytes = ENTRY_BYTES + COUNT_BYTES * (program.eventTypes.size + program.sums.length);
  return (rowBytes, inputBytes, type) => {
    const { triggers, completes, trackers } = (type === null ? undefined : types.get(type)) ?? NOTHING;
    const sent = 1 + triggers.length + completes.length;
    return sent * rowBytes + (sent + sessionEnded.length + trackers.length) * (inputBytes + entryBytes);
  };
}
