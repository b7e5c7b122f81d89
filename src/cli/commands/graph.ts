import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stderr, stdout } from 'node:process';
import { Option } from 'commander';
import type { Command } from 'commander';
import { chartOf } from '../../graph/journey.ts';
import { toMermaid } from '../../graph/mermaid.ts';
import { toSvg } from '../../graph/svg.ts';
import { compileTopology } from '../../topology/compile.ts';
import type { JourneyFile } from '../../topology/files.ts';
import { compareText, formatIssue } from '../../topology/issue.ts';
import { loadFolder } from '../../topology/load.ts';
import { didYouMean } from '../../topology/suggest.ts';
import { commandConfig } from '../context.ts';
import { CommandError, UsageError } from '../errors.ts';
import { topologyFolders } from '../folders.ts';
import { parseSet, setOption } from '../set-option.ts';
import { count } from '../count.ts';

const FORMATS = { svg: { ending: '.svg', render: toSvg }, mermaid: { ending: '.mmd', render: toMermaid } } as const;
type Format = keyof typeof FORMATS;

interface Options {
  readonly set: string[];
  readonly journey?: string;
  readonly format?: Format;
  readonly out?: string;
}

export function graph(command: Command): void {
  command
    .description(
      "Draws a topology's journeys, each as a picture: what starts it, what it sends, waits for and decides, and what ends it.\n" +
        'One journey goes to stdout, or to the file that --out names. All of them go into the folder that --out names, which is made where it is not there:\n' +
        'a file each, by its name, and what was written is printed. Without a folder: this one if it is a topology, else the only one in ./topologies.\n' +
        'A topology with a mistake is not drawn: exit code 1, and what `lull check` says of it on stderr.',
    )
    .argument('[folder]', 'topology')
    .option('--journey <name>', 'only this one')
    .addOption(
      new Option('--format <format>', 'mermaid is for Markdown that draws it. Default: by the ending of --out, else svg').choices(
        Object.keys(FORMATS),
      ),
    )
    .option('--out <path>', 'for one journey a file, if it has an ending; else a folder, for name.svg or name.mmd')
    .addOption(setOption("the topology's"))
    .addHelpText(
      'after',
      '\nExamples:\n  lull graph topologies/shop --journey cart_abandoned > cart.svg\n  lull graph topologies/shop --out docs/journeys\n  lull graph topologies/shop --format mermaid --out docs/journeys',
    )
    .action((given: string | undefined, options: Options) => {
      const { config } = commandConfig(command);
      const folder = oneFolder(given);
      const set = parseSet(options.set);
      const compiled = compileTopology(folder, { app: config.prefix, set });
      if (!compiled.ok) {
        const said = [
          ...[...compiled.errors, ...compiled.warnings].map(formatIssue),
          `${folder}: ${count(compiled.errors.length, 'error')}`,
        ];
        stderr.write(`${said.join('\n')}\n`);
        process.exitCode = 1;
        return;
      }
      const { loaded } = loadFolder(folder, set);
      const templates = loaded.templates.map(({ value }) => value);
      const journeys = chosen(
        loaded.journeys.map(({ value }) => value),
        options.journey,
      );
      const { ending, render } = FORMATS[options.format ?? formatOf(options.out)];
      const draw = (journey: JourneyFile): string => render(chartOf(journey, templates));

      const [only, ...more] = journeys;
      const { out } = options;
      if (out === undefined) {
        if (only === undefined || more.length > 0)
          throw new UsageError(
            `${folder} has ${count(journeys.length, 'journey')}: add --out FOLDER for all of them, or --journey NAME for one: ${journeys.map(({ name }) => name).join(', ')}`,
          );
        stdout.write(draw(only));
        return;
      }
      // Somebody who names a file for one journey means it, and a folder that is there is one.
      const isFile = only !== undefined && more.length === 0 && !isFolder(out) && !/[/\\]$/.test(out) && path.extname(out) !== '';
      if (!isFile && path.extname(out) === ending && !isFolder(out))
        throw new UsageError(`--out ${out}: ${count(journeys.length, 'journey')} need a folder; --journey NAME draws one`);
      for (const journey of journeys) {
        const file = isFile ? out : path.join(out, `${journey.name}${ending}`);
        write(file, draw(journey));
        stdout.write(`${file}\n`);
      }
    });
}

function oneFolder(given: string | undefined): string {
  const folders = topologyFolders(given === undefined ? [] : [given]);
  if (folders.length > 1) throw new UsageError(`there are ${folders.length} topologies here: name one: ${folders.join(', ')}`);
  return folders[0]!;
}

/** By name, as `lull check` orders them. */
function chosen(journeys: readonly JourneyFile[], name: string | undefined): readonly JourneyFile[] {
  const all = [...journeys].sort((a, b) => compareText(a.name, b.name));
  if (name === undefined) return all;
  const found = all.filter((journey) => journey.name === name);
  if (found.length > 0) return found;
  const names = all.map((journey) => journey.name);
  throw new UsageError(`--journey ${name}: there is none of this name; ${didYouMean(name, names) ?? `there are ${names.join(', ')}`}`);
}

function formatOf(out: string | undefined): Format {
  const ending = out === undefined ? '' : path.extname(out);
  return (Object.keys(FORMATS) as Format[]).find((format) => FORMATS[format].ending === ending) ?? 'svg';
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function write(file: string, content: string): void {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CommandError(`--out: ${file} cannot be written (${code})`);
  }
}
