import { Duration } from '@marcbachmann/cel-js/evaluator';
import { EvaluationError } from '../core/condition.ts';
import type { Scope } from '../core/condition.ts';
import type { SendStep } from '../core/journey.ts';
import { personal } from './conditions.ts';
import type { FileExpressions } from './conditions.ts';
import { durationMs } from './duration.ts';
import type { SendForm } from './files.ts';
import type { Issue } from './issue.ts';
import type { JourneyWorld } from './journeys.ts';
import type { Path, Source } from './source.ts';
import { didYouMean } from './suggest.ts';
import { useTemplate } from './templates.ts';
import { compileWhileActive } from './while-active.ts';

interface CompiledSend {
  readonly step: Omit<SendStep, 'next'>;
  readonly capture: ReadonlySet<string>;
  readonly captureSession: boolean;
}

/** What can be said of a send step whatever starts the journey, so that a wrong trigger hides nothing of it. */
export function checkSend(source: Source, form: SendForm, path: Path, { settings }: JourneyWorld, issues: Issue[]): void {
  form.channels.forEach((channel, i) => {
    if (!settings.channels.has(channel))
      issues.push(
        source.issue(
          [...path, 'channels', i],
          `there is no channel \`${channel}\` in topology.yaml`,
          didYouMean(channel, settings.channels.keys(), 'channels'),
        ),
      );
    if (form.channels.indexOf(channel) !== i) issues.push(source.issue([...path, 'channels', i], `\`${channel}\` is listed twice`));
  });
  const messageClass = settings.classes.get(form.class);
  if (messageClass === undefined)
    issues.push(
      source.issue(
        [...path, 'class'],
        `there is no class \`${form.class}\` in topology.yaml`,
        didYouMean(form.class, settings.classes.keys(), 'classes'),
      ),
    );
  if (form.category !== undefined && !settings.categories.has(form.category))
    issues.push(
      source.issue(
        [...path, 'category'],
        `there is no category \`${form.category}\` in topology.yaml`,
        didYouMean(form.category, settings.categories.keys(), 'categories'),
      ),
    );
  if (messageClass?.needsConsent === true && form.category === undefined)
    issues.push(
      source.issueAtKey(
        [...path, 'send'],
        `\`${form.send}\` does not say whose consent it asks`,
        `class \`${form.class}\` needs a \`category\``,
      ),
    );
  if (durationMs(form.ttl) === 0) issues.push(source.issue([...path, 'ttl'], '`ttl` must be longer than nothing'));
  if (form.template === undefined && Object.keys(form.data ?? {}).length === 0)
    issues.push(
      source.issueAtKey([...path, 'send'], `\`${form.send}\` says nothing`, 'give it a `template`, or `data` for the app', 'warning'),
    );
}

/** A send step, `checkSend`ed before; null where it is wrong: the issue is kept. */
export function compileSend(
  source: Source,
  form: SendForm,
  path: Path,
  eventType: string | null,
  world: JourneyWorld,
  expressions: FileExpressions,
): CompiledSend | null {
  const { issues } = expressions;
  const before = issues.length;
  const ttlMs = durationMs(form.ttl);

  const whileActive = compileWhileActive(source, form, path, world.settings, issues);
  const data = compileData(form, path, eventType, expressions);
  const use = templateOf(source, form, path, eventType, world, expressions);
  if (issues.slice(before).some((issue) => issue.severity === 'error')) return null;
  return {
    step: {
      kind: 'send',
      name: form.send,
      channels: form.channels,
      class: form.class,
      category: form.category ?? null,
      ttlMs,
      collapseKey: form.collapse_key ?? null,
      render: use?.render ?? null,
      data,
      whileActive,
    },
    capture: use?.capture ?? new Set(),
    captureSession: use?.captureSession ?? false,
  };
}

function templateOf(
  source: Source,
  form: SendForm,
  path: Path,
  eventType: string | null,
  world: JourneyWorld,
  expressions: FileExpressions,
) {
  if (form.template === undefined) return null;
  const template = world.templates.get(form.template);
  if (template === undefined) {
    if (!world.brokenTemplates.has(form.template))
      expressions.issues.push(
        source.issue(
          [...path, 'template'],
          `there is no template \`${form.template}\``,
          didYouMean(form.template, world.templates.keys(), 'templates') ?? `add templates/${form.template}.yaml`,
        ),
      );
    return null;
  }
  const { use, issues } = useTemplate(template, eventType, world.templateWorld);
  expressions.issues.push(...issues);
  return use;
}

const DATA_TYPES = new Set(['string', 'int', 'double', 'bool', 'dyn', 'google.protobuf.Timestamp', 'google.protobuf.Duration']);

function compileData(form: SendForm, path: Path, eventType: string | null, expressions: FileExpressions): SendStep['data'] {
  const entries = Object.entries(form.data ?? {}).flatMap(([name, text]) => {
    const at = [...path, 'data', name];
    const expression = expressions.expression(text, { kind: 'send', eventType }, at);
    if (expression === null) return [];
    if (!DATA_TYPES.has(expression.type)) {
      expressions.wrong(at, `\`${name}\` is a ${personal(expression.type)}: apps get texts`, 'name one value in it');
      return [];
    }
    return [{ name, evaluate: expression.evaluate }];
  });
  return (scope: Scope) => {
    const data: Record<string, string> = {};
    for (const { name, evaluate } of entries) data[name] = toText(name, evaluate(scope));
    return data;
  };
}

/** What an app gets: texts, as push providers demand. Times are ISO 8601, durations milliseconds. */
function toText(name: string, value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value instanceof Date) return value.toISOString();
      if (value instanceof Duration) return String(value.valueOf());
      throw new EvaluationError(`data \`${name}\` is not a text, a number, or true or false`);
  }
}
