import { indexProgram } from '../core/program-index.ts';
import type { Journey, Program } from '../core/program.ts';

/** Of a match or a ledger entry, without what it keeps of its event and its session. */
const ENTRY_BYTES = 256;
/** Of a type's count, or a sum, in a session's window. Its name stands in the row once. */
const COUNT_BYTES = 32;

const NOTHING = { triggers: [], completes: [], waits: [], trackers: [] } as const;

/**
 * At most how many bytes a step can add to a user's row: each journey that it starts may keep its event and the session as it is, each tracker its key, and each send
 * what the row has of devices and keys. More than it ever is, and still so little that most rows need not be measured after each step.
 * @returns by the bytes of the row and of what the step reads, and its event's type; null = it is a timer's
 */
export function rowGrowthOf(program: Program): (rowBytes: number, inputBytes: number, type: string | null) => number {
  const { types, sessionEnded } = indexProgram(program);
  const entryBytes = ENTRY_BYTES + COUNT_BYTES * (program.eventTypes.size + program.sums.length);
  // What a run does between two waits: messages, and attributes that it sets.
  const changesOf = ({ steps }: Journey): number =>
    steps.reduce((sum, step) => sum + (step.kind === 'send' ? 1 : step.kind === 'update' ? step.set.size : 0), 1);
  const most = Math.max(1, ...program.journeys.map(changesOf));
  const { matchesPerJourney } = program.limits;
  return (rowBytes, inputBytes, type) => {
    const { triggers, completes, waits, trackers } = (type === null ? undefined : types.get(type)) ?? NOTHING;
    const changes =
      most + sumOf(triggers, changesOf) + matchesPerJourney * (sumOf(completes.map(asUse), changesOf) + sumOf(waits, changesOf));
    return changes * rowBytes + (changes + sessionEnded.length + trackers.length) * (inputBytes + entryBytes);
  };
}

function asUse(journey: Journey): { readonly journey: Journey } {
  return { journey };
}

function sumOf(uses: readonly { readonly journey: Journey }[], changesOf: (journey: Journey) => number): number {
  return uses.reduce((sum, { journey }) => sum + changesOf(journey), 0);
}
