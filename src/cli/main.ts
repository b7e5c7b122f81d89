#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { COMMANDS } from './commands.ts';
import { CommandError } from './errors.ts';
import { isLogged, messageOf } from './final-error.ts';
import { nodeProblem } from './node-version.ts';
import { createProgram, exitCodeOf } from './program.ts';
import type { Failure } from './workers/messages.ts';
import { parentLink } from './workers/parent-link.ts';

const { version, engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
  engines: { node: string };
};

// `lull ... | head`: whoever read has seen enough. As a program that SIGPIPE ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(141);
  throw error;
});

// Before all else: a worker that is told to stop while it still loads must hear it.
const parent = parentLink();
let code = 0;
try {
  const problem = nodeProblem(process.versions.node, engines.node);
  if (problem !== undefined) throw new CommandError(problem);
  await createProgram({ commands: COMMANDS, version }).parseAsync();
  if (typeof process.exitCode === 'number') code = process.exitCode;
} catch (error) {
  code = exitCodeOf(error);
  if (parent !== undefined) await parent.failed(await failureOf(error, code));
  // What is in the log is said once more only where somebody looks at it.
  else if (!(error instanceof CommanderError) && (!isLogged(error) || process.stderr.isTTY)) process.stderr.write(`${asText(error)}\n`);
}
// Said and done: nothing that a library left open may hold the process. First everything that was written has to be out.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
process.exit(code);

/** What is wrong is in each line; where, if it was asked for, is not. */
function asText(error: unknown): string {
  return messageOf(error).replace(/^(?! +at )/gm, 'lull: ');
}

/** A worker's last word to its parent. */
async function failureOf(error: unknown, exitCode: number): Promise<Omit<Failure, 'kind'>> {
  const { classify, toError } = await import('../engine/errors.ts');
  const isOurs = error instanceof CommandError || exitCode === 2;
  return { message: messageOf(error), exitCode, isFatal: isOurs || classify(toError(error)).kind === 'fatal', isForLog: isLogged(error) };
}
