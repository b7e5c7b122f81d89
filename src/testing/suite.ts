import { compileTopology } from '../topology/compile.ts';
import type { CompiledTopology } from '../topology/compile.ts';
import type { Issue } from '../topology/issue.ts';
import { sortIssues } from '../topology/issue.ts';
import { loadScenarios } from './load.ts';
import { runScenario } from './run.ts';
import type { ScenarioResult } from './run.ts';

export interface SuiteOptions {
  readonly app: string;
  readonly set?: Readonly<Record<string, string>>;
  /** Only scenarios whose name, file or features contain this. */
  readonly filter?: string;
}

export interface SuiteResult {
  readonly folder: string;
  /** Mistakes in the topology or in the scenarios: nothing was run where the topology is broken. */
  readonly errors: readonly Issue[];
  readonly warnings: readonly Issue[];
  readonly topology: CompiledTopology | null;
  readonly results: readonly ScenarioResult[];
}

/** Compiles a topology and runs its scenarios. */
export function testTopology(folder: string, options: SuiteOptions): SuiteResult {
  const compiled = compileTopology(folder, options);
  if (!compiled.ok) return { folder, errors: compiled.errors, warnings: compiled.warnings, topology: null, results: [] };
  const { scenarios, issues } = loadScenarios(folder, compiled);
  const errors = sortIssues(issues.filter((issue) => issue.severity === 'error'));
  const broken = new Set(errors.map((issue) => issue.file));
  const { filter } = options;
  const results = scenarios
    .filter((scenario) => !broken.has(scenario.file))
    .filter(({ name, file, features }) => filter === undefined || [name, file, ...features].some((text) => text.includes(filter)))
    .map((scenario) => runScenario(scenario, compiled.program));
  return { folder, errors, warnings: compiled.warnings, topology: compiled, results };
}
