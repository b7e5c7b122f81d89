import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultRow } from './row.ts';

const FOLDER = join(import.meta.dirname, 'rows');

/** Every row of `rows/*.ts`, by number and name; mutants last. @throws Error where a file exports none, or two have one name */
export async function loadRows(): Promise<readonly FaultRow[]> {
  const rows: FaultRow[] = [];
  for (const file of readdirSync(FOLDER).sort()) {
    if (!file.endsWith('.ts')) continue;
    const module = (await import(join(FOLDER, file))) as { readonly rows?: readonly FaultRow[] };
    if (module.rows === undefined) throw new Error(`test/faults/rows/${file} exports no rows`);
    rows.push(...module.rows);
  }
  const names = rows.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`two rows are called ${twice}`);
  const isMutant = (row: FaultRow): number => (row.mutant === undefined ? 0 : 1);
  return rows.sort((a, b) => isMutant(a) - isMutant(b) || a.id - b.id || (a.name < b.name ? -1 : 1));
}
