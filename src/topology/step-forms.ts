import { durationMs } from './duration.ts';
import type { SendForm, StepForm } from './files.ts';
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

/** While the user is in the app a message may take other channels: all that it may take. */
export function channelsOf({ channels, while_active: active }: SendForm): readonly string[] {
  return typeof active === 'object' && 'channels' in active ? [...channels, ...active.channels] : channels;
}

export function sendNames(forms: readonly StepForm[]): string[] {
  return allSteps(forms).flatMap((form) => ('send' in form ? [form.send] : []));
}

/** With a change of clocks. */
const LONGEST_DAY_MS = 25 * 3_600_000;

/** How long a run can take, at most: all of its waits, and what holds its messages back. */
export function runMs(forms: readonly StepForm[]): number {
  return allSteps(forms).reduce((sum, form) => sum + standsMs(form), 0);
}

function standsMs(form: StepForm): number {
  if ('wait' in form) return durationMs(form.for ?? '0s') + (form.at === undefined ? 0 : LONGEST_DAY_MS);
  if (!('send' in form) || typeof form.while_active !== 'object' || !('hold' in form.while_active)) return 0;
  return durationMs(form.while_active.hold);
}
