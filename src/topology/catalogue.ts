import type { EventType } from '../core/program.ts';
import type { EventsFile, PropertyForm, TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';
import { didYouMean } from './suggest.ts';

/** `time`: milliseconds since the epoch in the log, a time in conditions. */
export type ValueType = 'string' | 'long' | 'double' | 'boolean' | 'time';

export interface Property {
  readonly type: ValueType;
  /** Written `string?`: may be missing, so it is read with a fallback. */
  readonly optional: boolean;
}

export type Properties = ReadonlyMap<string, Property>;

export interface CatalogueEvent extends EventType {
  readonly properties: Properties;
}

export type Catalogue = ReadonlyMap<string, CatalogueEvent>;

/** What `trigger.` offers beside the event's properties, and so no property may be called. */
export const TRIGGER_FIELDS: ReadonlySet<string> = new Set(['eventId', 'eventType', 'occurredAt', 'session']);

export function readCatalogue(events: Loaded<EventsFile>): { catalogue: Catalogue; issues: Issue[] } {
  const catalogue = new Map<string, CatalogueEvent>();
  const issues: Issue[] = [];
  const { source, value } = events;
  if (Object.keys(value).length === 0)
    issues.push(source.issue([], 'there is no event', 'list the event types that journeys speak of, with their properties'));
  for (const [type, form] of Object.entries(value)) {
    if (type.startsWith('$')) {
      issues.push(
        source.issueAtKey(
          [type],
          `\`${type}\` is a reserved event: Lull knows it`,
          'declare the attributes of users under `profile` in topology.yaml',
        ),
      );
      continue;
    }
    if (!/^[A-Za-z][A-Za-z0-9_.:-]*$/.test(type)) {
      issues.push(
        source.issueAtKey([type], `\`${type}\` cannot be an event type`, 'letters, digits and _ . : - are possible, a letter first'),
      );
      continue;
    }
    const properties = readProperties(form?.properties ?? {});
    for (const name of properties.keys()) {
      if (TRIGGER_FIELDS.has(name) || name in Object.prototype)
        issues.push(
          source.issueAtKey(
            [type, 'properties', name],
            `a property cannot be called \`${name}\``,
            `conditions use ${[...TRIGGER_FIELDS].join(', ')} for what Lull knows of an event`,
          ),
        );
    }
    const item = form?.item;
    if (item !== undefined && properties.get(item)?.type !== 'string')
      issues.push(
        source.issue(
          [type, 'item'],
          `\`${type}\` has no property \`${item}\` of type string`,
          didYouMean(item, textsOf(properties), 'its texts') ?? `declare it under \`properties\`: ${item}: string`,
        ),
      );
    // An item's change is nothing that a person did.
    catalogue.set(type, { type, activity: form?.activity ?? item === undefined, ...(item === undefined ? {} : { item }), properties });
  }
  return { catalogue, issues };
}

function textsOf(properties: Properties): string[] {
  return [...properties].filter(([, { type }]) => type === 'string').map(([name]) => name);
}

/** The names of what a change of an attribute, and the coming of a date, trigger with. */
export const attributeSignal = (attribute: string): string => `$attribute.${attribute}`;
export const DATE_SIGNAL = '$date';

/** What triggers beside events: it has properties too, which conditions and templates read. */
export function withSignals(catalogue: Catalogue, profile: Properties | null): Catalogue {
  const signals: CatalogueEvent[] = [...(profile ?? [])].map(([attribute, { type }]) => {
    const value: Property = { type, optional: true };
    const properties = new Map(Object.entries({ from: value, to: value }));
    return { type: attributeSignal(attribute), activity: false, properties };
  });
  const date: Properties = new Map(Object.entries({ date: { type: 'time', optional: false }, years: { type: 'long', optional: false } }));
  signals.push({ type: DATE_SIGNAL, activity: false, properties: date });
  return new Map([...catalogue, ...signals.map((signal) => [signal.type, signal] as const)]);
}

/** The declared attributes of users; null where the topology declares none: then `user` is not checked. */
export function readProfile(topology: TopologyFile): Properties | null {
  return topology.profile === undefined ? null : readProperties(topology.profile);
}

function readProperties(forms: Readonly<Record<string, PropertyForm>>): Properties {
  return new Map(
    Object.entries(forms).map(([name, form]) => {
      const text = typeof form === 'string' ? form : form.type;
      return [name, { type: text.replace(/\?$/, '') as ValueType, optional: text.endsWith('?') }];
    }),
  );
}
