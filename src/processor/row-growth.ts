import { indexProgram, SESSION_STARTED } from '../core/program-index.ts';
import type { Journey } from '../core/journey.ts';
import type { Program } from '../core/program.ts';
import { MAX_ATTRIBUTE_LENGTH } from '../core/updates.ts';

/** Of a match or a ledger entry, without what it keeps of its event and its session. */
const ENTRY_BYTES = 256;
/** Of a type's count, or a sum, in a session's window. Its name stands in the row once. */
const COUNT_BYTES = 32;
/** Of an attribute that a run sets, with its name. */
const ATTRIBUTE_BYTES = 3 * MAX_ATTRIBUTE_LENGTH + ENTRY_BYTES;

const NOTHING = { triggers: [], completes: [], waits: [], trackers: [], tallies: [], activity: false } as const;

/** What a run may leave: matches and ledger entries, of which each may have all that the row and the event have; and attributes. */
interface Growth {
  readonly entries: number;
  readonly attributes: number;
}

/**
 * At most how many bytes a step can add to a user's row: each journey that it starts may keep its event and the session as it is, each tracker and tally its key, each send
 * what the row has of devices and keys, and an update may start more journeys. More than it ever is, and still so little that most rows need not be measured after each step.
 * @returns by the bytes of the row and of what the step reads, and its event's type; null = it is a timer's, with which so many runs may go on
 */
export function rowGrowthOf(program: Program): (rowBytes: number, inputBytes: number, type: string | null, runs?: number) => number {
  const { types, sessionEnded } = indexProgram(program);
  const entryBytes = ENTRY_BYTES + COUNT_BYTES * (program.eventTypes.size + program.sums.length);
  const journeys = [...program.journeys, ...(program.retired ?? []).map(({ journey }) => journey)];
  const growths = new Map(journeys.map((journey) => [journey, journeyGrowth(program, journey)]));
  const growthOf = (journey: Journey): Growth => growths.get(journey)!;
  // What a timer's run does until it waits.
  const most = largest(journeys.map(growthOf));
  const ofProfile = sumOf(program.journeys.filter(({ pattern }) => pattern.kind === 'attribute' || pattern.kind === 'date').map(growthOf));
  const ofSession = sumOf((types.get(SESSION_STARTED)?.triggers ?? []).map(({ journey }) => growthOf(journey)));
  const { matchesPerJourney } = program.limits;
  const byType = new Map<string | null, Growth & { readonly keys: number }>();

  const ofType = (type: string | null): Growth & { readonly keys: number } => {
    const { triggers, completes, waits, trackers, tallies, activity } = (type === null ? undefined : types.get(type)) ?? NOTHING;
    const waiting = sumOf(waits.map(({ journey }) => growthOf(journey)));
    const { entries, attributes } = sumOf([
      type === '$profile' ? ofProfile : NONE,
      activity ? ofSession : NONE,
      ...triggers.map(({ journey }) => growthOf(journey)),
      ...completes.map(growthOf),
      { entries: matchesPerJourney * waiting.entries, attributes: matchesPerJourney * waiting.attributes },
    ]);
    return {
      entries: most.entries + entries,
      attributes: (type === null ? most.attributes : 0) + attributes,
      keys: sessionEnded.length + tallies.length + trackers.reduce((sum, { changes }) => sum + 1 + changes.length, 0),
    };
  };
  return (rowBytes, inputBytes, type, runs = 1) => {
    let growth = byType.get(type);
    if (growth === undefined) {
      growth = ofType(type);
      // Types that nobody knows must not fill the memory.
      if (type === null || type === '$profile' || types.has(type)) byType.set(type, growth);
    }
    const { keys } = growth;
    const [entries, attributes] = [runs * growth.entries, runs * growth.attributes];
    return entries * rowBytes + (entries + keys) * (inputBytes + entryBytes) + attributes * ATTRIBUTE_BYTES;
  };
}

const NONE: Growth = { entries: 0, attributes: 0 };

/** Of one run of a journey, with those that its updates start. */
function journeyGrowth({ journeys }: Program, first: Journey): Growth {
  const known = new Map<Journey, Growth>();
  const growthOf = (journey: Journey): Growth => {
    let growth = known.get(journey);
    if (growth !== undefined) return growth;
    // The compiler refuses journeys that start each other in a circle: what seems to close one here waits for other values, or is a segment that reads something else.
    known.set(journey, NONE);
    const parts = journey.steps.map((step): Growth => {
      if (step.kind === 'send') return { entries: 1, attributes: 0 };
      if (step.kind !== 'update') return NONE;
      const started = journeys.filter(({ pattern }) =>
        pattern.kind === 'date'
          ? step.set.has(pattern.attribute)
          : pattern.kind === 'attribute' && (pattern.attribute === null || step.set.has(pattern.attribute)),
      );
      return sumOf([{ entries: 0, attributes: step.set.size }, ...started.map(growthOf)]);
    });
    growth = sumOf([{ entries: 1, attributes: 0 }, ...parts]);
    known.set(journey, growth);
    return growth;
  };
  return growthOf(first);
}

function sumOf(growths: readonly Growth[]): Growth {
  return growths.reduce(
    (sum, { entries, attributes }) => ({ entries: sum.entries + entries, attributes: sum.attributes + attributes }),
    NONE,
  );
}

function largest(growths: readonly Growth[]): Growth {
  return {
    entries: Math.max(1, ...growths.map(({ entries }) => entries)),
    attributes: Math.max(0, ...growths.map(({ attributes }) => attributes)),
  };
}
