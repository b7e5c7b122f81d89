import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isAlive } from './cache.ts';

/** A program that ends when this process does, in whatever way that is. See `keeper.ts`. */
export interface Kept {
  readonly pid: number;
  /** Its own folder under the system's temporary folder: working directory, data, and `out.log`. Removed when it ends. */
  readonly folder: string;
  /** Resolves when it has ended and its folder is gone. `output` is the tail of what it printed. */
  readonly exited: Promise<{ readonly code: number; readonly output: string }>;
  /** Kills it and waits until it is gone. Idempotent. */
  stop(): Promise<void>;
}

export interface KeptOptions {
  /** Goes into the folder's name. */
  readonly name: string;
  readonly command: string;
  /** Given the folder, so that arguments and files can name it. */
  readonly args: (folder: string) => readonly string[];
  readonly files?: (folder: string) => Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

const PID = /^pid (\d+)\n/;
const KEEPER = path.join(import.meta.dirname, `keeper${path.extname(import.meta.filename)}`);

/** @throws Error when the program cannot be started */
export async function startKept(options: KeptOptions): Promise<Kept> {
  const folder = mkdtempSync(path.join(tmpdir(), `lull-${options.name}-`));
  for (const [name, content] of Object.entries(options.files?.(folder) ?? {})) writeFileSync(path.join(folder, name), content);

  // A process group of its own: Ctrl-C in the terminal reaches Lull, which ends in its own order, and not the broker under it.
  const keeper = spawn(process.execPath, [KEEPER, folder, options.command, ...options.args(folder)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...options.env },
  });
  let output = '';
  keeper.stdout.setEncoding('utf8');
  // Not before 'close' has all output been read.
  const exited = new Promise<{ code: number; output: string }>((resolve, reject) => {
    keeper.on('error', reject);
    keeper.on('close', (code, signal) => {
      // Somebody killed the keeper: what it kept is an orphan now, and ours to end.
      const orphan = signal === null ? undefined : PID.exec(output)?.[1];
      if (orphan !== undefined && isAlive(Number(orphan))) process.kill(-Number(orphan), 'SIGKILL');
      if (signal !== null) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
      resolve({ code: code ?? 1, output: output.replace(PID, '') });
    });
  });
  const pid = new Promise<number>((resolve) => {
    keeper.stdout.on('data', (text: string) => {
      output += text;
      const line = PID.exec(output);
      if (line !== null) resolve(Number(line[1]));
    });
  });

  const started = await Promise.race([pid, exited.catch((error: unknown) => error as Error)]);
  if (typeof started !== 'number') {
    rmSync(folder, { recursive: true, force: true });
    throw started instanceof Error ? started : new Error(started.output.trim());
  }
  return {
    pid: started,
    folder,
    exited,
    async stop() {
      keeper.stdin.end();
      await exited;
    },
  };
}
