import type { Journey, JourneyStep, WaitStep } from './journey.ts';
import type { Match } from './state.ts';

/** The wait where a run stands, or the one that an edit has put in its place; null where there is none: also where it stands at a message that is held back. */
export function waitStepOf({ wait }: Match, journey: Journey): WaitStep | null {
  const name = journey.moved.get(wait!.step) ?? wait!.step;
  return journey.steps.find((step): step is WaitStep => step.kind === 'wait' && step.name === name) ?? null;
}

/** Whether the journey has a step of this name where a run may stand, or one that has taken its place. */
export function mayStandAt({ moved, steps }: Journey, name: string): boolean {
  return steps.some((step) => (step.name === name || step.name === moved.get(name)) && standsForMs(step) > 0);
}

/** With a change of clocks. */
const LONGEST_DAY_MS = 25 * 3_600_000;

/** How long a run may stand at a step, at most: at a wait, or at a message that is held back. 0 = not at all. */
export function standsForMs(step: JourneyStep): number {
  if (step.kind === 'wait') return step.forMs + (step.atMinutes === null ? 0 : LONGEST_DAY_MS);
  return step.kind === 'send' && step.whileActive?.kind === 'hold' ? step.whileActive.atMostMs : 0;
}
