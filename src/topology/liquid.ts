import { Liquid, LiquidError } from 'liquidjs';
import type { Template as LiquidTemplate } from 'liquidjs';
import type { MessageField } from './files.ts';
import type { Path } from './source.ts';

/** Read the clock, draw lots, or read files: a message must be the same however often it is rendered. */
const FORBIDDEN_FILTERS = ['sample', 'date', 'date_to_xmlschema', 'date_to_rfc822', 'date_to_string', 'date_to_long_string', 'inspect'];
const FORBIDDEN_TAGS = ['include', 'render', 'layout', 'block', 'increment', 'decrement'];

/** Strict: an unknown variable or filter is an error; `default` and `if` may ask for what is missing. */
function createEngine(): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    lenientIf: true,
    ownPropertyOnly: true,
    templates: {},
    timezoneOffset: 0,
    parseLimit: 64 * 1024,
    // Counted, not timed: liquidjs's renderLimit is of the wall clock, and a message must not depend on how busy a machine is.
    memoryLimit: 1024 * 1024,
  });
  for (const filter of FORBIDDEN_FILTERS) engine.unregisterFilter(filter);
  for (const tag of FORBIDDEN_TAGS) Reflect.deleteProperty(engine.tags, tag);
  // `{{ trigger.price | fixed: 2 }}` is 59.90, where round would say 59.9.
  engine.registerFilter('fixed', (value: unknown, digits: unknown = 2) => Number(value).toFixed(Number(digits)));
  return engine;
}

const engine = createEngine();

export const FILTER_NAMES: readonly string[] = Object.keys(engine.filters);

/** A place where a template reads something: `['trigger', 'session', 'count']`, at an offset of its text. */
export interface LiquidRead {
  readonly segments: readonly string[];
  /** A part of the path is computed (`trigger[x]`). */
  readonly computed: boolean;
  readonly offset: number;
}

export interface LiquidText {
  readonly field: MessageField;
  /** Where it stands in the template's file. */
  readonly path: Path;
  readonly reads: readonly LiquidRead[];
  /** Bytes of UTF-8 that are there whatever the variables are. */
  readonly staticBytes: number;
  readonly staticLength: number;
  /** @throws LiquidError */
  readonly render: (scope: object) => string;
}

export interface LiquidProblem {
  readonly offset: number;
  readonly message: string;
  readonly hint: string | null;
}

export function compileLiquid(text: string, field: MessageField, path: Path): LiquidText | LiquidProblem {
  let template: LiquidTemplate[];
  try {
    template = engine.parse(text);
  } catch (error) {
    return explainLiquid(error);
  }
  const lines = lineStarts(text);
  const { globals } = engine.analyzeSync(template, { partials: false });
  const reads = Object.values(globals)
    .flat()
    .map(({ segments, location }) => ({
      segments: segments.map(String),
      computed: segments.some((segment) => typeof segment === 'object'),
      offset: (lines[location.row - 1] ?? 0) + location.col - 1,
    }));
  const fixed = text.replace(/\{\{.*?\}\}|\{%.*?%\}/gs, '');
  return {
    field,
    path,
    reads,
    staticBytes: Buffer.byteLength(fixed),
    staticLength: fixed.length,
    render: (scope) => String(engine.renderSync(template, scope)).trim(),
  };
}

/** What is wrong with a template's text, or with rendering it. */
export function explainLiquid(error: unknown): LiquidProblem {
  if (!(error instanceof LiquidError)) throw error;
  const offset = (error.token as { readonly begin?: number } | undefined)?.begin ?? 0;
  const cause = (error.originalError ?? error).message.replace(/, line:\d+, col:\d+$/, '');
  const missing = /^undefined variable: (.+)$/.exec(cause)?.[1];
  if (missing !== undefined)
    return { offset, message: `\`${missing}\` may be missing`, hint: `say what stands there then: {{ ${missing} | default: "..." }}` };
  const filter = /^undefined filter: (.+)$/.exec(cause)?.[1];
  if (filter !== undefined) {
    const hint = FORBIDDEN_FILTERS.includes(filter)
      ? 'it reads the clock or draws lots: a message must be the same however often it is rendered'
      : null;
    return { offset, message: `there is no filter \`${filter}\``, hint };
  }
  const tag = /^tag "(.+)" not found$/.exec(cause)?.[1];
  if (tag !== undefined)
    return {
      offset,
      message: `there is no tag \`${tag}\``,
      hint: FORBIDDEN_TAGS.includes(tag) ? 'a template stands alone: write its text here' : null,
    };
  return { offset, message: `this is not Liquid: ${cause}`, hint: null };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return starts;
}
