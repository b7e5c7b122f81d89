import { compileTopology } from '../topology/compile.ts';
import type { CompiledTopology } from '../topology/compile.ts';
import type { CompileOptions } from '../topology/compile.ts';
import type { Issue } from '../topology/issue.ts';
import { sortIssues } from '../topology/issue.ts';
import { loadScenarios } from './load.ts';
import type { Scenario } from './scenario.ts';

export interface CheckResult {
  readonly folder: string;
  /** Mistakes in the topology and in its scenarios. */
  readonly errors: readonly Issue[];
  readonly warnings: readonly Issue[];
  /** null where it cannot be compiled. */
  readonly topology: CompiledTopology | null;
  readonly scenarios: readonly Scenario[];
}

/** Everything that can be found without running anything: the topology, and its scenarios where the topology is whole. */
export function checkTopology(folder: string, options: CompileOptions): CheckResult {
  const compiled = compileTopology(folder, options);
  if (!compiled.ok) return { folder, errors: compiled.errors, warnings: compiled.warnings, topology: null, scenarios: [] };
  const { scenarios, issues } = loadScenarios(folder, compiled);
  const errors = issues.filter((issue) => issue.severity === 'error');
  const warnings = [...compiled.warnings, ...issues.filter((issue) => issue.severity === 'warning')];
  return { folder, errors: sortIssues(errors), warnings: sortIssues(warnings), topology: compiled, scenarios };
}
