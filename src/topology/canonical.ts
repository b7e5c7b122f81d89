import { createHash } from 'node:crypto';
import type { Loaded, LoadedTopology } from './load.ts';
import { compareText } from './issue.ts';

/**
 * A checked topology as one text: params applied, keys sorted, without descriptions, comments and tests. The same meaning is the same text, whatever the files are called
 * and however they are indented; its hash names the topology in commands, decisions and the log.
 */
export function canonicalText(loaded: LoadedTopology): string {
  const byName = (files: readonly { readonly value: { readonly name: string } }[]) =>
    [...files].sort((a, b) => compareText(a.value.name, b.value.name)).map(({ value }) => plain(value, ['description']));
  return JSON.stringify(
    sorted({
      format: 1,
      name: loaded.name,
      params: Object.fromEntries(loaded.params),
      topology: {
        ...plain(loaded.topology?.value ?? {}, ['description', 'params']),
        channels: mapValues(loaded.topology?.value.channels, (form) => plain(form ?? {}, ['description'])),
        categories: mapValues(loaded.topology?.value.categories, (form) => plain(form, ['description'])),
        classes: mapValues(loaded.topology?.value.classes, (form) => plain(form, ['description'])),
        // Left away where there are none: a topology without sources keeps the hash that it had before there were any.
        ...(loaded.topology?.value.sources && {
          sources: mapValues(loaded.topology.value.sources, (form) => plain(form, ['description'])),
        }),
      },
      events: mapValues(loaded.events?.value, (form) => plain(form ?? {}, ['description'])),
      journeys: byName(loaded.journeys),
      templates: byName(loaded.templates),
    }),
  );
}

/** The same topology, with everything in the order in which its canonical text has it. Places in the files stay: they go by names. */
export function inCanonicalOrder(loaded: LoadedTopology): LoadedTopology {
  const inOrder = <T>({ source, value }: Loaded<T>): Loaded<T> => ({ source, value: sorted(value) as T });
  const byName = <T extends { readonly name: string }>(files: readonly Loaded<T>[]): readonly Loaded<T>[] =>
    files.map(inOrder).sort((a, b) => compareText(a.value.name, b.value.name));
  return {
    ...loaded,
    params: new Map([...loaded.params].sort(([a], [b]) => compareText(a, b))),
    topology: loaded.topology && inOrder(loaded.topology),
    events: loaded.events && inOrder(loaded.events),
    journeys: byName(loaded.journeys),
    templates: byName(loaded.templates),
  };
}

/** SHA-256, in hex. */
export function hashOf(canonical: string): string {
  return createHash('sha256').update(canonical).digest('hex');
}

function plain(value: object, without: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !without.includes(key)));
}

function mapValues<T>(record: Readonly<Record<string, T>> | undefined, map: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, map(value)]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => compareText(a, b))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
