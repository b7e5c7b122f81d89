import { stdout } from 'node:process';
import type { Command } from 'commander';
import { formatResult } from '../../testing/report.ts';
import { testTopology } from '../../testing/suite.ts';
import type { SuiteResult } from '../../testing/suite.ts';
import { formatIssue } from '../../topology/issue.ts';
import { commandConfig } from '../context.ts';
import { CommandError } from '../errors.ts';
import { topologyFolders } from '../folders.ts';
import { parseSet, setOption } from '../set-option.ts';
import { count } from './check.ts';

export function test(command: Command): void {
  command
    .description(
      'Runs the scenarios of topologies (tests/*.yaml) with virtual time, and prints expected against got where they differ.\n' +
        'Without a folder: this one if it is a topology, else all in ./topologies. Exit code 1 where a scenario fails.',
    )
    .argument('[folder...]', 'topologies')
    .addOption(setOption("the topologies'"))
    .option('--filter <text>', 'only scenarios with this in their name, file or features')
    .option(
      '--json',
      'one JSON object: {passed, failed, topologies: [{folder, errors, scenarios: [{name, file, line, passed, differences}]}]}',
    )
    .action((folders: string[], options: { set: string[]; json?: true; filter?: string }) => {
      const { config } = commandConfig(command);
      const { filter } = options;
      const suite = { app: config.prefix, set: parseSet(options.set), ...(filter === undefined ? {} : { filter }) };
      const results = topologyFolders(folders).map((folder) => testTopology(folder, suite));
      const scenarios = results.flatMap((result) => result.results);
      if (options.json) stdout.write(`${JSON.stringify(asObject(results), undefined, 2)}\n`);
      else for (const result of results) stdout.write(asText(result));
      if (results.some((result) => result.errors.length > 0) || scenarios.some((result) => !result.passed)) process.exitCode = 1;
      else if (scenarios.length === 0)
        throw new CommandError(
          filter === undefined
            ? 'there is no scenario: add tests/<name>.yaml'
            : `no scenario has "${filter}" in its name, file or features`,
        );
    });
}

function asObject(results: readonly SuiteResult[]): object {
  const all = results.flatMap((result) => result.results);
  return {
    passed: all.filter((result) => result.passed).length,
    failed: all.filter((result) => !result.passed).length,
    topologies: results.map(({ folder, errors, results: scenarios }) => ({
      folder,
      errors,
      scenarios: scenarios.map(({ scenario, passed, differences }) => ({
        name: scenario.name,
        features: scenario.features,
        file: scenario.file,
        line: scenario.place.line,
        passed,
        differences: differences.map(({ kind, place, expected, got, fields }) => ({
          kind,
          line: place.line,
          fields,
          expected: expected === null ? null : { outcome: expected.kind, atMs: expected.atMs - scenario.startMs, ...expected.fields },
          got: got === null ? null : { outcome: got.kind, atMs: got.atMs - scenario.startMs, ...got.fields },
        })),
      })),
    })),
  };
}

function asText({ folder, errors, results, topology }: SuiteResult): string {
  const failed = results.filter((result) => !result.passed);
  const lines = [...errors.map(formatIssue), ...failed.map(formatResult)];
  if (topology === null) lines.push(`${folder}: not run, ${count(errors.length, 'error')}`);
  else {
    const parts = [`${results.length - failed.length} passed`, ...(failed.length === 0 ? [] : [`${failed.length} failed`])];
    lines.push(`${folder}: ${[...parts, ...(errors.length === 0 ? [] : [count(errors.length, 'error')])].join(', ')}`);
  }
  return `${lines.join('\n')}\n`;
}
