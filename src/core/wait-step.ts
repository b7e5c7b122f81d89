import type { Journey, WaitStep } from './program.ts';
import type { Match } from './state.ts';

/** The wait where a run stands, or the one that an edit has put in its place; null where there is none: also where it stands at a message that is held back. */
export function waitStepOf({ wait }: Match, journey: Journey): WaitStep | null {
  const name = journey.moved.get(wait!.step) ?? wait!.step;
  return journey.steps.find((step): step is WaitStep => step.kind === 'wait' && step.name === name) ?? null;
}
