import type { CompileOptions } from '../topology/compile.ts';
import { checkTopology } from './check.ts';
import type { CheckResult } from './check.ts';
import { runScenario } from './run.ts';
import type { ScenarioResult } from './run.ts';
import type { Scenario } from './scenario.ts';

export interface SuiteOptions extends CompileOptions {
  /** Only scenarios whose name, file or features contain this. */
  readonly filter?: string;
  /** Only scenarios that have one of these among their features; none = all. */
  readonly features?: readonly string[];
}

export interface SuiteResult extends CheckResult {
  readonly results: readonly ScenarioResult[];
}

/** Compiles a topology and runs its scenarios. Nothing is run where the topology is broken, and no scenario of a file that is. */
export function testTopology(folder: string, options: SuiteOptions): SuiteResult {
  const checked = checkTopology(folder, options);
  const { topology } = checked;
  if (topology === null) return { ...checked, results: [] };
  const broken = new Set(checked.errors.map((issue) => issue.file));
  const results = checked.scenarios
    .filter((scenario) => !broken.has(scenario.file) && isAskedFor(scenario, options))
    .map((scenario) => runScenario(scenario, topology.program));
  return { ...checked, results };
}

function isAskedFor({ name, file, features }: Scenario, { filter, features: asked = [] }: SuiteOptions): boolean {
  if (asked.length > 0 && !asked.some((id) => features.includes(id))) return false;
  return filter === undefined || [name, file, ...features].some((text) => text.includes(filter));
}
