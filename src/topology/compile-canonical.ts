import { hashOf } from './canonical.ts';
import { compileLoaded } from './compile.ts';
import type { CompiledTopology } from './compile.ts';
import type { EventsFile, JourneyFile, TemplateFile, TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded, LoadedTopology } from './load.ts';
import type { ParamValue } from './params.ts';
import { shapeIssues } from './shape.ts';
import type { FileKind } from './shape.ts';
import { Source } from './source.ts';

/** A published topology that this Lull makes no program of: most often one that a newer Lull has checked. */
export class CanonicalTextError extends Error {
  override readonly name = 'CanonicalTextError';
  readonly hash: string;

  constructor(hash: string, problem: string) {
    super(`this Lull cannot compile the topology ${hash}: ${problem}`);
    this.hash = hash;
  }
}

const FORMAT = 1;

interface CanonicalTopology {
  readonly format: number;
  readonly name: string;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly topology: TopologyFile;
  readonly events: EventsFile;
  readonly journeys: readonly JourneyFile[];
  readonly templates: readonly TemplateFile[];
}

/**
 * Compiles what `compileTopology` has made a text of, without the folder: the same canonical text, hash and program come of it. Params are applied already.
 * @throws CanonicalTextError, which names the hash
 */
export function compileCanonical(text: string, { app }: { readonly app: string }): CompiledTopology {
  const hash = hashOf(text);
  const canonical = parse(text, hash);
  const issues: Issue[] = [];
  // JSON is YAML: so what is wrong is found as in a file, and said of a place in the text.
  const part = <T extends object>(kind: FileKind, name: string, value: T): Loaded<T> | null => {
    const source = new Source(name, name, JSON.stringify(value));
    const found = shapeIssues(kind, source, value);
    issues.push(...found);
    return found.length === 0 ? { source, value } : null;
  };
  const all = <T extends { readonly name: string }>(kind: FileKind, values: readonly T[]): readonly Loaded<T>[] =>
    values.map((value) => part(kind, `${kind} ${value.name}`, value)).filter((loaded) => loaded !== null);
  const loaded: LoadedTopology = {
    name: canonical.name,
    params: new Map(Object.entries(canonical.params)),
    topology: part('topology', 'topology.yaml', canonical.topology),
    events: part('events', 'events.yaml', canonical.events),
    journeys: all('journey', canonical.journeys),
    templates: all('template', canonical.templates),
    brokenTemplates: new Set(),
  };
  const compiled = compileLoaded(loaded, app, issues);
  if (!compiled.ok) {
    const [first] = compiled.errors;
    throw new CanonicalTextError(hash, first === undefined ? 'it is not whole' : `${first.file}: ${first.message}`);
  }
  // Whatever was left out in reading would be another topology.
  if (compiled.program.hash !== hash) throw new CanonicalTextError(hash, `it reads it as ${compiled.program.hash}`);
  return compiled;
}

function parse(text: string, hash: string): CanonicalTopology {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new CanonicalTextError(hash, 'it is no JSON');
  }
  if (!isCanonical(parsed)) throw new CanonicalTextError(hash, 'it is no topology, or one of another format');
  return parsed;
}

function isCanonical(value: unknown): value is CanonicalTopology {
  if (typeof value !== 'object' || value === null) return false;
  const { format, name, params, topology, events, journeys, templates } = value as Readonly<Record<string, unknown>>;
  if (format !== FORMAT || typeof name !== 'string') return false;
  const isNamed = (one: unknown): boolean => isRecord(one) && typeof one['name'] === 'string';
  return [params, topology, events].every(isRecord) && [journeys, templates].every((list) => Array.isArray(list) && list.every(isNamed));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
