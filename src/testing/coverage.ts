import type { Journey } from '../core/journey.ts';
import type { Outcome } from './compare.ts';
import { FEATURES } from './features.ts';
import type { ScenarioResult } from './run.ts';
import type { Scenario } from './scenario.ts';
import type { SuiteResult } from './suite.ts';

/** A scenario that says something of a feature, a journey or a step. */
export interface Reach {
  readonly scenario: Scenario;
  /** It asserts a message that is sent (of a feature), or comes to one (of a journey, a step). */
  readonly sends: boolean;
  /** The same of one that must not be sent. */
  readonly refuses: boolean;
}

export interface Covered {
  readonly name: string;
  readonly covered: boolean;
  readonly reached: readonly Reach[];
}

export interface Coverage {
  /** Lull's own ids (`features.ts`), over all topologies together. */
  readonly features: readonly (Covered & { readonly title: string })[];
  readonly journeys: readonly (Covered & { readonly folder: string })[];
  readonly steps: readonly (Covered & { readonly folder: string; readonly journey: string })[];
  /** The authors' own ids: whether they are covered is for them to say. */
  readonly otherIds: readonly { readonly name: string; readonly reached: readonly Reach[] }[];
}

export const MEASURES = ['features', 'journeys', 'steps'] as const satisfies readonly (keyof Coverage)[];
export type Measure = (typeof MEASURES)[number];

/**
 * What the scenarios that passed prove; one that fails proves nothing.
 *
 * - A feature is covered by two assertions, in one scenario or in several: one of a message that is sent, and one of a message that must not be (`rejected`, `exited` or `never`).
 *   Half of it would pass with a rule that always sends, or never does.
 * - A journey is covered where a run of it came to a decision; a step where one of its own did, or where a run stood in it, if it is a wait. Branches, splits and updates leave no
 *   trace: what they lead to is counted.
 */
export function coverageOf(suites: readonly SuiteResult[]): Coverage {
  const passed = suites.flatMap(({ results }) => results).filter((result) => result.passed);
  const tagged = (id: string): Reach[] =>
    passed.filter(({ scenario }) => scenario.features.includes(id)).map(({ scenario }) => asserted(scenario));
  const otherIds = new Set(passed.flatMap(({ scenario }) => scenario.features.filter((id) => !FEATURES.has(id))));
  const journeys = suites.flatMap(({ folder, topology, results }) =>
    (topology?.program.journeys ?? []).map((journey) => ({ folder, journey, results: results.filter((result) => result.passed) })),
  );
  return {
    features: [...FEATURES].map(([name, title]) => {
      const scenarios = tagged(name);
      return { name, title, covered: anySends(scenarios) && anyRefuses(scenarios), reached: scenarios };
    }),
    journeys: journeys.map(({ folder, journey, results }) => ({ folder, ...reached(journey.name, results, journey.name) })),
    steps: journeys.flatMap(({ folder, journey, results }) =>
      stepsOf(journey).map((step) => ({ folder, journey: journey.name, ...reached(step, results, journey.name, step) })),
    ),
    otherIds: [...otherIds].sort().map((name) => ({ name, reached: tagged(name) })),
  };
}

export function anySends(reached: readonly Reach[]): boolean {
  return reached.some(({ sends }) => sends);
}

export function anyRefuses(reached: readonly Reach[]): boolean {
  return reached.some(({ refuses }) => refuses);
}

/** How much of it, in percent; all of nothing. */
export function percentOf(covered: readonly Covered[]): number {
  return covered.length === 0 ? 100 : (100 * covered.filter((one) => one.covered).length) / covered.length;
}

function asserted(scenario: Scenario): Reach {
  const { expected, never } = scenario;
  return { scenario, ...sides(expected.map(({ kind }) => kind)), ...(never.length > 0 ? { refuses: true } : {}) };
}

function sides(kinds: readonly Outcome[]): Pick<Reach, 'sends' | 'refuses'> {
  return { sends: kinds.includes('sent'), refuses: kinds.includes('rejected') || kinds.includes('exited') };
}

/** The scenarios that came to a decision of the journey, or of one of its steps, or waited there. */
function reached(name: string, results: readonly ScenarioResult[], journey: string, step?: string): Covered {
  const found = results.flatMap(({ scenario, got, waits }): Reach[] => {
    const decided = got.filter(({ fields }) => fields['journey'] === journey && (step === undefined || fields['step'] === step));
    const waited = step !== undefined && waits.has(`${journey}/${step}`);
    return decided.length > 0 || waited ? [{ scenario, ...sides(decided.map(({ kind }) => kind)) }] : [];
  });
  return { name, covered: found.length > 0, reached: found };
}

function stepsOf({ steps }: Journey): readonly string[] {
  return steps.filter(({ kind }) => kind === 'send' || kind === 'wait' || kind === 'exit').map(({ name }) => name);
}
