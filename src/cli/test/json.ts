import type { Got, Difference } from '../../testing/compare.ts';
import type { Coverage } from '../../testing/coverage.ts';
import type { ScenarioResult } from '../../testing/run.ts';
import type { SuiteResult } from '../../testing/suite.ts';
import { coverageObject } from './coverage.ts';

/** What `lull test --json` prints, with `coverage` where it was asked for. Times count from the start of the scenario, in milliseconds. */
export function asObject(suites: readonly SuiteResult[], coverage: Coverage | null): object {
  const all = suites.flatMap(({ results }) => results);
  return {
    passed: all.filter(({ passed }) => passed).length,
    failed: all.filter(({ passed }) => !passed).length,
    topologies: suites.map(({ folder, errors, results }) => ({ folder, errors, scenarios: results.map(scenarioObject) })),
    ...(coverage === null ? {} : { coverage: coverageObject(coverage) }),
  };
}

function scenarioObject({ scenario, passed, differences }: ScenarioResult): object {
  const { name, features, file, place, startMs } = scenario;
  const one = (side: Difference['expected'] | Got): object | null =>
    side === null ? null : { outcome: side.kind, atMs: side.atMs - startMs, ...side.fields };
  return {
    ...{ name, features, file, line: place.line, passed },
    differences: differences.map(({ kind, place: { line }, fields, expected, got }) => ({
      ...{ kind, line, fields },
      ...{ expected: one(expected), got: one(got) },
    })),
  };
}
