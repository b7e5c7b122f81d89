import { setTimeout as sleep } from 'node:timers/promises';
import { startKept } from './kept.ts';
import type { Kept, KeptOptions } from './kept.ts';
import { freePorts } from './ports.ts';

export interface ServeOptions {
  /** For messages. */
  readonly what: string;
  readonly ports: number;
  readonly program: (ports: readonly number[]) => KeptOptions;
  /** One real request; true when it was answered as it should. */
  readonly isReady: (ports: readonly number[]) => Promise<boolean>;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Serving {
  readonly kept: Kept;
  readonly ports: readonly number[];
}

const PORT_TAKEN = /Address already in use|BindException|already bound/i;
const ATTEMPTS = 5;
/** Far above the usual five seconds: a laptop that runs a whole test suite meanwhile is slow, not broken. */
const START_MS = 120_000;

/**
 * Starts a server on ports that the system chose, and waits until it really answers. A port that was taken meanwhile is
 * answered with new ones.
 * @throws Error with the server's own last words
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(options.ports);
    const kept = await startKept(options.program(ports));
    try {
      await ready(kept, ports, options);
      return { kept, ports };
    } catch (error) {
      await kept.stop();
      if (attempt === ATTEMPTS || !(error instanceof Error) || !PORT_TAKEN.test(error.message)) throw error;
    }
  }
}

async function ready(kept: Kept, ports: readonly number[], { what, isReady, onProgress, signal }: ServeOptions): Promise<void> {
  let ended: string | undefined;
  void kept.exited.then(({ output }) => (ended = output));
  const deadline = performance.now() + START_MS;
  let nextNotice = performance.now() + 2000;
  while (!(await isReady(ports))) {
    signal?.throwIfAborted();
    if (ended !== undefined) throw new Error(`${what} ended while starting: ${lastWords(ended)}`);
    if (performance.now() > deadline) throw new Error(`${what} did not answer within ${START_MS / 1000} s`);
    if (performance.now() > nextNotice) {
      onProgress(`waiting for ${what}`);
      nextNotice += 5000;
    }
    await sleep(100);
  }
}

/** The line that says why, where there is one, of a log that mostly says where. */
function lastWords(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^\s*\.\.\. \d+ more/.test(line));
  return (
    lines.findLast((line) => PORT_TAKEN.test(line)) ??
    lines.findLast((line) => /Exception|ERROR|FATAL/.test(line)) ??
    lines.at(-1) ??
    'it said nothing'
  ).trim();
}
