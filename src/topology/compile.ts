import type { Journey } from '../core/journey.ts';
import type { Program } from '../core/program.ts';
import type { Source } from '../core/source.ts';
import { canonicalText, hashOf, inCanonicalOrder } from './canonical.ts';
import { capIssues, ledgerIssues } from './caps.ts';
import { cappedSteps } from './capped-steps.ts';
import { readCatalogue, readProfile, withSignals } from './catalogue.ts';
import type { Catalogue, Properties } from './catalogue.ts';
import { Expressions } from './cel.ts';
import { editLoaded, type Edit } from './edit.ts';
import type { JourneyFile, TopologyFile } from './files.ts';
import { compareText, sortIssues } from './issue.ts';
import type { Issue } from './issue.ts';
import { compileJourney, duplicateNames } from './journeys.ts';
import type { JourneyWorld } from './journeys.ts';
import { loadFolder } from './load.ts';
import type { Loaded, LoadedTopology } from './load.ts';
import { loopIssues, type UpdatingJourney } from './loops.ts';
import type { Params } from './params.ts';
import { compileSettings } from './settings.ts';
import type { Settings } from './settings.ts';
import { compileSources } from './sources.ts';
import { allSteps, channelsOf } from './step-forms.ts';
import { compileTemplate } from './templates.ts';
import type { TemplateWorld } from './template-scope.ts';
import type { Template } from './templates.ts';
import { compileSegments } from './segments.ts';
import { Tallies } from './tallies.ts';
import { Trackers } from './trackers.ts';

export interface CompileOptions {
  /** The prefix: one app, one prefix. It is part of every command's id. */
  readonly app: string;
  /** Params as given outside: `{ cartWait: '3s' }`. */
  readonly set?: Readonly<Record<string, string>>;
}

export interface CompiledTopology {
  readonly ok: true;
  readonly program: Program;
  /** The topology with its params applied, as one text; `program.hash` is its SHA-256. */
  readonly canonical: string;
  readonly catalogue: Catalogue;
  /** The declared attributes of users; null where none are declared. */
  readonly profile: Properties | null;
  readonly params: Params;
  /** Foreign topics, for the ingest stage. */
  readonly sources: readonly Source[];
  readonly warnings: readonly Issue[];
  /** What an edit of it compiles to. */
  readonly edited: (edit: Edit) => CompiledTopology | BrokenTopology;
}

export interface BrokenTopology {
  readonly ok: false;
  /** All of them, by file and place. */
  readonly errors: readonly Issue[];
  readonly warnings: readonly Issue[];
}

/**
 * Files in, a program for the core out. Everything that is wrong is found at once, except that journeys are not held against an event catalogue or a
 * topology.yaml that could not be read. Reads the folder synchronously; pure otherwise: the same files and params give the same hash.
 */
export function compileTopology(folder: string, options: CompileOptions): CompiledTopology | BrokenTopology {
  const { loaded, issues } = loadFolder(folder, options.set ?? {});
  // In the order of the canonical text, so that the same hash is the same program down to the order of caps. What is wrong is told in the order as written.
  const compiled = compileLoaded(inCanonicalOrder(loaded), options.app, [...issues]);
  return compiled.ok ? compiled : compileLoaded(loaded, options.app, issues);
}

/**
 * What comes behind reading: of files, or of a canonical text.
 * @param issues what reading has found; more is added
 */
export function compileLoaded(loaded: LoadedTopology, app: string, issues: Issue[]): CompiledTopology | BrokenTopology {
  const { topology, events } = loaded;
  if (topology === null || events === null) return broken(issues);

  const { catalogue, issues: catalogueIssues } = readCatalogue(events);
  issues.push(...catalogueIssues);
  if (catalogueIssues.length > 0) return broken(issues);
  const profile = readProfile(topology.value);
  const { settings, issues: settingsIssues } = compileSettings(topology, catalogue, loaded.params);
  issues.push(...settingsIssues, ...ledgerIssues(topology, settings));
  const { sources, issues: sourceIssues } = compileSources(topology, { catalogue, profile, params: loaded.params });
  issues.push(...sourceIssues);

  const world = {
    catalogue: withSignals(catalogue, profile),
    profile,
    params: loaded.params,
    sums: [...settings.sumTypes.keys()],
    channels: new Set(settings.channels.keys()),
  };
  const { templates, brokenTemplates } = compileTemplates(loaded, world, issues);
  const trackers = new Trackers(settings.momentsPerKey);
  const tallies = new Tallies();
  const expressions = new Expressions(world.catalogue, profile, loaded.params, settings.sumTypes);
  const compiled = compileJourneys(
    loaded,
    {
      catalogue,
      profile,
      settings,
      segments: compileSegments(topology, expressions, issues),
      tallies,
      expressions,
      trackers,
      templates,
      brokenTemplates,
      templateWorld: world,
    },
    issues,
  );
  if (issues.some((issue) => issue.severity === 'error')) return broken(issues);
  // Behind a broken file or a misspelt name, what nobody uses is not known.
  issues.push(...unusedIssues(loaded, topology, settings), ...capIssues(topology, loaded.journeys, settings));
  for (const { file, journey } of compiled) issues.push(...cappedSteps(file, journey, settings));
  // A draft is checked like the others, and takes no part.
  const journeys = compiled.filter(({ file }) => file.value.mode !== 'draft').map(({ journey }) => journey);

  const canonical = canonicalText(loaded);
  // What senders and devices report is no part of the catalogue.
  const reported = trackers.all().flatMap(({ matches }) => matches.filter(({ type }) => type.startsWith('$')));
  const asked = reported.map(({ type }) => ({ type, activity: false }));
  const program: Program = {
    name: loaded.name,
    hash: hashOf(canonical),
    version: 0,
    app,
    sessionGapMs: settings.sessionGapMs,
    activeMs: settings.activeMs,
    maxEventAgeMs: settings.maxEventAgeMs,
    timeZone: settings.timeZone ?? 'UTC',
    eventTypes: new Map([...[...catalogue.values()].map(({ properties: _, ...type }) => type), ...asked].map((type) => [type.type, type])),
    sums: settings.sums,
    trackers: trackers.all(),
    tallies: tallies.all(),
    journeys,
    classes: settings.classes,
    categories: settings.categories,
    channels: settings.channels,
    caps: settings.caps,
    limits: settings.limits,
  };
  const edited = (edit: Edit): CompiledTopology | BrokenTopology => {
    const found: Issue[] = [];
    return compileLoaded(inCanonicalOrder(editLoaded(loaded, edit, found)), app, found);
  };
  return { ok: true, program, canonical, catalogue, profile, params: loaded.params, sources, warnings: unique(issues), edited };
}

function compileTemplates(loaded: LoadedTopology, world: TemplateWorld, issues: Issue[]) {
  const templates = new Map<string, Template>();
  const brokenTemplates = new Set(loaded.brokenTemplates);
  issues.push(...duplicateNames(loaded.templates, 'template'));
  for (const file of loaded.templates) {
    const { template, issues: found } = compileTemplate(file, world);
    issues.push(...found);
    if (template === null) brokenTemplates.add(file.value.name);
    else templates.set(template.name, template);
  }
  return { templates, brokenTemplates };
}

interface CompiledFile {
  readonly file: Loaded<JourneyFile>;
  readonly journey: Journey;
}

/** By name; without those that have an error. */
function compileJourneys(loaded: LoadedTopology, world: JourneyWorld, issues: Issue[]): CompiledFile[] {
  issues.push(...duplicateNames(loaded.journeys, 'journey'));
  const noticed: UpdatingJourney[] = [];
  const compiled = loaded.journeys.flatMap((file): CompiledFile[] => {
    const { journey, updating, issues: found } = compileJourney(file, world);
    issues.push(...found);
    if (updating !== null) noticed.push(updating);
    return journey === null ? [] : [{ file, journey }];
  });
  issues.push(...loopIssues(noticed, world.segments));
  return compiled.sort((a, b) => compareText(a.journey.name, b.journey.name));
}

/** What is there and does nothing: often a name that was meant to be used. */
function unusedIssues(loaded: LoadedTopology, topology: Loaded<TopologyFile>, settings: Settings): Issue[] {
  const issues: Issue[] = [];
  const sends = loaded.journeys.flatMap(({ value }) => allSteps(value.steps)).filter((step) => 'send' in step);
  for (const { source, value } of loaded.templates) {
    if (!sends.some((send) => send.template === value.name))
      issues.push(source.issue(['name'], `no journey uses the template \`${value.name}\``, null, 'warning'));
  }
  for (const channel of settings.channels.keys()) {
    if (!sends.some((send) => channelsOf(send).includes(channel)))
      issues.push(topology.source.issueAtKey(['channels', channel], `no journey uses the channel \`${channel}\``, null, 'warning'));
  }
  return issues;
}

function broken(issues: readonly Issue[]): BrokenTopology {
  const all = unique(issues);
  return {
    ok: false,
    errors: all.filter((issue) => issue.severity === 'error'),
    warnings: all.filter((issue) => issue.severity === 'warning'),
  };
}

/** A template that two journeys use in the same wrong way is wrong once. */
function unique(issues: readonly Issue[]): Issue[] {
  return sortIssues([...new Map(issues.map((issue) => [JSON.stringify(issue), issue])).values()]);
}
