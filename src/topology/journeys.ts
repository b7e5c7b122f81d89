import type { Journey, JourneyStep, Reentry } from '../core/journey.ts';
import type { Pattern } from '../core/pattern-kinds.ts';
import type { Catalogue, Properties } from './catalogue.ts';
import type { Expressions, Place } from './cel.ts';
import { FileExpressions } from './conditions.ts';
import { durationMs } from './duration.ts';
import type { JourneyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';
import { Matchers } from './matchers.ts';
import type { CompiledMatcher } from './matchers.ts';
import { compilePattern } from './patterns.ts';
import type { UpdatingJourney } from './loops.ts';
import type { Segment } from './segments.ts';
import type { Settings } from './settings.ts';
import type { Source } from './source.ts';
import { checkSend } from './sends.ts';
import { placedSteps, runMs } from './step-forms.ts';
import { StepsCompiler } from './steps.ts';
import { didYouMean } from './suggest.ts';
import type { TemplateWorld } from './template-scope.ts';
import type { Template } from './templates.ts';
import type { Tallies } from './tallies.ts';
import { keyOf } from './trackers.ts';
import type { Trackers } from './trackers.ts';

/** What a journey is compiled against. */
export interface JourneyWorld {
  readonly catalogue: Catalogue;
  readonly profile: Properties | null;
  readonly settings: Settings;
  readonly expressions: Expressions;
  readonly trackers: Trackers;
  readonly tallies: Tallies;
  readonly segments: ReadonlyMap<string, Segment>;
  readonly templates: ReadonlyMap<string, Template>;
  readonly brokenTemplates: ReadonlySet<string>;
  readonly templateWorld: TemplateWorld;
}

/** What the pattern tells the rest of the journey. */
export interface PatternUse {
  readonly pattern: Pattern;
  /** The type of the trigger, where there is one. */
  readonly eventType: string | null;
  /** From the trigger to the moment of sending, at the longest. */
  readonly waitMs: number;
}

interface CompiledJourney {
  readonly journey: Journey | null;
  /** What it notices and sets. */
  readonly updating: UpdatingJourney | null;
  readonly issues: Issue[];
}

/** One journey file; null where it has an error. */
export function compileJourney(loaded: Loaded<JourneyFile>, world: JourneyWorld): CompiledJourney {
  const { source, value } = loaded;
  const expressions = new FileExpressions(source, world.expressions);
  const matchers = new Matchers(source, world.catalogue, expressions);
  const issues = expressions.issues;

  const keyed = new KeyCheck(source, value.key ?? null, world.catalogue, issues);
  // Whatever starts the journey: a wrong trigger hides nothing of its messages.
  for (const [path, form] of placedSteps(value.steps)) if ('send' in form) checkSend(source, form, path, world, issues);
  const used = compilePattern(loaded, world, expressions, matchers, keyed);
  if (used === null) return { journey: null, updating: null, issues };
  const place: Place = { kind: 'send', eventType: used.eventType };
  const audience = expressions.condition(value.audience, place, ['audience']);
  const cancelOn = [
    ...compileCancel(loaded, 'cancel_on', used, world, matchers, keyed),
    ...compileCancel(loaded, 'goal', used, world, matchers, keyed),
  ];
  const expiresAfterMs = value.expires === undefined ? null : durationMs(value.expires);
  if (expiresAfterMs !== null && expiresAfterMs < 10_000)
    issues.push(
      source.issue(
        ['expires'],
        `\`expires: ${value.expires!}\` is shorter than a restart takes`,
        'what is late by so little is dropped: allow at least 10s',
        'warning',
      ),
    );
  const { steps, capture, captureSession, updates } = new StepsCompiler({ loaded, used, world, expressions, matchers, keyed }).compile();
  const moved = compileMoved(loaded, steps, issues);
  if (issues.some((issue) => issue.severity === 'error')) return { journey: null, updating: null, issues };
  const journey: Journey = {
    name: value.name,
    key: value.key === undefined ? null : keyOf(value.key),
    pattern: used.pattern,
    capture: [...new Set([...expressions.capture, ...capture])].sort(),
    captureSession: expressions.captureSession || captureSession,
    cancelOn,
    expiresAfterMs,
    audience,
    reentry: compileReentry(value.reentry ?? 'always'),
    priority: value.priority ?? null,
    shadow: value.mode === 'shadow',
    steps,
    moved,
    inFlight: value.in_flight ?? 'follow',
  };
  const on = typeof value.on === 'string' ? { event: value.on } : value.on;
  return { journey, updating: { name: value.name, source, on, updates }, issues };
}

function compileCancel(
  { source, value }: Loaded<JourneyFile>,
  field: 'cancel_on' | 'goal',
  used: PatternUse,
  world: JourneyWorld,
  matchers: Matchers,
  keyed: KeyCheck,
): Journey['cancelOn'] {
  const list = matchers.list(value[field], [field], { place: 'event', any: field === 'cancel_on' });
  if (Array.isArray(value[field]) && value[field].length === 0)
    keyed.issues.push(source.issue([field], `\`${field}\` is empty`, 'name what makes the message pointless, or leave it away', 'warning'));
  return list.flatMap((matcher) => {
    const own = matcher.matcher.type === used.eventType || matcher.matcher.type === '*';
    if (own && matcher.matcher.where === null && used.pattern.kind === 'event')
      keyed.issues.push(source.issue(matcher.path, `\`${matcher.label}\` is what starts this journey: it would always cancel itself`));
    if (!matcher.perUser && !keyed.check([matcher])) return [];
    // Remembered as long as an event may still arrive late, and as long as the journey may still have to look.
    const keepMs = Math.max(world.settings.maxEventAgeMs, 2 * (used.waitMs + runMs(value.steps)));
    const trackerId = world.trackers.add([matcher], matcher.perUser ? null : keyed.key, keepMs);
    return [{ trackerId, label: matcher.label, goal: field === 'goal' }];
  });
}

/** Steps that are gone, and the waits where their runs go on. */
function compileMoved({ source, value }: Loaded<JourneyFile>, steps: readonly JourneyStep[], issues: Issue[]): ReadonlyMap<string, string> {
  const moved = new Map(Object.entries(value.moved ?? {}));
  const waits = steps.flatMap((step) => (step.kind === 'wait' ? [step.name] : []));
  for (const [from, to] of moved) {
    if (steps.some(({ name }) => name === from))
      issues.push(source.issueAtKey(['moved', from], `\`${from}\` is still a step`, 'name here only steps that are gone'));
    if (!waits.includes(to))
      issues.push(
        source.issue(
          ['moved', from],
          `there is no wait \`${to}\` for runs to go on at`,
          didYouMean(to, waits, 'waits') ?? 'name a wait of this journey',
        ),
      );
  }
  return moved;
}

function compileReentry(text: string): Reentry {
  if (text === 'once') return { kind: 'once' };
  if (text === 'once per session') return { kind: 'session' };
  const every = /^every (.+)$/.exec(text)?.[1];
  return every === undefined ? { kind: 'always' } : { kind: 'every', intervalMs: durationMs(every) };
}

/** A keyed journey correlates by a property: every event that takes part must have it, with one type. */
export class KeyCheck {
  readonly key: string | null;
  readonly issues: Issue[];
  readonly #source: Source;
  readonly #catalogue: Catalogue;

  constructor(source: Source, key: string | null, catalogue: Catalogue, issues: Issue[]) {
    this.key = key;
    this.issues = issues;
    this.#source = source;
    this.#catalogue = catalogue;
  }

  check(matchers: readonly CompiledMatcher[]): boolean {
    const { key } = this;
    if (key === null) return true;
    let fine = true;
    for (const { matcher, path } of matchers) {
      if (this.#catalogue.get(matcher.type)?.properties.has(key) === true) continue;
      fine = false;
      const hint =
        path[0] === 'cancel_on' || path[0] === 'goal'
          ? `write { event: ${quoted(matcher.type)}, per: user } if it counts for every ${key}`
          : `add \`${key}\` to its properties in events.yaml, or leave \`key\` away`;
      this.issues.push(this.#source.issue(path, `\`${matcher.type}\` has no property \`${key}\`, the journey's key`, hint));
    }
    return fine;
  }
}

function quoted(type: string): string {
  return type === '*' ? '"*"' : type;
}

/** Names are part of ids: two journeys with one name would share them. */
export function duplicateNames(journeys: readonly Loaded<{ readonly name: string }>[], noun: string): Issue[] {
  const first = new Map<string, Source>();
  const issues: Issue[] = [];
  for (const { source, value } of journeys) {
    const other = first.get(value.name);
    if (other === undefined) first.set(value.name, source);
    else
      issues.push(source.issue(['name'], `there is another ${noun} \`${value.name}\` in ${other.name}`, 'give one of them another name'));
  }
  return issues;
}
