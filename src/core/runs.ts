import { attributesChanged } from './attributes.ts';
import { bucketOf } from './bucket.ts';
import { decideExit, decideUnevaluated } from './decisions.ts';
import type { Turn } from './draft.ts';
import type { Event, Scalar } from './event.ts';
import { setAttributes } from './facts.ts';
import { cancelOf, decide } from './gate.ts';
import { firstBetween, isBehind, type Moment } from './moments.ts';
import { followZone } from './follow-zone.ts';
import type { WaitUse } from './program-index.ts';
import { journeyOf, waitIn } from './pinned.ts';
import { EvaluationError } from './program.ts';
import type { BranchStep, Journey, JourneyStep, Scope, SplitStep, UpdateStep, WaitStep } from './program.ts';
import { zoneOf } from './reach.ts';
import type { Match } from './state.ts';
import { momentsOf } from './trackers.ts';
import { nextInstantOf } from './zone.ts';

/**
 * Runs: what a journey does once its pattern has come true. A run goes from step to step until it waits, is over, or exits. It waits as a `Match`, with a deadline.
 *
 * - A wait counts from when the step before was done: from the pattern's own moment, from the decision about a message, from the end of the wait before.
 * - What ends a wait is looked for in event time, behind what the step before was done with and before the wait's own end: it may have reached us before, and an outage
 *   changes nothing. An event ends one wait of a run, not also the next.
 * - A goal or a suppressor ends a run that waits at once; where the run comes to a message, the gate looks at all of the log.
 * - Steps lie ahead of the ones that lead to them, so a run comes to an end.
 */

/** Of a text that an update sets, in characters: what adds to a text again and again must not fill the row. */
export const MAX_ATTRIBUTE_LENGTH = 1_024;

/**
 * Begins a run: its pattern has come true at `match.dueMs`. `event` is the one that it came true with, where there is one; `since` the last of several that it is made of.
 * What came behind counts for its waits, though it may have reached us before.
 */
export function begin(turn: Turn, match: Match, journey: Journey, event: Event | null, since?: Moment): void {
  // A number that was forgotten and is reached again, say: the run that it has is on its way.
  const isRunning = ({ wait, occurrence, journey: name }: Match): boolean =>
    wait !== null && name === journey.name && occurrence === match.occurrence;
  if (turn.state.matches.some(isRunning)) return;
  goOn(turn, { run: match, journey, event, doneMs: match.dueMs, since: since ?? startOf(match.dueMs) }, 0);
}

/** The time of a wait is over. */
export function waited(turn: Turn, run: Match, journey: Journey): void {
  const step = stepOf(run, journey);
  if (step === null) {
    decideExit(turn, run, run.wait!.step, 'step_removed', `the journey has no wait \`${run.wait!.step}\` any more`);
    return;
  }
  goOn(turn, { run, journey, event: null, doneMs: run.dueMs, since: startOf(run.dueMs) }, step.next);
}

/** The time of a wait is over, and no version that it may go by has its journey. */
export function removed(turn: Turn, run: Match): void {
  decideExit(turn, run, run.wait!.step, 'journey_removed', 'the topology has this journey no more');
}

/** An event that may end a wait, after its moment is remembered. */
export function awaited(turn: Turn, event: Event, { journey, trackerId }: WaitUse): void {
  for (const run of turn.state.matches) {
    if (run.journey !== journey.name || run.wait === null || !turn.state.matches.includes(run)) continue;
    if (!goesBy(turn, run, journey)) continue;
    const step = stepOf(run, journey);
    if (step?.until.some((until) => until.trackerId === trackerId) !== true) continue;
    const end = endOf(turn, run, step);
    if (end === undefined) continue;
    turn.state.matches = turn.state.matches.filter((other) => other !== run);
    goOn(turn, { run, journey, event, doneMs: turn.nowMs, since: end.moment }, end.next);
  }
}

/** Ends the runs that wait where an event, whose moment is remembered, has reached the goal or made the journey pointless. */
export function exited(turn: Turn, journey: Journey): void {
  for (const run of turn.state.matches) {
    if (run.journey !== journey.name || run.wait === null || !goesBy(turn, run, journey)) continue;
    if (exits(turn, run, journey, run.wait.step)) turn.state.matches = turn.state.matches.filter((other) => other !== run);
  }
}

/** Whether the run goes on with these steps, or with those of another version. */
function goesBy({ index, program }: Turn, run: Match, journey: Journey): boolean {
  return index.retired.size === 0 || journeyOf(index, program.version, run) === journey;
}

/** Before everything of that time. */
function startOf(atMs: number): Moment {
  return { atMs, offset: -1 };
}

/** A run on its way: from when on a wait counts, and behind which moment it looks for events. */
interface Going {
  readonly run: Match;
  readonly journey: Journey;
  readonly event: Event | null;
  readonly doneMs: number;
  readonly since: Moment;
}

function goOn(turn: Turn, from: Going, at: number | null): void {
  const { run, journey, event } = from;
  let { doneMs, since } = from;
  let entered = run.wait?.entered ?? false;
  const version = run.wait?.version ?? turn.program.version;
  let next = at;
  while (next !== null) {
    const step: JourneyStep = journey.steps[next]!;
    switch (step.kind) {
      case 'send': {
        // The message is due when the step before was done.
        const passage = decide(turn, { ...run, dueMs: doneMs }, journey, step, event, entered);
        if (passage === 'ended') return;
        entered ||= passage === 'sent';
        doneMs = turn.nowMs;
        if (event === null) since = startOf(turn.nowMs);
        next = step.next;
        break;
      }
      case 'wait': {
        const overMs = doneMs + step.forMs;
        const dueMs = step.atMinutes === null ? overMs : nextInstantOf(zoneOf(turn.state, turn.program), overMs, step.atMinutes);
        const { atMs: sinceMs, offset: sinceOffset } = step.fromTrigger ? startOf(run.trigger.occurredAtMs) : since;
        const end = enterWait(turn, { ...run, dueMs, wait: { step: step.name, sinceMs, sinceOffset, entered, version } }, journey, step);
        if (end === null) return;
        doneMs = turn.nowMs;
        since = end.moment;
        next = end.next;
        break;
      }
      case 'branch':
        next = branch(turn, run, step, event);
        break;
      case 'split':
        next = armOf(turn, step);
        break;
      case 'update':
        // In the shadow it changes nothing that others see.
        if (!journey.shadow) update(turn, run, step, event);
        next = step.next;
        break;
      case 'exit':
        decideExit(turn, run, step.name, 'exit', '');
        return;
    }
  }
}

/** Waits, or ends for a reason that is in the log already: null. Or finds that what it would wait for has come. */
function enterWait(turn: Turn, run: Match, journey: Journey, step: WaitStep): End | null {
  if (exits(turn, run, journey, step.name)) return null;
  const end = endOf(turn, run, step);
  if (end !== undefined) return end;
  const { matches } = turn.state;
  const { matchesPerJourney } = turn.program.limits;
  const mine = matches.filter((other) => other.journey === journey.name);
  const dropped = mine.length < matchesPerJourney ? undefined : mine[0];
  turn.state.matches = [...matches.filter((other) => other !== dropped), run];
  if (dropped !== undefined) decideUnevaluated(turn, dropped, journey, `more than ${matchesPerJourney} of this journey wait`, 'limit');
  return null;
}

function exits(turn: Turn, run: Match, journey: Journey, step: string): boolean {
  for (const goal of [true, false]) {
    const detail = cancelOf(turn, run, journey, goal);
    if (detail === null) continue;
    decideExit(turn, run, step, goal ? 'goal' : 'suppressed', detail);
    return true;
  }
  return false;
}

/** What has ended a wait, and where the run goes on. */
interface End {
  readonly moment: Moment;
  readonly next: number | null;
}

/** The first of the events that end the wait; undefined where none has come. */
function endOf(turn: Turn, run: Match, step: WaitStep): End | undefined {
  const { sinceMs, sinceOffset } = run.wait!;
  let end: End | undefined;
  for (const { trackerId, by, next } of step.until) {
    const moments = momentsOf(turn.state, turn.index.trackers.get(trackerId)!, by === 'key' ? run.key : run.occurrence);
    const moment = firstBetween(moments, { atMs: sinceMs, offset: sinceOffset }, run.dueMs, run.trigger.offset);
    if (moment !== undefined && (end === undefined || isBehind(end.moment, moment))) end = { moment, next };
  }
  return end;
}

/** The wait where the run stands, or the one that an edit has put in its place. */
function stepOf({ wait }: Match, journey: Journey): WaitStep | null {
  return waitIn(journey, wait!.step);
}

function branch(turn: Turn, run: Match, step: BranchStep, event: Event | null): number | null {
  const scope = { event, trigger: run.trigger, state: turn.state, nowMs: turn.nowMs };
  for (const { when, next } of step.cases) {
    try {
      if (when(scope)) return next;
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
    }
  }
  return step.next;
}

function armOf({ state }: Turn, { salt, arms }: SplitStep): number | null {
  const bucket = bucketOf(salt, state.userId);
  return (arms.find(({ upTo }) => bucket < upTo) ?? arms.at(-1)!).next;
}

function update(turn: Turn, run: Match, step: UpdateStep, event: Event | null): void {
  const { profile: before } = turn.state;
  const scope = { event, trigger: run.trigger, state: turn.state, nowMs: turn.nowMs };
  const values: Record<string, Scalar> = {};
  let room = turn.program.limits.profileAttributes - Object.keys(before).length;
  for (const [name, valueOf] of step.set) {
    const value = valueIn(scope, valueOf);
    // Nothing that a journey does may lose the event that it came from.
    if (value === undefined || (!Object.hasOwn(before, name) && value !== null && room-- <= 0)) continue;
    values[name] = value;
  }
  setAttributes(turn, values);
  followZone(turn, { devices: turn.state.devices, profile: before });
  // Not the event that the run came from: other journeys, and other steps, may change the same attribute.
  const eventId = `${run.journey}/${run.occurrence}/${step.name}`;
  const { topic, partition, offset } = event ?? run.trigger;
  attributesChanged(turn, before, { ...run.trigger, topic, partition, offset, eventId, occurredAtMs: turn.nowMs }, false);
}

/** undefined where it cannot be computed, or is nothing that a row should keep. */
function valueIn(scope: Scope, valueOf: (scope: Scope) => Scalar): Scalar | undefined {
  try {
    const value = valueOf(scope);
    if (typeof value === 'number' && !Number.isFinite(value)) return undefined;
    return typeof value === 'string' && value.length > MAX_ATTRIBUTE_LENGTH ? undefined : value;
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}
