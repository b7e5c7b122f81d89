import type { Scalar } from '../core/event.ts';
import { EvaluationError } from '../core/condition.ts';
import type { Mapped, Source, SourceRecord } from '../core/source.ts';
import type { Catalogue, Properties } from './catalogue.ts';
import type { SourceForm, TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';
import type { Params } from './params.ts';
import { celTypesFor, isFault, itemEventTypes, sourceEventTypes, toScalar } from './source-properties.ts';
import type { SourceEventType } from './source-properties.ts';
import { SourceExpressions } from './source-expressions.ts';
import type { SourceContext, SourceExpression } from './source-expressions.ts';
import type { Path, Source as File } from './source.ts';
import { didYouMean } from './suggest.ts';
import { TIMESTAMP } from './views.ts';

const ID_TYPES = ['string', 'int'];

/** What `sources` of topology.yaml says, compiled; those with something wrong in them are left out, and their issues kept. */
export function compileSources(
  topology: Loaded<TopologyFile>,
  world: { readonly catalogue: Catalogue; readonly profile: Properties | null; readonly params: Params },
): { sources: readonly Source[]; issues: readonly Issue[] } {
  const { source: file, value } = topology;
  const types = sourceEventTypes(world.catalogue, world.profile);
  const expressions = new SourceExpressions(file, world.params);
  const sources = Object.entries(value.sources ?? {}).flatMap(([name, form]) => {
    const before = expressions.issues.length;
    const issue = whoseIssue(name, form, file);
    if (issue !== null) {
      expressions.issues.push(issue);
      return [];
    }
    const source = compileSource(name, form, { topology, types: form.item === undefined ? types : itemEventTypes(types), expressions });
    return expressions.issues.slice(before).some(({ severity }) => severity === 'error') ? [] : [source];
  });
  return { sources, issues: expressions.issues };
}

interface World {
  readonly topology: Loaded<TopologyFile>;
  readonly types: ReadonlyMap<string, SourceEventType>;
  readonly expressions: SourceExpressions;
}

interface CompiledProperty {
  readonly name: string;
  readonly expression: SourceExpression;
}

function compileSource(name: string, form: SourceForm, world: World): Source {
  const { expressions, types } = world;
  const path = ['sources', name];
  const optional = (key: 'time' | 'id', allowed: readonly string[], expects: string): SourceExpression | null => {
    const text = form[key];
    return text === undefined ? null : expressions.compile(text, [...path, key], allowed, expects);
  };
  const of = form.item === undefined ? 'user' : 'item';
  const whose = expressions.compile(form[of] ?? '', [...path, of], ID_TYPES, `\`${of}\` is a text or a whole number`);
  const when = compileWhen(form, [...path, 'when'], world);
  const time = optional('time', [TIMESTAMP, 'int'], '`time` is a time, or milliseconds since 1970');
  const id = optional('id', ID_TYPES, '`id` is a text or a whole number');
  const typeOf = compileType(form, [...path, 'event'], world);
  const properties = compileProperties(name, form, world);

  const event = (record: SourceRecord, context: SourceContext): Mapped => {
    if (when !== null && when.evaluate(context) !== true) return { kind: 'filtered' };
    const ofId = idOf(whose?.evaluate(context));
    if (ofId === null) return refused(`no_${of}`, `source ${name}: \`${of}\` is no text and no whole number, or empty`);
    const typeName = typeOf(context);
    const type =
      typeof typeName === 'string' && (typeof form.event === 'string' || isComputable(typeName)) ? types.get(typeName) : undefined;
    if (type === undefined) return refused('unknown_event_type', `source ${name}: \`event\` is none of events.yaml`);
    const occurredAt = time === null ? record.timeMs : msOf(time.evaluate(context));
    if (occurredAt === null) return refused('no_time', `source ${name}: \`time\` is no time, and no milliseconds since 1970`);
    const eventId = id === null ? defaultId(record, type.type) : idOf(id.evaluate(context));
    if (eventId === null) return refused('no_event_id', `source ${name}: \`id\` is no text and no whole number, or empty`);
    const values: Record<string, Scalar> = {};
    for (const { name: property, expression } of properties) {
      const wanted = type.properties.get(property);
      // Of several types that are computed, each has its own properties.
      if (wanted === undefined && !type.isProfile) continue;
      const scalar = toScalar(property, expression.evaluate(context), type.isProfile && wanted ? { ...wanted, optional: true } : wanted);
      if (isFault(scalar)) return refused(scalar.reason, `source ${name}: ${scalar.detail}`);
      if (scalar !== null || type.isProfile) values[property] = scalar;
    }
    const missing = type.isProfile
      ? undefined
      : [...type.properties].find(([key, { optional }]) => !optional && !Object.hasOwn(values, key));
    if (missing !== undefined) return refused('property_missing', `source ${name}: ${type.type} needs the property ${missing[0]}`);
    const said = { eventId, type: type.type, occurredAt, properties: values };
    return of === 'user' ? { kind: 'event', event: { ...said, userId: ofId } } : { kind: 'change', change: { ...said, itemId: ofId } };
  };
  const map = (record: SourceRecord): Mapped => {
    try {
      return event(record, expressions.context(record));
    } catch (error) {
      if (error instanceof EvaluationError) return refused('expression_failed', error.message);
      throw error;
    }
  };
  return { name, topic: form.topic, map };
}

/** A source's events are of a user, or of an item. */
function whoseIssue(name: string, { user, item }: SourceForm, file: File): Issue | null {
  if ((user === undefined) !== (item === undefined)) return null;
  const hint = '`user`: whose event it is; `item`: of which item it is a change, for everybody who is interested in it';
  if (item === undefined) return file.issueAtKey(['sources', name], '`user` or `item` is missing', hint);
  return file.issueAtKey(['sources', name, 'item'], '`user` and `item` are there, and only one can be', hint);
}

function compileWhen(form: SourceForm, path: Path, { topology, expressions }: World): SourceExpression | null {
  if (form.when === undefined) return null;
  const text = form.when === null ? '' : String(form.when);
  if (text.trim() === '') {
    expressions.issues.push(topology.source.issue(path, 'an empty condition matches nothing', 'leave it away to take every record'));
    return null;
  }
  return expressions.compile(text, path, ['bool'], '`when` is true or false');
}

/** Computes the event type's name; one that is written is looked up now. */
function compileType(form: SourceForm, path: Path, { topology, types, expressions }: World): (context: SourceContext) => unknown {
  const { event } = form;
  if (typeof event !== 'string') {
    const computed = expressions.compile(event.cel, [...path, 'cel'], ['string'], 'an event type is a text');
    return (context) => computed?.evaluate(context);
  }
  if (!types.has(event)) {
    const known = [...types.keys()].filter((type) => type.startsWith('$') === event.startsWith('$'));
    const declare =
      form.item === undefined
        ? 'declare it in events.yaml; `event: { cel: ... }` computes a type'
        : 'its `item` in events.yaml says which property names the item';
    const hint = didYouMean(event, known, 'events') ?? declare;
    const what = form.item === undefined ? 'a source' : 'the source of an item';
    expressions.issues.push(topology.source.issue(path, `there is no event \`${event}\` that ${what} can write`, hint));
  }
  return () => event;
}

function compileProperties(name: string, form: SourceForm, world: World): readonly CompiledProperty[] {
  const { topology, types, expressions } = world;
  const file = topology.source;
  const written = typeof form.event === 'string' ? types.get(form.event) : undefined;
  const candidates = typeof form.event !== 'string' ? computable(types) : written === undefined ? [] : [written];
  const path = ['sources', name, 'properties'];
  const known = new Set(candidates.flatMap(({ properties }) => [...properties.keys()]));
  const takesAny = candidates.length === 0 || (written?.isProfile === true && known.size === 0);
  const compiled = Object.entries(form.properties ?? {}).flatMap(([property, text]) => {
    const at = [...path, property];
    const of = candidates.map(({ properties }) => properties.get(property)).filter((found) => found !== undefined);
    if (of.length === 0 && !takesAny) {
      const whose = written === undefined ? 'no event of events.yaml has' : `\`${written.type}\` has no`;
      expressions.issues.push(file.issueAtKey(at, `${whose} property \`${property}\``, didYouMean(property, known, 'known')));
      return [];
    }
    const allowed = of.length === 0 ? celTypesFor(undefined) : [...new Set(of.flatMap(celTypesFor))];
    const expects = `\`${property}\` is a ${[...new Set(of.map(({ type }) => type))].join(' or ') || 'single value'}`;
    const expression = expressions.compile(text, at, allowed, expects);
    return expression === null ? [] : [{ name: property, expression }];
  });
  for (const [property, { optional, type }] of written === undefined || written.isProfile ? [] : written.properties)
    if (!optional && form.properties?.[property] === undefined)
      expressions.issues.push(
        file.issueAtKey(
          form.properties === undefined ? ['sources', name] : path,
          `\`${property}\` of \`${written!.type}\` is not mapped`,
          `add it under \`properties\`${written!.type.startsWith('$') ? '' : `, or declare it as ${type}? in events.yaml`}`,
        ),
      );
  return compiled;
}

/** `$profile` takes properties of any name: computed, nobody would notice a slip of the fingers in those of other events. */
function isComputable(type: string): boolean {
  return type !== '$profile';
}

function computable(types: ReadonlyMap<string, SourceEventType>): SourceEventType[] {
  return [...types.values()].filter(({ type }) => isComputable(type));
}

/** The same after every replay, and another for each of the types that several sources may make of one record. */
function defaultId({ topic, partition, offset }: SourceRecord, type: string): string {
  return `${topic}/${partition}/${offset}/${type}`;
}

/** null where it is none. */
function idOf(value: unknown): string | null {
  const text = typeof value === 'bigint' ? String(value) : value;
  return typeof text === 'string' && text !== '' ? text : null;
}

/** Of what a Date can hold. */
const MAX_TIME_MS = 8.64e15;

function msOf(value: unknown): number | null {
  const ms = value instanceof Date ? value.getTime() : typeof value === 'bigint' ? Number(value) : NaN;
  return Math.abs(ms) <= MAX_TIME_MS ? ms : null;
}

function refused(reason: string, detail: string): Mapped {
  return { kind: 'refused', reason, detail };
}
