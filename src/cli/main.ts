#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { COMMANDS } from './commands.ts';
import { CommandError, UsageError } from './errors.ts';
import { nodeProblem } from './node-version.ts';
import { createProgram, exitCodeOf } from './program.ts';

const { version, engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
  engines: { node: string };
};

// `lull ... | head`: whoever read has seen enough. As a program that SIGPIPE ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(141);
  throw error;
});

let code = 0;
try {
  const problem = nodeProblem(process.versions.node, engines.node);
  if (problem !== undefined) throw new CommandError(problem);
  await createProgram({ commands: COMMANDS, version }).parseAsync();
  if (typeof process.exitCode === 'number') code = process.exitCode;
} catch (error) {
  code = exitCodeOf(error);
  if (!(error instanceof CommanderError)) process.stderr.write(`${describe(error)}\n`);
}
// Said and done: nothing that a library left open may hold the process. First everything that was written has to be out.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
process.exit(code);

/** One line per problem where we wrote the message, one line of anybody else's; where it came from is for those who ask. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `lull: ${String(error)}`;
  if (process.env['LULL_DEBUG'] === '1') return `lull: ${error.stack ?? error.message}`;
  const lines = error.message.split('\n');
  return (error instanceof UsageError || error instanceof CommandError ? lines : lines.slice(0, 1))
    .map((line) => `lull: ${line}`)
    .join('\n');
}
