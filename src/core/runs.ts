import { competes, inOrder } from './arbitration.ts';
import { bucketOf } from './bucket.ts';
import { decideExit, decideUnevaluated } from './decisions.ts';
import type { Going, Turn } from './draft.ts';
import type { Event } from './event.ts';
import { cancelOf, decide } from './gate.ts';
import { firstBetween, isBehind, type Moment } from './moments.ts';
import type { WaitUse } from './program-index.ts';
import { journeyOf } from './pinned.ts';
import { EvaluationError } from './condition.ts';
import type { BranchStep, Journey, JourneyStep, SendStep, SplitStep, WaitStep } from './journey.ts';
import { activeUntil, zoneOf } from './reach.ts';
import type { Match } from './state.ts';
import { momentsOf } from './trackers.ts';
import { update } from './updates.ts';
import { waitStepOf } from './wait-step.ts';
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

/**
 * Begins a run: its pattern has come true at `match.dueMs`. `event` is the one that it came true with, where there is one; `since` the last of several that it is made of.
 * What came behind counts for its waits, though it may have reached us before.
 */
export function begin(turn: Turn, match: Match, journey: Journey, event: Event | null, since?: Moment): void {
  // A number that was forgotten and is reached again, say: the run that it has is on its way.
  const isRunning = ({ wait, occurrence, journey: name }: Match): boolean =>
    wait !== null && name === journey.name && occurrence === match.occurrence;
  if (turn.state.matches.some(isRunning) || turn.candidates?.some(({ going }) => going.run === match) === true) return;
  goOn(turn, { run: match, journey, event, doneMs: match.dueMs, since: since ?? startOf(match.dueMs), entered: false }, 0);
}

/** The time of a wait is over; or that for which a message was held back. */
export function waited(turn: Turn, run: Match, journey: Journey): void {
  const { step: name, sinceMs, entered } = run.wait!;
  const step = waitStepOf(run, journey);
  const held = journey.steps.findIndex((other) => other.kind === 'send' && other.name === name);
  if (step !== null) goOn(turn, { run, journey, event: null, doneMs: run.dueMs, since: startOf(run.dueMs), entered }, step.next);
  else if (held >= 0) goOn(turn, { run, journey, event: null, doneMs: sinceMs, since: startOf(sinceMs), entered }, held);
  else decideExit(turn, run, name, 'step_removed', `the journey has no step \`${name}\` any more at which a run can stand`);
}

/** The time of a wait is over, and no version that it may go by has its journey. */
export function removed(turn: Turn, run: Match): void {
  decideExit(turn, run, run.wait!.step, 'journey_removed', 'the topology has this journey no more');
}

/** An event that may end a wait, after its moment is remembered. */
export function awaited(turn: Turn, event: Event, { journey, trackerId }: WaitUse): void {
  for (const { journey: name, occurrence, wait } of turn.state.matches) {
    if (name !== journey.name || wait === null) continue;
    // As it is by then: what another run sets may have moved it.
    const run = turn.state.matches.find((other) => other.wait !== null && other.journey === name && other.occurrence === occurrence);
    if (run === undefined || !goesBy(turn, run, journey)) continue;
    const step = waitStepOf(run, journey);
    if (step?.until.some((until) => until.trackerId === trackerId) !== true) continue;
    const end = endOf(turn, run, step);
    if (end === undefined) continue;
    turn.state.matches = turn.state.matches.filter((other) => other !== run);
    goOn(turn, { run, journey, event, doneMs: turn.nowMs, since: end.moment, entered: run.wait!.entered }, end.next);
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

/** The messages that this moment has brought to the user and that stand back for each other (`arbitration.ts`): the first of them, and on with its run, whose next message may come before the others. */
export function arbitrate(turn: Turn): void {
  while (turn.candidates !== null) {
    const [first, ...others] = inOrder(turn, turn.candidates);
    turn.candidates = others.length === 0 ? null : others;
    goOn(turn, first!.going, first!.at, true);
  }
}

/** `isTurn`: the step at `at` has waited for the others of this moment. */
function goOn(turn: Turn, from: Going, at: number | null, isTurn = false): void {
  const { run, journey, event } = from;
  let { doneMs, since, entered } = from;
  let next = at;
  while (next !== null) {
    const step: JourneyStep = journey.steps[next]!;
    switch (step.kind) {
      case 'send': {
        const going = { run, journey, event, doneMs, since, entered };
        if (holdsBack(turn, going, step)) return;
        if (competes(turn, journey, step) && !(isTurn && next === at)) {
          (turn.candidates ??= []).push({ going, at: next });
          return;
        }
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
        const from = step.fromTrigger ? startOf(run.trigger.occurredAtMs) : since;
        const end = enterWait(turn, standing(turn, run, { step: step.name, since: from, dueMs, entered }), journey, step);
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
        // A run whose goal is reached sets nothing any more.
        if (exits(turn, run, journey, step.name)) return;
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

/** A run that stands at a step. */
function standing(
  turn: Turn,
  run: Match,
  at: { readonly step: string; readonly since: Moment; readonly dueMs: number; readonly entered: boolean },
): Match {
  const { step, since, dueMs, entered } = at;
  const version = run.wait?.version ?? turn.program.version;
  return { ...run, dueMs, wait: { step, sinceMs: since.atMs, sinceOffset: since.offset, entered, version } };
}

/**
 * Where a message waits until the user has left the app, the run stands at its step: it looks again when the user has been away for long enough, at the latest when it has waited for as
 * long as it may. The wait's `sinceMs` is when the message was due.
 */
function holdsBack(turn: Turn, { run, journey, doneMs, entered }: Going, { name, whileActive }: SendStep): boolean {
  if (whileActive?.kind !== 'hold') return false;
  const activeUntilMs = activeUntil(turn);
  const dueMs = Math.min(activeUntilMs, doneMs + whileActive.atMostMs);
  if (dueMs <= turn.nowMs) return false;
  if (!exits(turn, run, journey, name)) stand(turn, standing(turn, run, { step: name, since: startOf(doneMs), dueMs, entered }), journey);
  return true;
}

/** Waits, or ends for a reason that is in the log already: null. Or finds that what it would wait for has come. */
function enterWait(turn: Turn, run: Match, journey: Journey, step: WaitStep): End | null {
  if (exits(turn, run, journey, step.name)) return null;
  const end = endOf(turn, run, step);
  if (end !== undefined) return end;
  stand(turn, run, journey);
  return null;
}

/** Of one journey only so many may wait: the oldest goes. */
function stand(turn: Turn, run: Match, journey: Journey): void {
  const { matches } = turn.state;
  const { matchesPerJourney } = turn.program.limits;
  const mine = matches.filter((other) => other.journey === journey.name);
  const dropped = mine.length < matchesPerJourney ? undefined : mine[0];
  turn.state.matches = [...matches.filter((other) => other !== dropped), run];
  if (dropped !== undefined) decideUnevaluated(turn, dropped, journey, `more than ${matchesPerJourney} of this journey wait`, 'limit');
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
