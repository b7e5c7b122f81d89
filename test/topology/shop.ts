import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compileTopology } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';

const SHOP = path.join(import.meta.dirname, '../../topologies/shop');

/** A file of the shop, what is to be replaced in it, and by what; a whole new file where nothing is to be replaced. */
export type Edit = readonly [file: string, from: string | null, to: string];

/** A copy of the shop's topology with some mistakes made in it, for as long as `use` takes. */
export async function brokenShop<T>(edits: readonly Edit[], use: (folder: string) => T | Promise<T>): Promise<T> {
  const temporary = mkdtempSync(path.join(tmpdir(), 'lull-test-topology-'));
  const folder = path.join(temporary, 'shop');
  try {
    cpSync(SHOP, folder, { recursive: true });
    for (const [file, from, to] of edits) {
      const at = path.join(folder, file);
      if (from === null) {
        writeFileSync(at, to);
        continue;
      }
      const text = readFileSync(at, 'utf8');
      if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`);
      writeFileSync(
        at,
        text.replace(from, () => to),
      );
    }
    return await use(folder);
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

/** What `lull check` says of it, with paths from inside of the topology. */
export function problemsOf(edits: readonly Edit[], set: Record<string, string> = {}): Promise<string[]> {
  return brokenShop(edits, (folder) => {
    const compiled = compileTopology(folder, { app: 'test', set });
    const issues = compiled.ok ? compiled.warnings : [...compiled.errors, ...compiled.warnings];
    return issues.map((issue) => formatIssue(issue).replaceAll(`${folder}${path.sep}`, ''));
  });
}
