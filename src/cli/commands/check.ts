import { stdout } from 'node:process';
import type { Command } from 'commander';
import { checkTopology } from '../../testing/check.ts';
import type { CheckResult } from '../../testing/check.ts';
import { formatIssue } from '../../topology/issue.ts';
import { commandConfig } from '../context.ts';
import { count } from '../count.ts';
import { topologyFolders } from '../folders.ts';
import { parseSet, setOption } from '../set-option.ts';

export function check(command: Command): void {
  command
    .description(
      'Finds every mistake in topologies and their scenarios: shape, names, types, templates, durations. Each with file, line, column and what to do.\n' +
        'Without a folder: this one if it is a topology, else all in ./topologies. Exit code 1 where there is an error.',
    )
    .argument('[folder...]', 'topologies')
    .addOption(setOption("the topologies'"))
    .option('--json', 'one JSON object: {topologies: [{folder, ok, name, hash, journeys, scenarios, errors, warnings}]}')
    .action((folders: string[], options: { set: string[]; json?: true }) => {
      const { config } = commandConfig(command);
      const set = parseSet(options.set);
      const results = topologyFolders(folders).map((folder) => checkTopology(folder, { app: config.prefix, set }));
      if (options.json) stdout.write(`${JSON.stringify({ topologies: results.map(asObject) }, undefined, 2)}\n`);
      else for (const result of results) stdout.write(asText(result));
      if (results.some((result) => result.errors.length > 0)) process.exitCode = 1;
    });
}

function asObject({ folder, errors, warnings, topology, scenarios }: CheckResult): object {
  return {
    folder,
    ok: errors.length === 0,
    name: topology?.program.name ?? null,
    hash: topology?.program.hash ?? null,
    journeys: topology?.program.journeys.map((journey) => journey.name) ?? [],
    scenarios: scenarios.length,
    errors,
    warnings,
  };
}

function asText({ folder, errors, warnings, topology, scenarios }: CheckResult): string {
  const lines = [...errors, ...warnings].map(formatIssue);
  if (errors.length > 0)
    lines.push(`${folder}: ${count(errors.length, 'error')}${warnings.length === 0 ? '' : `, ${count(warnings.length, 'warning')}`}`);
  else if (topology !== null) {
    const { journeys, hash } = topology.program;
    lines.push(`${folder}: ${count(journeys.length, 'journey')}, ${count(scenarios.length, 'scenario')}, no error (${hash.slice(0, 12)})`);
  }
  return `${lines.join('\n')}\n`;
}
