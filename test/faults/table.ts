import { cpus, totalmem, type } from 'node:os';
import type { FaultRow } from './row.ts';
import type { RowOutcome } from './run-row.ts';

export interface TableLine {
  readonly row: FaultRow;
  readonly seed: string;
  readonly outcome: RowOutcome;
  readonly seconds: number;
}

const HEAD = ['#', 'fault', 'promise', 'seed', 'result', 'recovery', 'seen'] as const;

/** The table as aligned text, for the terminal. */
export function textTable(lines: readonly TableLine[]): string {
  const rows = [HEAD, ...lines.map(cells)];
  const widths = HEAD.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** As a page: what ran, when, and where. */
export function markdownTable(lines: readonly TableLine[], date: Date): string {
  const row = (columns: readonly string[]): string => `| ${columns.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const [cpu] = cpus();
  const machine = `${cpus().length} x ${cpu?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()}, Node ${process.versions.node}`;
  return [
    '# Faults',
    '',
    `Made by \`npm run faults\` on ${date.toISOString().slice(0, 10)}: ${machine}. Recovery is the time from the end of a fault until everything that was appended by then is committed.`,
    '',
    row(HEAD),
    row(HEAD.map(() => '---')),
    ...lines.map((line) => row(cells(line))),
    '',
  ].join('\n');
}

export function jsonLine({ row, seed, outcome, seconds }: TableLine): string {
  const detail =
    outcome.kind === 'green'
      ? outcome.result
      : { message: outcome.kind === 'red' ? outcome.error.message : outcome.kind === 'skipped' ? outcome.why : outcome.message };
  return JSON.stringify({ id: row.id, name: row.name, seed, result: outcome.kind, seconds, ...detail });
}

function cells({ row, seed, outcome }: TableLine): readonly string[] {
  const id = row.mutant === undefined ? String(row.id) : 'mutant';
  return [
    id,
    row.mutant === undefined ? row.fault : `${row.mutant.name}: ${row.fault}`,
    row.promise,
    seed,
    resultOf(outcome),
    recoveryOf(outcome),
    seenOf(outcome),
  ];
}

function resultOf(outcome: RowOutcome): string {
  switch (outcome.kind) {
    case 'green':
      return 'green';
    case 'red_as_it_must':
      return 'red, as it must';
    case 'red':
      return 'RED';
    case 'skipped':
      return `skipped: ${outcome.why}`;
  }
}

/** Median and worst, where there are several. */
function recoveryOf(outcome: RowOutcome): string {
  if (outcome.kind !== 'green' || outcome.result.recoveryMs.length === 0) return '';
  const sorted = [...outcome.result.recoveryMs].sort((a, b) => a - b);
  const seconds = (ms: number): string => (ms / 1000).toFixed(1);
  const worst = seconds(sorted.at(-1)!);
  return sorted.length === 1 ? `${worst} s` : `${seconds(sorted[sorted.length >> 1]!)} s, at most ${worst} s`;
}

function seenOf(outcome: RowOutcome): string {
  if (outcome.kind === 'green')
    return Object.entries(outcome.result.counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  return outcome.kind === 'red_as_it_must' ? firstLine(outcome.message) : '';
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.slice(0, 200);
}
