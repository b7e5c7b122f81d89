import { parseDuration } from './duration.ts';
import type { StepForm } from './files.ts';
import type { Path } from './source.ts';

/** Walks over the steps of a journey as its file has them: lists within steps. */

/** The lists of steps that a step contains, and where each stands in it. */
function innerLists(form: StepForm): readonly (readonly [path: Path, steps: readonly StepForm[]])[] {
  if ('wait' in form) return [[['then'], form.then ?? []] as const, [['else'], form.else ?? []] as const];
  if ('branch' in form) {
    const cases = form.cases.map(({ steps }, i) => [['cases', i, 'steps'], steps ?? []] as const);
    return [...cases, [['else'], form.else ?? []] as const];
  }
  if ('split' in form) return form.arms.map(({ steps }, i) => [['arms', i, 'steps'], steps ?? []] as const);
  return [];
}

/** All steps of a journey, those within others included, each with its place. */
export function placedSteps(forms: readonly StepForm[], path: Path = ['steps']): readonly (readonly [path: Path, form: StepForm])[] {
  return forms.flatMap((form, i) => {
    const at = [...path, i];
    const inner = innerLists(form).flatMap(([within, steps]) => placedSteps(steps, [...at, ...within]));
    return [[at, form] as const, ...inner];
  });
}

export function allSteps(forms: readonly StepForm[]): readonly StepForm[] {
  return placedSteps(forms).map(([, form]) => form);
}

export function sendNames(forms: readonly StepForm[]): string[] {
  return allSteps(forms).flatMap((form) => ('send' in form ? [form.send] : []));
}

/** With a change of clocks. */
export const LONGEST_DAY_MS = 25 * 3_600_000;

/** How long a run can take, at most: all of its waits. */
export function runMs(forms: readonly StepForm[]): number {
  return allSteps(forms).reduce(
    (sum, form) => sum + ('wait' in form ? (parseDuration(form.for ?? '0s') ?? 0) + (form.at === undefined ? 0 : LONGEST_DAY_MS) : 0),
    0,
  );
}
