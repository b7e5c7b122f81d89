import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { EventsFile, JourneyFile, TemplateFile, TopologyFile } from './files.ts';
import { compareText } from './issue.ts';
import type { Issue } from './issue.ts';
import { applyParams, resolveParams } from './params.ts';
import type { Params } from './params.ts';
import { shapeIssues } from './shape.ts';
import type { FileKind } from './shape.ts';
import { Source } from './source.ts';
import { didYouMean } from './suggest.ts';

/** A file whose shape is right, with the places of everything in it. */
export interface Loaded<T> {
  readonly source: Source;
  readonly value: T;
}

export interface LoadedTopology {
  /** The folder's name. */
  readonly name: string;
  readonly params: Params;
  readonly topology: Loaded<TopologyFile> | null;
  readonly events: Loaded<EventsFile> | null;
  readonly journeys: readonly Loaded<JourneyFile>[];
  readonly templates: readonly Loaded<TemplateFile>[];
  /** Names of templates whose file is broken: that they are missing is not said again. */
  readonly brokenTemplates: ReadonlySet<string>;
}

/** Journeys that scenarios put in the place of others. */
export const EDITS = 'tests/edits';

const FOLDERS = ['journeys', 'templates', 'tests'];

/** Reads a topology's folder: YAML, params, shape. Everything that is wrong is collected; what is right goes on to be compiled. */
export function loadFolder(folder: string, set: Readonly<Record<string, string>>): { loaded: LoadedTopology; issues: Issue[] } {
  const issues: Issue[] = [];
  const name = path.basename(path.resolve(folder));
  const nothing = {
    name,
    params: new Map(),
    topology: null,
    events: null,
    journeys: [],
    templates: [],
    brokenTemplates: new Set<string>(),
  };
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) {
    issues.push(
      folderIssue(
        folder,
        found === undefined ? 'there is no such folder' : 'this is not a folder',
        'a topology is a folder with topology.yaml, events.yaml, journeys/ and templates/',
      ),
    );
    return { loaded: nothing, issues };
  }
  issues.push(...strayIssues(folder));

  const topologySource = readSource(folder, 'topology.yaml', issues);
  if (topologySource === null) return { loaded: nothing, issues };
  const raw = topologySource.toJS() as { readonly params?: Readonly<Record<string, unknown>> } | null;
  const resolved = resolveParams(topologySource, raw?.params ?? {}, set);
  issues.push(...resolved.issues);
  const params = resolved.params;

  const check = <T>(kind: FileKind, source: Source | null): Loaded<T> | null => {
    if (source === null) return null;
    const found = [...applyParams(source, params)];
    const value: unknown = source.toJS() ?? {};
    // A param that is not there leaves its text behind, which would be refused again.
    if (found.length === 0) found.push(...shapeIssues(kind, source, value));
    issues.push(...found);
    return found.length === 0 ? { source, value: value as T } : null;
  };

  const topology = check<TopologyFile>('topology', topologySource);
  const events = check<EventsFile>('events', readSource(folder, 'events.yaml', issues));
  const journeys = readAll(folder, 'journeys', issues).map((source) => check<JourneyFile>('journey', source));
  if (yamlFiles(folder, 'journeys').length === 0)
    issues.push(folderIssue(path.join(folder, 'journeys'), 'there is no journey', 'add journeys/<name>.yaml: see topologies/shop'));
  const templateSources = readAll(folder, 'templates', issues);
  const templates = templateSources.map((source) => check<TemplateFile>('template', source));
  const brokenTemplates = new Set<string>();
  templates.forEach((template, i) => {
    const value = templateSources[i]!.toJS() as { readonly name?: unknown } | null;
    if (template === null && typeof value?.name === 'string') brokenTemplates.add(value.name);
  });
  // What is not even YAML says no name: its file's will do.
  for (const file of yamlFiles(folder, 'templates'))
    if (!templateSources.some((source) => source.name === `templates/${file}`)) brokenTemplates.add(path.basename(file, '.yaml'));
  return {
    loaded: {
      name,
      params,
      topology,
      events,
      journeys: journeys.filter((journey) => journey !== null),
      templates: templates.filter((template) => template !== null),
      brokenTemplates,
    },
    issues,
  };
}

/** A file of the topology, or null with an issue where it is missing or not YAML. */
export function readSource(folder: string, name: string, issues: Issue[]): Source | null {
  const file = path.join(folder, name);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    issues.push(folderIssue(file, 'this file is missing', 'see topologies/shop for an example that explains itself'));
    return null;
  }
  const source = new Source(file, name, readFileSync(file, 'utf8'));
  const broken = source.syntaxIssues();
  issues.push(...broken);
  return broken.length === 0 ? source : null;
}

/** All YAML files of a sub-folder, by name. */
export function readAll(folder: string, sub: string, issues: Issue[]): Source[] {
  return yamlFiles(folder, sub)
    .map((name) => readSource(folder, `${sub}/${name}`, issues))
    .filter((source) => source !== null);
}

function yamlFiles(folder: string, sub: string): string[] {
  const inside = path.join(folder, sub);
  if (statSync(inside, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(inside)
    .filter((name) => name.endsWith('.yaml'))
    .sort(compareText);
}

/** A misplaced or misnamed file would silently do nothing. */
function strayIssues(folder: string): Issue[] {
  const issues: Issue[] = [];
  const stray = (file: string, message: string, hint: string | null) => {
    issues.push({ severity: 'warning', file: path.join(folder, file), line: 1, column: 1, message, hint });
  };
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => compareText(a.name, b.name))) {
    if (entry.isDirectory() && !FOLDERS.includes(entry.name) && !entry.name.startsWith('.'))
      stray(entry.name, 'this folder is not read', didYouMean(entry.name, FOLDERS, 'folders of a topology'));
    if (entry.isFile() && /\.ya?ml$/.test(entry.name) && entry.name !== 'topology.yaml' && entry.name !== 'events.yaml')
      stray(
        entry.name,
        'this file is not read',
        didYouMean(entry.name, ['topology.yaml', 'events.yaml']) ?? 'journeys belong into journeys/, templates into templates/',
      );
  }
  for (const sub of FOLDERS) {
    if (statSync(path.join(folder, sub), { throwIfNoEntry: false })?.isDirectory() !== true) continue;
    for (const name of readdirSync(path.join(folder, sub)).sort(compareText))
      if (!name.endsWith('.yaml') && !name.startsWith('.') && `${sub}/${name}` !== EDITS)
        stray(`${sub}/${name}`, 'this file is not read', 'its name must end in .yaml');
  }
  return issues;
}

function folderIssue(file: string, message: string, hint: string): Issue {
  return { severity: 'error', file, line: 0, column: 0, message, hint };
}
