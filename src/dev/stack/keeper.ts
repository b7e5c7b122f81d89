/**
 * Runs one program and outlives its parent just long enough to end it. A program of its own: `node keeper.ts FOLDER COMMAND ARGS...`.
 *
 * The parent holds the other end of our stdin. However it ends (exit, Ctrl-C, SIGKILL, a crash), the kernel closes that pipe, and
 * we end the program by its pid and remove its folder. No handler in the parent has to run for that. We start the program ourselves,
 * so the pid is our own child's and is never somebody else's reused one.
 *
 * stdout, to the parent: a line `pid N` when it runs; when it ends, the tail of what it printed. Exit code: the program's.
 */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import path from 'node:path';

const TAIL_BYTES = 8 * 1024;

const [folder, command, ...args] = process.argv.slice(2);
if (folder === undefined || command === undefined) throw new Error('usage: keeper FOLDER COMMAND ARGS...');

// When the parent is gone, nobody reads our stdout: then there is nobody to tell, and the clean-up still has to be done.
process.stdout.on('error', () => undefined);

const log = openSync(path.join(folder, 'out.log'), 'a+');
// A process group, so that what the program has started itself ends with it.
const child = spawn(command, args, { cwd: folder, stdio: ['ignore', log, log], detached: true });
child.on('spawn', () => process.stdout.write(`pid ${child.pid}\n`));
child.on('error', (error) => end(`${command}: ${error.message}`, 127));
child.on('exit', (code) => end(tail(), code ?? 1));

// What runs here keeps nothing that is worth a clean shutdown (its folder is removed), and a slow one would hold up every exit.
process.stdin.on('end', () => {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
});
process.stdin.resume();

function end(said: string, code: number): void {
  closeSync(log);
  rmSync(folder!, { recursive: true, force: true, maxRetries: 3 });
  process.stdout.write(said, () => process.exit(code));
  // A parent that is gone does not take the text, and the callback may not come.
  setTimeout(() => process.exit(code), 1000).unref();
  process.stdin.pause();
}

function tail(): string {
  const { size } = fstatSync(log);
  const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
  readSync(log, buffer, 0, buffer.length, size - buffer.length);
  return buffer.toString('utf8');
}
