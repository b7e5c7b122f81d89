import { stdout } from 'node:process';
import type { Command } from 'commander';
import { checkTopology } from '../../testing/check.ts';
import type { CheckResult } from '../../testing/check.ts';
import type { Program } from '../../core/program.ts';
import { formatDuration } from '../../topology/duration.ts';
import { formatIssue } from '../../topology/issue.ts';
import { commandConfig } from '../context.ts';
import { costsOf, totalsOf } from '../costs.ts';
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
    .option('--costs', 'also what each part keeps of a user, in bytes, and for how long')
    .option('--json', 'one JSON object: {topologies: [{folder, ok, name, hash, journeys, scenarios, errors, warnings, costs}]}')
    .action((folders: string[], options: { set: string[]; costs?: true; json?: true }) => {
      const { config } = commandConfig(command);
      const set = parseSet(options.set);
      const results = topologyFolders(folders).map((folder) => checkTopology(folder, { app: config.prefix, set }));
      if (options.json)
        stdout.write(
          `${JSON.stringify({ topologies: results.map((result) => asObject(result, options.costs ?? false)) }, undefined, 2)}\n`,
        );
      else
        for (const result of results)
          stdout.write(asText(result) + (options.costs && result.topology !== null ? costsText(result.topology.program) : ''));
      if (results.some((result) => result.errors.length > 0)) process.exitCode = 1;
    });
}

function asObject({ folder, errors, warnings, topology, scenarios }: CheckResult, withCosts: boolean): object {
  const costs = topology === null || !withCosts ? undefined : costsOf(topology.program);
  return {
    folder,
    ok: errors.length === 0,
    name: topology?.program.name ?? null,
    hash: topology?.program.hash ?? null,
    journeys: topology?.program.journeys.map((journey) => journey.name) ?? [],
    scenarios: scenarios.length,
    errors,
    warnings,
    ...(costs === undefined ? {} : { costs: { ...totalsOf(costs), parts: costs } }),
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

/** The dearest first. */
function costsText(program: Program): string {
  const costs = costsOf(program).toSorted((a, b) => b.mostBytes - a.mostBytes);
  const rows = costs.map((cost) => [
    bytes(cost.oneBytes),
    bytes(cost.mostBytes),
    cost.keptForMs === null ? 'lasting' : formatDuration(cost.keptForMs),
    `${cost.what}${cost.for.length === 0 ? '' : `  (${cost.for.join(', ')})`}`,
  ]);
  const table = [['one', 'at most', 'kept for', 'what'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map(
    ([one, most, kept, what]) => `    ${one!.padStart(widths[0]!)}  ${most!.padStart(widths[1]!)}  ${kept!.padEnd(widths[2]!)}  ${what}`,
  );
  const { oneBytes, mostBytes } = totalsOf(costs);
  const total = `  a user's row: ${bytes(oneBytes)} with one of each, ${bytes(mostBytes)} at the limits; beside profile, devices and consent`;
  return `${[total, ...lines].join('\n')}\n`;
}

function bytes(number: number): string {
  return number < 10_000 ? `${number} B` : `${(number / 1024).toFixed(1)} KiB`;
}
