import { LiquidError } from 'liquidjs';
import { EvaluationError } from '../core/condition.ts';
import type { Scope } from '../core/condition.ts';
import type { Content } from '../core/output.ts';
import type { Scalar } from '../core/event.ts';
import type { MessageField, TemplateFile } from './files.ts';
import type { Issue } from './issue.ts';
import { compileLiquid, explainLiquid, FILTER_NAMES } from './liquid.ts';
import type { LiquidText } from './liquid.ts';
import type { Loaded } from './load.ts';
import type { Path } from './source.ts';
import { didYouMean } from './suggest.ts';
import { checkRead, sampleScope, sessionScope } from './template-scope.ts';
import type { TemplateWorld } from './template-scope.ts';

type Texts = Readonly<Record<MessageField, LiquidText | null>>;
interface Message {
  readonly texts: Texts;
  readonly channels: ReadonlyMap<string, Texts>;
}

/** A template as written, parsed. What it may read of the trigger depends on the journey that uses it: see `useTemplate`. */
export interface Template {
  readonly name: string;
  readonly source: Loaded<TemplateFile>['source'];
  readonly defaultLocale: string;
  readonly messages: ReadonlyMap<string, Message>;
  readonly texts: readonly LiquidText[];
}

const FIELDS: readonly MessageField[] = ['title', 'body', 'url', 'image'];
/** What FCM and Web Push take in all is about 4 KB: leave room for data and for what the variables bring. */
const MAX_STATIC_BYTES = 3_000;
const MAX_SHOWN = { title: 80, body: 300 } as const;

export function compileTemplate(loaded: Loaded<TemplateFile>, world: TemplateWorld): { template: Template | null; issues: Issue[] } {
  const { source, value } = loaded;
  const issues: Issue[] = [];
  const texts: LiquidText[] = [];

  const compile = (form: Readonly<Partial<Record<MessageField, string | number>>>, path: Path): Texts => {
    const compiled: Record<MessageField, LiquidText | null> = { title: null, body: null, url: null, image: null };
    for (const field of FIELDS) {
      const text = form[field];
      if (text === undefined) continue;
      const at = [...path, field];
      const liquid = compileLiquid(String(text), field, at);
      if ('message' in liquid) {
        const hint = liquid.hint ?? filterHint(liquid.message);
        issues.push(source.issueInText(at, liquid.offset, liquid.message, hint));
        continue;
      }
      if ((field === 'title' || field === 'body') && liquid.staticLength > MAX_SHOWN[field])
        issues.push(
          source.issue(at, `this ${field} is ${liquid.staticLength} characters long`, `phones show about ${MAX_SHOWN[field]}`, 'warning'),
        );
      compiled[field] = liquid;
      texts.push(liquid);
    }
    return compiled;
  };

  const messages = new Map<string, Message>();
  for (const [locale, form] of Object.entries(value.messages)) {
    const path = ['messages', locale];
    const own = compile(form, path);
    const channels = new Map<string, Texts>();
    for (const [channel, differs] of Object.entries(form.channels ?? {})) {
      if (!world.channels.has(channel))
        issues.push(
          source.issueAtKey(
            [...path, 'channels', channel],
            `there is no channel \`${channel}\``,
            didYouMean(channel, world.channels, 'channels'),
          ),
        );
      const compiled = compile(differs, [...path, 'channels', channel]);
      channels.set(channel, { ...own, ...Object.fromEntries(Object.entries(compiled).filter(([, text]) => text !== null)) });
    }
    for (const variant of [own, ...channels.values()]) {
      const bytes = FIELDS.reduce((sum, field) => sum + (variant[field]?.staticBytes ?? 0), 0);
      if (bytes > MAX_STATIC_BYTES)
        issues.push(
          source.issue(
            path,
            `this message has ${bytes} bytes of fixed text`,
            `push providers take about 4,000 in all: stay under ${MAX_STATIC_BYTES}`,
          ),
        );
    }
    messages.set(normalLocale(locale), { texts: own, channels });
  }
  if (!messages.has(normalLocale(value.default)))
    issues.push(
      source.issue(
        ['default'],
        `there is no message for the default locale \`${value.default}\``,
        didYouMean(value.default, Object.keys(value.messages), 'locales'),
      ),
    );
  if (issues.some((issue) => issue.severity === 'error')) return { template: null, issues };
  return { template: { name: value.name, source, defaultLocale: normalLocale(value.default), messages, texts }, issues };
}

function filterHint(message: string): string | null {
  const name = /^there is no filter `(.+)`$/.exec(message)?.[1];
  return name === undefined ? null : didYouMean(name, FILTER_NAMES);
}

export interface TemplateUse {
  readonly render: (scope: Scope, locale: string | null, channel: string) => Content;
  readonly capture: ReadonlySet<string>;
  readonly captureSession: boolean;
}

/** A template as one journey uses it, checked against what that journey's trigger has. */
export function useTemplate(template: Template, eventType: string | null, world: TemplateWorld): { use: TemplateUse; issues: Issue[] } {
  const issues: Issue[] = [];
  const capture = new Set<string>();
  const roots = new Set<string>();
  let captureSession = false;
  const properties = eventType === null ? new Map<string, never>() : world.catalogue.get(eventType)!.properties;
  const sample = sampleScope(
    template.texts.flatMap((text) => text.reads),
    properties,
    world,
  );
  for (const text of template.texts) {
    const wrong = text.reads
      .map((read) => ({ read, problem: checkRead(read, properties, eventType, world) }))
      .filter(({ problem }) => problem !== null);
    for (const { read, problem } of wrong)
      issues.push(template.source.issueInText(text.path, read.offset, problem!.message, problem!.hint));
    for (const { segments } of text.reads) {
      roots.add(segments[0]!);
      if (segments[0] !== 'trigger' || segments[1] === undefined) continue;
      if (segments[1] === 'session') captureSession = true;
      else capture.add(segments[1]);
    }
    if (wrong.length > 0) continue;
    // Rendered once with nothing that may be missing: what fails here would fail for somebody.
    try {
      text.render(sample);
    } catch (error) {
      const { offset, message, hint } = explainLiquid(error);
      issues.push(template.source.issueInText(text.path, offset, message, hint));
    }
  }
  return { use: { render: renderer(template, roots, world), capture, captureSession }, issues };
}

function renderer(template: Template, roots: ReadonlySet<string>, world: TemplateWorld): TemplateUse['render'] {
  const params = Object.fromEntries(world.params);
  return (scope, locale, channel) => {
    const message = pick(template, locale);
    const texts = message.channels.get(channel) ?? message.texts;
    const data = {
      params,
      user: present(scope.state.profile),
      session: roots.has('session') ? sessionScope(scope.state.session, world) : {},
      trigger:
        scope.trigger === null
          ? {}
          : { ...present(scope.trigger.properties), session: roots.has('trigger') ? sessionScope(scope.trigger.session, world) : {} },
    };
    return {
      title: render(template, texts.title, data) ?? '',
      body: render(template, texts.body, data) ?? '',
      url: render(template, texts.url, data),
      image: render(template, texts.image, data),
    };
  };
}

function render(template: Template, text: LiquidText | null, data: object): string | null {
  if (text === null) return null;
  try {
    const rendered = text.render(data);
    return rendered === '' ? null : rendered;
  } catch (error) {
    if (!(error instanceof LiquidError)) throw error;
    const place = template.source.at(text.path);
    throw new EvaluationError(`${template.source.name}:${place.line}:${place.column}: ${explainLiquid(error).message}`);
  }
}

/** `de-AT`, then `de`, then the default. */
function pick(template: Template, locale: string | null): Message {
  for (let name = normalLocale(locale ?? ''); name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('-')))) {
    const message = template.messages.get(name);
    if (message !== undefined) return message;
  }
  return template.messages.get(template.defaultLocale)!;
}

function normalLocale(locale: string): string {
  return locale.replaceAll('_', '-').toLowerCase();
}

/** A null is a missing value, to Liquid as to conditions. */
function present(values: Readonly<Record<string, Scalar>>): Record<string, Scalar> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
