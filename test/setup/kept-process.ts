import type { ChildProcessByStdio } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** A processor or a sender as a platform runs it: a process of its own, killed and stopped by its pid. */
export interface KeptProcess {
  readonly pid: number;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** The same, undefined while it runs. */
  readonly ended: () => number | NodeJS.Signals | undefined;
  readonly stderr: () => string;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<number | NodeJS.Signals>;
  /** SIGKILL, and waits for its end. */
  kill(): Promise<number | NodeJS.Signals>;
  /** Waits for an end of its own (a fail-point), and SIGKILLs it if that takes longer: a fail-point may not be reached. */
  killedWithin(ms: number): Promise<number | NodeJS.Signals>;
  /** SIGSTOP and SIGCONT: it is there, and does nothing. */
  freeze(): void;
  thaw(): void;
}

type Child = ChildProcessByStdio<null, null, Readable>;

/** Whoever is alive when this process ends without having stopped them (a test that timed out, Ctrl-C) ends with it. */
const orphans = new Set<Child>();
process.on('exit', () => {
  for (const child of orphans) child.kill('SIGKILL');
});

/** Keeps hold of a process that was just started. What it writes to stderr also goes to `<LULL_FAULT_LOGS>/<name>-<pid>.log`, where that is set. */
export function keepProcess(child: Child, name: string): KeptProcess {
  orphans.add(child);
  let stderr = '';
  let ended: number | NodeJS.Signals | undefined;
  const logs = process.env['LULL_FAULT_LOGS'];
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
    if (logs !== undefined) appendFileSync(join(logs, `${name}-${child.pid}.log`), data);
  });
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('exit', (code, signal) => {
      orphans.delete(child);
      ended = code ?? signal ?? -1;
      resolve(ended);
    });
  });
  const signal = (of: NodeJS.Signals): void => void child.kill(of);
  const end = (by: NodeJS.Signals) => (): Promise<number | NodeJS.Signals> => {
    signal(by);
    return exited;
  };
  return {
    pid: child.pid ?? -1,
    ...{ exited, ended: () => ended, stderr: () => stderr, signal },
    stop: end('SIGTERM'),
    kill: end('SIGKILL'),
    async killedWithin(ms) {
      const patience = setTimeout(() => signal('SIGKILL'), ms);
      await exited;
      clearTimeout(patience);
      return exited;
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
  };
}
