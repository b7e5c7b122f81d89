import type { ProgramIndex } from './program-index.ts';
import type { Journey } from './journey.ts';
import type { EventType, Program, RetiredJourney, Tracker } from './program.ts';
import type { Match } from './state.ts';
import { mayStandAt, standsForMs } from './wait-step.ts';

/**
 * Versions of a topology with people in flight. The journey as it is now decides how the runs go on that began under an earlier version: `follow`, by its steps as they are
 * now, or `pinned`, by the steps that they began with. Of a journey that is gone its own last version decides; without a version to go by, a run ends with a decision.
 *
 * So the program in force is composed with what runs are pinned to: their journeys, which start nothing any more, and whatever they ask for and the program has not.
 */

/** A version that was in force before. */
export interface EarlierVersion {
  readonly program: Program;
  /** `now` when another took its place: nothing has begun under it since. */
  readonly replacedAtMs: number;
}

/** More than so many versions with people in flight are not kept: runs of older ones follow, or end. */
export const MAX_EARLIER = 8;

/** The program in force, with what earlier versions still have runs for. `earlier` in the order in which they were in force. */
export function withEarlier(program: Program, earlier: readonly Program[]): Program {
  const retired = retiredOf(program, earlier);
  if (retired.length === 0) return program;
  const sources = earlier.filter(({ version }) => retired.some((one) => one.version === version));
  // Of several definitions of one name the latest counts; the program's own above all.
  const latest = sources.toReversed();
  const eventTypes = new Map<string, EventType>(program.eventTypes);
  const trackers = uniteTrackers([...program.trackers, ...latest.flatMap((one) => one.trackers)]);
  const before = new Map(sources.flatMap((one) => [...one.eventTypes]));
  // A type that the catalogue has no more is nobody's activity, and still wakes whoever waits for it.
  for (const { matches } of trackers)
    for (const { type } of matches)
      if (type !== '*' && !eventTypes.has(type)) eventTypes.set(type, { ...before.get(type), type, activity: false });
  return {
    ...program,
    eventTypes,
    trackers,
    tallies: firstOf([...program.tallies, ...latest.flatMap((one) => one.tallies)], ({ id }) => id),
    sums: firstOf([...program.sums, ...latest.flatMap((one) => one.sums)], ({ name }) => name),
    classes: new Map([...sources.flatMap((one) => [...one.classes]), ...program.classes]),
    categories: new Map([...sources.flatMap((one) => [...one.categories]), ...program.categories]),
    channels: new Map([...sources.flatMap((one) => [...one.channels]), ...program.channels]),
    retired,
  };
}

/** What is still needed of earlier versions, when another is about to be in force: those of which a run may still live, the latest of them. */
export function stillNeeded<T extends EarlierVersion>(earlier: readonly T[], nowMs: number): readonly T[] {
  const living = earlier.filter(({ program, replacedAtMs }) => replacedAtMs + longestRunMs(program) + program.maxEventAgeMs >= nowMs);
  return living.slice(-MAX_EARLIER);
}

/** How long a run can take at most: all steps of the longest journey at which it may stand, one after the other. */
export function longestRunMs({ journeys }: Program): number {
  return Math.max(0, ...journeys.map(({ steps }) => steps.reduce((sum, step) => sum + standsForMs(step), 0)));
}

/** The journey whose steps a match goes by; undefined where there is none left. `version` is the one in force. */
export function journeyOf({ journeys, retired }: ProgramIndex, version: number, match: Match): Journey | undefined {
  const now = journeys.get(match.journey);
  const { wait } = match;
  if (retired.size === 0 || wait === null || wait.version === version) return now;
  const own = retired.get(match.journey)?.find((one) => one.version === wait.version)?.journey;
  // A run that followed for a while, before its journey was pinned, may stand where its own version has no step.
  return own === undefined || (now !== undefined && !mayStandAt(own, wait.step)) ? now : own;
}

function retiredOf(program: Program, earlier: readonly Program[]): readonly RetiredJourney[] {
  const now = new Map(program.journeys.map((journey) => [journey.name, journey]));
  const last = new Map(earlier.flatMap(({ journeys }) => journeys.map((journey) => [journey.name, journey] as const)));
  const isPinned = ({ name }: Journey): boolean => (now.get(name) ?? last.get(name))?.inFlight === 'pinned';
  const waits = ({ steps }: Journey): boolean => steps.some((step) => standsForMs(step) > 0);
  return earlier.flatMap(({ version, journeys }) =>
    journeys.filter((journey) => isPinned(journey) && waits(journey)).map((journey) => ({ version, journey })),
  );
}

function firstOf<T>(all: readonly T[], idOf: (one: T) => string): readonly T[] {
  return [...new Map(all.toReversed().map((one) => [idOf(one), one])).values()].toReversed();
}

/** One definition is one tracker: it keeps as long, and as many moments, as whoever asks for most. */
function uniteTrackers(all: readonly Tracker[]): readonly Tracker[] {
  const most = (id: string, of: (tracker: Tracker) => number): number => Math.max(...all.filter((one) => one.id === id).map(of));
  return firstOf(all, ({ id }) => id).map((tracker) => ({
    ...tracker,
    keepMs: most(tracker.id, ({ keepMs }) => keepMs),
    cap: most(tracker.id, ({ cap }) => cap),
  }));
}
