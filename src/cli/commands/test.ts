import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stdout } from 'node:process';
import type { Command } from 'commander';
import { coverageOf } from '../../testing/coverage.ts';
import { testTopology } from '../../testing/suite.ts';
import type { SuiteOptions } from '../../testing/suite.ts';
import { commandConfig, stopSignal } from '../context.ts';
import { CommandError, UsageError } from '../errors.ts';
import { topologyFolders } from '../folders.ts';
import { parseSet, setOption } from '../set-option.ts';
import { coverageText, parseMinimum, shortOf } from '../test/coverage.ts';
import type { Minimum } from '../test/coverage.ts';
import { asObject } from '../test/json.ts';
import { asJUnit } from '../test/junit.ts';
import { asText } from '../test/text.ts';
import { runOnChanges } from '../test/watch.ts';

/** Screen, what has scrolled away, cursor. */
const CLEAR = '\x1b[2J\x1b[3J\x1b[H';

interface Options {
  readonly set: readonly string[];
  readonly filter?: string;
  readonly feature: readonly string[];
  readonly json?: true;
  readonly junit?: string;
  readonly watch?: true;
  readonly coverage?: true;
  readonly coverageMin: readonly string[];
}

interface Asked {
  readonly folders: readonly string[];
  readonly suite: SuiteOptions;
  readonly minimum: Minimum;
  readonly options: Options;
}

export function test(command: Command): void {
  command
    .description(
      'Runs the scenarios of topologies (tests/*.yaml) with virtual time, and prints expected against got where they differ.\n' +
        'Without a folder: this one if it is a topology, else all in ./topologies. Exit code 1 where a scenario fails.',
    )
    .argument('[folder...]', 'topologies')
    .addOption(setOption("the topologies'"))
    .option('--filter <text>', 'only scenarios with this in their name, file or features')
    .option('--feature <id>', 'only scenarios with this very id among their features; may be given again', again, [])
    .option(
      '--json',
      'one JSON object: {passed, failed, topologies: [{folder, errors, scenarios: [{name, features, file, line, passed, differences}]}], coverage}',
    )
    .option('--coverage', 'also says which features (A1 to B10), journeys and steps no scenario covers; with --json, which scenarios do')
    .option(
      '--coverage-min <what=percent>',
      'with --coverage: exit code 1 where less of the features, journeys or steps is covered, as in steps=100; may be given again',
      again,
      [],
    )
    .option('--junit <file>', 'also writes the results as JUnit XML, for CI systems')
    .option('--watch', 'runs again whenever a file changes, until Ctrl-C')
    .action(async (given: readonly string[], options: Options) => {
      const { config } = commandConfig(command);
      const { filter, feature } = options;
      if (options.watch && options.json) throw new UsageError('--watch is for people, and --json is one document: choose one of them');
      const minimum = parseMinimum(options.coverageMin);
      if (options.coverageMin.length > 0 && !options.coverage) throw new UsageError('--coverage-min needs --coverage');
      const suite = { app: config.prefix, set: parseSet(options.set), features: feature, ...(filter === undefined ? {} : { filter }) };
      const asked: Asked = { folders: topologyFolders(given), suite, minimum, options };
      if (options.watch) await watch(asked);
      else if (!run(asked)) process.exitCode = 1;
    });
}

/** The values of an option that may be given again. */
function again(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Says how it went each time; ending it is no failure, whatever the last run said. */
async function watch(asked: Asked): Promise<void> {
  const { folders, options } = asked;
  await runOnChanges(folders, { signal: stopSignal(), written: options.junit }, () => {
    if (stdout.isTTY) stdout.write(CLEAR);
    try {
      run(asked);
    } catch (error) {
      // Mended by the next change, most likely.
      if (!(error instanceof CommandError)) throw error;
      stdout.write(`${error.message}\n`);
    }
    stdout.write(`watching ${folders.join(', ')}; Ctrl-C ends\n`);
  });
}

/** Whether everything passed. @throws CommandError where there was nothing to run, too little is covered, or the results cannot be written */
function run({ folders, suite, minimum, options }: Asked): boolean {
  const suites = folders.map((folder) => testTopology(folder, suite));
  const results = suites.flatMap((one) => one.results);
  const coverage = options.coverage ? coverageOf(suites) : null;
  if (options.json) stdout.write(`${JSON.stringify(asObject(suites, coverage), undefined, 2)}\n`);
  else stdout.write([...suites.map(asText), ...(coverage === null ? [] : [coverageText(coverage)])].join(''));
  if (options.junit !== undefined) write(options.junit, asJUnit(suites));
  const passed = suites.every(({ errors }) => errors.length === 0) && results.every((result) => result.passed);
  if (passed && results.length === 0) throw new CommandError(nothingToRun(options));
  const short = coverage === null ? [] : shortOf(coverage, minimum);
  if (short.length > 0) throw new CommandError(short.join('\n'));
  return passed;
}

function write(file: string, content: string): void {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  } catch (cause) {
    throw new CommandError(`the results cannot be written: ${(cause as Error).message}`, { cause });
  }
}

function nothingToRun({ filter, feature }: Options): string {
  const missed = [
    ...(filter === undefined ? [] : [`"${filter}" in its name, file or features`]),
    ...(feature.length === 0 ? [] : [`the feature ${feature.join(' or ')}`]),
  ];
  return missed.length === 0 ? 'there is no scenario: add tests/<name>.yaml' : `no scenario has ${missed.join(' and ')}`;
}
