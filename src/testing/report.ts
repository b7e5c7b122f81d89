import { formatDuration } from '../topology/duration.ts';
import type { Difference, Outcome } from './compare.ts';
import type { ScenarioResult } from './run.ts';

/** A failed scenario for people: where it stands, and what was expected against what came. Times count from the scenario's start. */
export function formatResult({ scenario, differences }: Pick<ScenarioResult, 'scenario' | 'differences'>): string {
  const lines = [`${scenario.file}:${scenario.place.line}: ${scenario.name}`];
  for (const difference of differences) lines.push(...formatDifference(difference, scenario.startMs).map((line) => `    ${line}`));
  return lines.join('\n');
}

function formatDifference(difference: Difference, startMs: number): string[] {
  const { expected, got, place, fields } = difference;
  const at = `line ${place.line}`;
  const names = fields.filter((name) => name !== 'at' && name !== 'outcome');
  const expectedLine = expected === null ? 'nothing' : formatOne(expected, startMs, names);
  if (got === null) return [`expected  ${expectedLine}  (${at})`, 'got       nothing'];
  const detail = got.detail === '' ? '' : `  (${got.detail})`;
  const gotNames =
    expected === null ? shown(got.fields) : [...names, ...(got.kind === 'rejected' && !names.includes('reason') ? ['reason'] : [])];
  return [`expected  ${expectedLine}  (${at})`, `got       ${formatOne(got, startMs, gotNames)}${detail}`];
}

function shown(fields: Readonly<Record<string, string | null>>): string[] {
  return ['channel', 'reason'].filter((name) => name in fields);
}

interface One {
  readonly kind: Outcome;
  readonly atMs: number;
  readonly fields: Readonly<Record<string, string | null>>;
}

function formatOne({ kind, atMs, fields }: One, startMs: number, names: readonly string[]): string {
  const step = fields['step'] === undefined ? '' : `/${fields['step'] ?? ''}`;
  const key = fields['key'] === undefined ? '' : ` key=${fields['key'] ?? ''}`;
  const rest = names
    .filter((name) => !['journey', 'step', 'key'].includes(name) && name in fields)
    .map((name) => ` ${name}=${fields[name] === null ? 'none' : JSON.stringify(fields[name])}`);
  return `${formatDuration(atMs - startMs).padEnd(8)}  ${kind.padEnd(8)}  ${fields['journey'] ?? ''}${step}${key}${rest.join('')}`;
}
