import { isDeepStrictEqual } from 'node:util';
import type { Program } from '../../src/core/program.ts';
import { gotFrom, type Got } from '../../src/testing/compare.ts';
import { answerOf, runScenario } from '../../src/testing/run.ts';
import type { Scenario } from '../../src/testing/scenario.ts';
import { Simulation } from '../../src/testing/simulation.ts';
import type { Recorded } from './historical.ts';

/** A scenario as a recording of it: events, and when they were appended. */
export interface Recording {
  readonly scenario: Scenario;
  readonly events: readonly Recorded[];
  /** Until when something waits. */
  readonly endMs: number;
}

/** The same scenario of a user of its own, for whom it passes: a split asks for the id. */
export function ofOwnUser(scenario: Scenario, number: number, program: Program): Scenario {
  for (let i = 0; i < 200; i++) {
    const userId = `${scenario.userId}-${number}-${i}`;
    const steps = scenario.steps.map((step) => ('event' in step ? { ...step, event: { ...step.event, userId } } : step));
    const own = { ...scenario, userId, steps };
    if (runScenario(own, program).passed) return own;
  }
  throw new Error(`${scenario.name}: does not pass for another user`);
}

/**
 * A recording of the scenario; or why there is none, as a text. A recording has no outage and no tick, only events and their times. A scenario whose ticks come otherwise from a
 * recording, and decide otherwise, is none of it either.
 */
export function recordingOf(scenario: Scenario, program: Program): Recording | string {
  if (scenario.steps.some(({ kind }) => kind === 'down')) return 'down_for: a recording knows no outage';
  if (scenario.steps.some(({ kind }) => kind === 'tick')) return 'tick: a recording has none between two events of one moment';
  if (scenario.steps.some(({ kind }) => kind === 'edit')) return 'edit: historical input goes by one topology';
  const live = new Simulation(program, scenario.startMs);
  const events = scenario.steps.flatMap((step): Recorded[] => {
    const { atMs } = step;
    // The part of the stage of items: what reaches the user is on the timeline.
    if (step.kind === 'change') return live.change(step.itemId, step.event, atMs) ? [{ atMs, event: step.event }] : [];
    if (step.kind !== 'append' && step.kind !== 'answer') return [];
    if (step.kind === 'answer') live.passTo(atMs - 1);
    const event = step.kind === 'append' ? step.event : answerOf(step, live.output, scenario.userId)!;
    live.append(event, atMs);
    return [{ atMs, event }];
  });
  for (let due = live.nextDueMs(); due !== null && due <= (scenario.untilMs ?? due); due = live.nextDueMs()) live.passTo(due);
  const historical = new Simulation(program, scenario.startMs, { allowedLatenessMs: 0 });
  for (const { event, atMs } of events) historical.append(event, atMs);
  historical.passTo(live.nowMs);
  const [expected, got] = [live, historical].map(({ output }) => withoutDetail(gotFrom(output)));
  if (!isDeepStrictEqual(expected, got)) return 'what it expects hangs on when a live tick comes';
  return { scenario, events, endMs: live.nowMs };
}

/** Details name offsets: a live tick takes one. */
function withoutDetail(got: readonly Got[]): readonly Omit<Got, 'detail'>[] {
  return got.map(({ kind, atMs, fields }) => ({ kind, atMs, fields }));
}
