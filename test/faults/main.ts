/**
 * `npm run faults`: does every row and prints the table. `npm run faults -- 3 9 --seed N` does some, by number or name.
 *
 * Exit code 1 where a promise is broken, or a mutant gets through. Each run prints its seed: the same seed does the same things at the same points, as
 * far as processes and a broker let anybody say that.
 */
import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startStack } from '../../src/dev/stack/stack.ts';
import type { FaultRow } from './row.ts';
import { loadRows } from './rows.ts';
import { runRow } from './run-row.ts';
import { jsonLine, markdownTable, textTable, type TableLine } from './table.ts';

const USAGE = `Usage: npm run faults -- [NUMBER|NAME|mutants]... [--seed N] [--quick] [--json] [--markdown FILE] [--logs FOLDER] [--list]
       npm run faults -- soak --help
  NUMBER, NAME  rows of the table of faults; default all
  --seed        all chance comes from it; default drawn, and printed
  --quick       the short form, as in npm test
  --json        one JSON line a row on stdout, instead of the table
  --markdown    also writes the table, with date and machine, to FILE
  --logs        keeps what the processes say, a file each, in FOLDER
  --list        says which rows there are`;

if (process.argv[2] === 'soak') {
  await import('./soak/main.ts');
  process.exit();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    markdown: { type: 'string' },
    logs: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const say = (line: string): void => void process.stderr.write(`${line}\n`);

function chosen(rows: readonly FaultRow[]): readonly FaultRow[] {
  if (positionals.length === 0) return rows;
  const isAsked = (row: FaultRow, asked: string): boolean =>
    asked === row.name || (row.mutant === undefined ? asked === String(row.id) : asked === 'mutants');
  const unknown = positionals.find((asked) => !rows.some((row) => isAsked(row, asked)));
  if (unknown !== undefined) throw new Error(`there is no row ${unknown}; --list says which there are`);
  return rows.filter((row) => positionals.some((asked) => isAsked(row, asked)));
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const rows = chosen(await loadRows());
  if (values.list) {
    for (const row of rows) process.stdout.write(`${row.mutant === undefined ? row.id : 'mutant'}\t${row.name}\t${row.fault}\n`);
    return 0;
  }
  const seed = values.seed ?? String(randomInt(1_000_000));
  say(`seed ${seed}, ${rows.length} rows`);
  const stack = await startStack({ onProgress: say });
  // What rows start (processes, the Java reader) finds them where the tests' setup puts them.
  process.env['LULL_BOOTSTRAP'] = stack.bootstrap;
  process.env['LULL_REGISTRY'] = stack.registryUrl;
  if (values.logs !== undefined) {
    mkdirSync(values.logs, { recursive: true });
    process.env['LULL_FAULT_LOGS'] = values.logs;
  }
  const givingUp = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => givingUp.abort());
  const lines: TableLine[] = [];
  try {
    for (const row of rows) {
      if (givingUp.signal.aborted) break;
      const began = performance.now();
      say(`-- ${row.id} ${row.name}: ${row.fault}`);
      const { bootstrap, registryUrl } = stack;
      const outcome = await runRow(row, { seed, full: !values.quick, bootstrap, registryUrl, note: say, signal: givingUp.signal });
      const line = { row, seed, outcome, seconds: Math.round((performance.now() - began) / 1000) };
      lines.push(line);
      say(`   ${outcome.kind.replaceAll('_', ' ')} after ${line.seconds} s`);
      if (outcome.kind === 'red') say(outcome.error.stack ?? outcome.error.message);
      if (values.json) process.stdout.write(`${jsonLine(line)}\n`);
    }
  } finally {
    await stack.stop();
  }
  if (!values.json) process.stdout.write(`${textTable(lines)}\n`);
  if (values.markdown !== undefined) writeFileSync(values.markdown, markdownTable(lines, new Date()));
  return lines.some(({ outcome }) => outcome.kind === 'red') ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  say(`faults: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
