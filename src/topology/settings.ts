import type { Cap, Limits, MessageClass, Program, SessionSum } from '../core/program.ts';
import type { Event } from '../core/event.ts';
import { emptyState } from '../core/step.ts';
import { isZone } from '../core/zone.ts';
import type { Catalogue } from './catalogue.ts';
import { Expressions } from './cel.ts';
import { durationMs } from './duration.ts';
import type { TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';
import type { Params } from './params.ts';
import { didYouMean } from './suggest.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** What `topology.yaml` says for all journeys, compiled. */
export interface Settings {
  readonly sessionGapMs: number;
  readonly activeMs: number;
  readonly maxEventAgeMs: number;
  /** null: not given. */
  readonly timeZone: string | null;
  readonly sums: readonly SessionSum[];
  readonly sumTypes: ReadonlyMap<string, 'int' | 'double'>;
  readonly classes: ReadonlyMap<string, MessageClass>;
  readonly categories: Program['categories'];
  readonly channels: Program['channels'];
  readonly caps: readonly Cap[];
  readonly limits: Limits;
  readonly momentsPerKey: number;
}

export function compileSettings(
  topology: Loaded<TopologyFile>,
  catalogue: Catalogue,
  params: Params,
): { settings: Settings; issues: Issue[] } {
  const { source, value } = topology;
  const issues: Issue[] = [];
  const { sums, sumTypes } = compileSums(topology, catalogue, params, issues);
  const sessionGapMs = durationOr(value.session?.gap, 30 * MINUTE_MS);
  if (sessionGapMs === 0) issues.push(source.issue(['session', 'gap'], '`gap` must be longer than nothing'));
  const categories = new Map(Object.entries(value.categories ?? {}).map(([name, form]) => [name, { consent: form.default }]));
  const channels = new Map(Object.entries(value.channels ?? {}).map(([name, form]) => [name, { device: form?.device ?? true }]));
  const caps = Object.entries(value.caps ?? {}).map(([name, form]): Cap => {
    if (form.category !== undefined && !categories.has(form.category))
      issues.push(
        source.issue(
          ['caps', name, 'category'],
          `there is no category \`${form.category}\``,
          didYouMean(form.category, categories.keys(), 'categories'),
        ),
      );
    if (form.channel !== undefined && !channels.has(form.channel))
      issues.push(
        source.issue(
          ['caps', name, 'channel'],
          `there is no channel \`${form.channel}\``,
          didYouMean(form.channel, channels.keys(), 'channels'),
        ),
      );
    if (form.max === 0) issues.push(source.issue(['caps', name, 'max'], 'a cap of 0 lets nothing through', null, 'warning'));
    return { name, max: form.max, windowMs: durationOr(form.per, 0), category: form.category ?? null, channel: form.channel ?? null };
  });
  if (value.time_zone !== undefined && !isZone(value.time_zone))
    issues.push(
      source.issue(['time_zone'], `there is no time zone \`${value.time_zone}\``, 'an IANA name such as Europe/Berlin, not an offset'),
    );
  const given = value.limits ?? {};
  const settings: Settings = {
    sessionGapMs,
    activeMs: durationOr(value.session?.active, 2 * MINUTE_MS),
    maxEventAgeMs: durationOr(value.max_event_age, 7 * DAY_MS),
    timeZone: value.time_zone ?? null,
    sums,
    sumTypes,
    classes: new Map(
      Object.entries(value.classes ?? {}).map(([name, form]) => [
        name,
        { name, promise: form.promise, needsConsent: form.consent === 'required', capped: form.capped },
      ]),
    ),
    categories,
    channels,
    caps,
    limits: {
      recentEventIds: given.recent_event_ids ?? 256,
      matchesPerJourney: given.matches_per_journey ?? 32,
      keysPerTracker: given.keys_per_tracker ?? 32,
      ledger: given.ledger ?? 128,
      devices: given.devices ?? 10,
      profileAttributes: given.profile_attributes ?? 64,
    },
    momentsPerKey: given.moments_per_key ?? 16,
  };
  return { settings, issues };
}

/** Sums come before everything else: conditions read them with the type that their own expression has. */
function compileSums(topology: Loaded<TopologyFile>, catalogue: Catalogue, params: Params, issues: Issue[]) {
  const { source, value } = topology;
  const expressions = new Expressions(catalogue, null, params, new Map());
  const sums: SessionSum[] = [];
  const sumTypes = new Map<string, 'int' | 'double'>();
  for (const [name, form] of Object.entries(value.session?.sums ?? {})) {
    const path = ['session', 'sums', name];
    if (!catalogue.has(form.on)) {
      issues.push(
        source.issue([...path, 'on'], `there is no event \`${form.on}\` in events.yaml`, didYouMean(form.on, catalogue.keys(), 'events')),
      );
      continue;
    }
    const at = [...path, 'add'];
    const place = source.at(at);
    const compiled = expressions.compile(
      String(form.add),
      { kind: 'event', eventType: form.on },
      `${source.name}:${place.line}:${place.column}`,
    );
    if ('message' in compiled) {
      sumTypes.set(name, 'double');
      issues.push(source.issueInText(at, compiled.offset, compiled.message, compiled.hint));
      continue;
    }
    if (compiled.type !== 'int' && compiled.type !== 'double') {
      issues.push(source.issue(at, `\`add\` must be a number, not a ${compiled.type}`));
      continue;
    }
    sumTypes.set(name, compiled.type);
    sums.push({ name, type: form.on, value: (event) => Number(compiled.evaluate(scopeOf(event))) });
  }
  return { sums, sumTypes };
}

/** A sum looks at its event only. */
const NOBODY = emptyState('');

function scopeOf(event: Event) {
  return { event, trigger: null, state: NOBODY, nowMs: event.appendedAtMs };
}

function durationOr(text: string | undefined, otherwiseMs: number): number {
  return text === undefined ? otherwiseMs : durationMs(text);
}
