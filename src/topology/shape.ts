import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { isTooLong } from './duration.ts';
import type { Issue } from './issue.ts';
import type { Path, Source } from './source.ts';
import { didYouMean } from './suggest.ts';

export type FileKind = 'topology' | 'events' | 'journey' | 'template' | 'scenarios';

/** The published JSON Schemas are the only statement of the shape; `x-expects` in them is what a person is told. */
const FOLDER = new URL('../../schemas/topology/', import.meta.url);
const validators = new Map<FileKind, ValidateFunction>();

function validatorOf(kind: FileKind): ValidateFunction {
  const known = validators.get(kind);
  if (known !== undefined) return known;
  const ajv = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
  ajv.addKeyword('x-expects');
  ajv.addFormat('lull-duration', (text) => !isTooLong(text));
  const schema = JSON.parse(readFileSync(new URL(`${kind}.schema.json`, FOLDER), 'utf8')) as object;
  const validate = ajv.compile(schema);
  validators.set(kind, validate);
  return validate;
}

/** Everything in the file that does not have the shape of its kind. */
export function shapeIssues(kind: FileKind, source: Source, value: unknown): Issue[] {
  const validate = validatorOf(kind);
  const later = kind === 'journey' ? stepForms(source, value, []) : [];
  if (validate(value) && later.length === 0) return [];
  const issues = new Map<string, Issue>();
  for (const { path, issue } of later) issues.set(path, issue);
  for (const error of validate.errors ?? []) {
    if (later.some(({ path }) => error.instancePath.startsWith(path))) continue;
    const issue = translate(source, error);
    if (issue === null) continue;
    // One thing that is wrong breaks several keywords (type and pattern): it is said once.
    const key = `${issue.line}:${issue.column}:${/^`[^`]*`/.exec(issue.message)?.[0] ?? issue.message}`;
    if (!issues.has(key)) issues.set(key, issue);
  }
  return [...issues.values()];
}

/** What belongs to each kind of step: a schema that said so would answer a misspelt key with all that is possible elsewhere. */
const STEP_KEYS: Readonly<Record<string, readonly string[]>> = {
  send: ['channels', 'class', 'category', 'template', 'ttl', 'collapse_key', 'while_active', 'data'],
  wait: ['for', 'at', 'until', 'look_back', 'then', 'else'],
  branch: ['cases', 'else'],
  split: ['arms', 'salt'],
  update: ['set'],
  exit: [],
};

/** Steps that are of no kind, of two, or have what belongs to another kind. */
function stepForms(source: Source, value: unknown, path: Path): { readonly path: string; readonly issue: Issue }[] {
  if (Array.isArray(value)) return (value as readonly unknown[]).flatMap((item, i) => stepForms(source, item, [...path, i]));
  if (!isRecord(value)) return [];
  const inner = ['steps', 'then', 'else', 'cases', 'arms'].flatMap((name) => stepForms(source, value[name], [...path, name]));
  // A case and an arm contain steps and are none, like the journey itself.
  const container = path.at(-2);
  if (path.length === 0 || container === 'cases' || container === 'arms') return inner;
  const kinds = Object.keys(STEP_KEYS).filter((kind) => kind in value);
  const [kind] = kinds;
  const here = `/${path.join('/')}`;
  const possible = Object.keys(STEP_KEYS).join(', ');
  const known = Object.values(STEP_KEYS).flat();
  // A misspelt kind is told as what it is.
  if (kind === undefined && Object.keys(value).some((key) => !known.includes(key))) return inner;
  if (kind === undefined) return [{ path: here, issue: source.issue(path, 'a step of no kind', `one of ${possible}`) }];
  if (kinds.length > 1)
    return [{ path: here, issue: source.issue(path, `a step is one thing, this is ${kinds.join(' and ')}`, 'make a list of them') }];
  const foreign = Object.keys(value).filter((key) => key !== kind && known.includes(key) && !STEP_KEYS[kind]!.includes(key));
  const issues = foreign.map((key) => {
    const owners = Object.keys(STEP_KEYS).filter((other) => STEP_KEYS[other]!.includes(key));
    return {
      path: `${here}/${key}`,
      issue: source.issueAtKey([...path, key], `\`${key}\` does not belong to a \`${kind}\``, `it belongs to ${owners.join(', ')}`),
    };
  });
  return [...issues, ...inner];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function translate(source: Source, error: ErrorObject): Issue | null {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replace(/~1/g, '/').replace(/~0/g, '~'));
  const schema = error.parentSchema as Readonly<Record<string, unknown>>;
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case 'if':
      // What the other branch misses is said by itself.
      return null;
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const known = Object.keys((schema['properties'] as object | undefined) ?? {});
      return source.issueAtKey([...path, key], `\`${key}\` is not known here`, didYouMean(key, known));
    }
    case 'required': {
      const key = String(params['missingProperty']);
      return source.issueAtKey(path, `\`${key}\` is missing${inside(path)}`, describe(schema, key));
    }
    case 'propertyNames': {
      const key = String(params['propertyName']);
      const names = schema['propertyNames'] as Readonly<Record<string, unknown>>;
      return source.issueAtKey([...path, key], `\`${key}\` cannot be a name here`, `it must be ${expectation(names)}`);
    }
    case 'minItems':
    case 'minProperties':
      return source.issue(
        path,
        `\`${nameOf(path)}\` ${isEmpty(error.data) ? 'is empty' : 'has too few'}`,
        `it must be ${expectation(schema)}`,
      );
    case 'enum': {
      const allowed = (params['allowedValues'] as readonly unknown[]).map(String);
      const value = String(error.data);
      return source.issue(path, `\`${nameOf(path)}\` cannot be ${show(error.data)}`, didYouMean(value, allowed, 'one of'));
    }
    default: {
      if (error.schemaPath.includes('/propertyNames/')) return null;
      return source.issue(path, `\`${nameOf(path)}\` must be ${expectation(schema)}, not ${show(error.data)}`, hintFor(schema, error.data));
    }
  }
}

function isEmpty(value: unknown): boolean {
  return Object.keys(value as object).length === 0;
}

function expectation(schema: Readonly<Record<string, unknown>>): string {
  if (typeof schema['x-expects'] === 'string') return schema['x-expects'];
  const type = schema['type'];
  if (type === 'string') return 'a text';
  if (type === 'object') return 'a mapping';
  if (type === 'array') return 'a list';
  return 'something else';
}

function hintFor(schema: Readonly<Record<string, unknown>>, value: unknown): string | null {
  if (typeof schema['x-expects'] !== 'string') return null;
  if (schema['x-expects'].startsWith('a duration') && typeof value === 'number')
    return `${value} of what? write ${value}s, ${value}m or ${value}h`;
  if (typeof value === 'string' && isTooLong(value)) return 'at most 36500d are possible';
  if (schema['x-expects'].startsWith('one of string') && typeof value === 'string') return typeHint(value);
  return null;
}

const OTHER_TYPES: Readonly<Record<string, string>> = {
  int: 'long',
  integer: 'long',
  int64: 'long',
  number: 'double',
  float: 'double',
  decimal: 'double',
  bool: 'boolean',
  text: 'string',
  str: 'string',
  date: 'time',
  datetime: 'time',
  timestamp: 'time',
};

function typeHint(value: string): string | null {
  const optional = value.endsWith('?') ? '?' : '';
  const other = OTHER_TYPES[value.replace(/\?$/, '').toLowerCase()];
  return other === undefined ? didYouMean(value, ['string', 'long', 'double', 'boolean', 'time']) : `write \`${other}${optional}\``;
}

function describe(schema: Readonly<Record<string, unknown>>, key: string): string | null {
  const properties = schema['properties'] as Readonly<Record<string, { readonly description?: string }>> | undefined;
  const description = properties?.[key]?.description;
  return description === undefined ? null : `${key}: ${description}`;
}

function nameOf(path: Path): string {
  const name = path.findLast((step) => !/^\d+$/.test(String(step)));
  return name === undefined ? 'this file' : String(name);
}

function inside(path: Path): string {
  return path.length === 0 ? '' : ` in \`${nameOf(path)}\``;
}

function show(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? `\`${value}\`` : JSON.stringify(value);
}
