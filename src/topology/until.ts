import type { WaitUntil } from '../core/journey.ts';
import { ANSWERS, type Answer } from '../core/reserved.ts';
import type { UntilForm } from './files.ts';
import type { Matchers } from './matchers.ts';
import type { Path } from './source.ts';
import type { StepContext } from './step-context.ts';
import { sendNames } from './step-forms.ts';
import { didYouMean } from './suggest.ts';

/** What ends a wait, but for where the run goes on. What is wrong is kept as issues. */
export function compileUntil(
  context: StepContext,
  form: UntilForm | readonly UntilForm[] | undefined,
  path: Path,
  keepMs: number,
): Omit<WaitUntil, 'next'>[] {
  const { world, matchers, keyed } = context;
  if (form === undefined) return [];
  const list = Array.isArray(form) ? (form as readonly UntilForm[]) : undefined;
  const forms = list ?? [form as UntilForm];
  return forms.flatMap((one, i): Omit<WaitUntil, 'next'>[] => {
    const at = list === undefined ? path : [...path, i];
    const answer = typeof one === 'string' ? undefined : ANSWERS.find((verb) => verb in one);
    if (answer !== undefined)
      return answerUntil(context, answer, String((one as Readonly<Record<string, unknown>>)[answer]), [...at, answer], keepMs);
    const matcher = matchers.one(one as Parameters<Matchers['one']>[0], at, { place: 'event', any: true });
    if (matcher === null || (!matcher.perUser && matcher.matcher.type !== '*' && !keyed.check([matcher]))) return [];
    const key = matcher.perUser || matcher.matcher.type === '*' ? null : keyed.key;
    return [{ trackerId: world.trackers.add([matcher], key, keepMs, { restrains: false }), by: 'key' }];
  });
}

/** What the user did with a message of this run. */
function answerUntil(
  { loaded, world, expressions }: StepContext,
  verb: Answer,
  step: string,
  path: Path,
  keepMs: number,
): Omit<WaitUntil, 'next'>[] {
  const sends = sendNames(loaded.value.steps);
  if (!sends.includes(step)) {
    expressions.wrong(path, `this journey sends no \`${step}\``, didYouMean(step, sends, 'it sends'));
    return [];
  }
  const journey = loaded.value.name;
  const type = `$${verb}`;
  const where = ({ event }: { readonly event: { readonly properties: Readonly<Record<string, unknown>> } | null }): boolean =>
    event?.properties['journey'] === journey && event.properties['step'] === step;
  const label = `${verb} ${step}`;
  const matcher = { matcher: { type, where }, path, perUser: false, label, definition: [type, `${journey}/${step}`] as const };
  return [{ trackerId: world.trackers.add([matcher], 'occurrence', keepMs, { restrains: false }), by: 'occurrence' }];
}
