import { compileTopology, type CompiledTopology } from '../topology/compile.ts';
import { formatIssue } from '../topology/issue.ts';
import { CommandError } from './errors.ts';
import { parseSet } from './set-option.ts';

/** @throws CommandError with every problem of the topology, by file, line and column */
export function loadTopology(folder: string, app: string, set: readonly string[]): CompiledTopology {
  const compiled = compileTopology(folder, { app, set: parseSet(set) });
  if (compiled.ok) return compiled;
  throw new CommandError(
    [...compiled.errors.map(formatIssue), `${folder}: the topology is not usable; \`lull check\` says the same`].join('\n'),
  );
}
