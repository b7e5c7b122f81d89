import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PARENT_PIPE } from './parent.ts';
import { ProcessUsage } from './process-usage.ts';

/**
 * A process that is measured. It prints `ready`, waits for a line on stdin, prints `first_ms=<epoch ms>` at its first record, and ends at SIGTERM and
 * when its stdin ends: as we do.
 */
export class Child {
  readonly usage: ProcessUsage;
  /** Resolves when it waits for `go`, and when it is gone. */
  readonly ready: Promise<void>;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
  /** Epoch milliseconds of its first record; undefined until then. */
  firstMs: number | undefined;
  /** What it had used by then: its start. */
  cpuAtFirstS = 0;
  hasExited = false;
  readonly #process;
  readonly #lines: string[] = [];

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, [PARENT_PIPE]: '1', ...env } });
    this.usage = new ProcessUsage(this.#process.pid ?? -1);
    this.gone = new Promise((resolve) => {
      const exited = (): void => {
        this.hasExited = true;
        resolve();
      };
      this.#process.on('exit', exited);
      this.#process.on('error', (error) => {
        process.stderr.write(`${command}: ${error.message}\n`);
        exited();
      });
    });
    // A process that is gone takes no more words.
    this.#process.stdin.on('error', () => undefined);
    const ready = Promise.withResolvers<undefined>();
    this.ready = Promise.race([ready.promise, this.gone]);
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.#lines.push(line);
      if (line === 'ready') ready.resolve(undefined);
      const match = /^first_ms=(\d+)$/.exec(line);
      if (match === null || this.firstMs !== undefined) return;
      this.cpuAtFirstS = this.usage.cpuSeconds();
      this.firstMs = Number(match[1]);
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** All that it printed so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** CPU seconds since its first record. */
  get cpuS(): number {
    return this.usage.cpuSeconds() - this.cpuAtFirstS;
  }

  go(): void {
    this.#process.stdin.write('go\n');
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const killer = setTimeout(() => this.#process.kill('SIGKILL'), 30_000);
    await this.gone;
    clearTimeout(killer);
  }
}

/** Lets them begin together, once each of them is ready. */
export async function goTogether(children: readonly Child[]): Promise<void> {
  await Promise.all(children.map(({ ready }) => ready));
  for (const child of children) child.go();
}
