import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VapidOptions } from '../../src/senders/vapid.ts';
import { bootstrap, registryUrl } from './env.ts';

export interface SenderConfig {
  readonly prefix: string;
  readonly stateFolder: string;
  readonly provider: FcmConfig | WebPushConfig;
}

interface FcmConfig {
  readonly kind: 'fcm';
  readonly endpoint: string;
  readonly ca: string;
  readonly projectId: string;
  readonly deadlineMs?: number;
}

interface WebPushConfig {
  readonly kind: 'webpush';
  readonly vapid: VapidOptions;
  readonly devOrigin: { readonly origin: string; readonly ca: string };
  readonly deadlineMs?: number;
  /** What names resolve to; without it, the system says. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
}

/** A sender in a process of its own, killed and stopped by its pid. */
export interface SenderProcess {
  readonly pid: number;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** The same, undefined while it runs. */
  readonly ended: () => number | NodeJS.Signals | undefined;
  readonly stderr: () => string;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Gracefully; resolves when it is gone. */
  stop(): Promise<number | NodeJS.Signals>;
  kill(): Promise<number | NodeJS.Signals>;
  /** Waits for an end of its own (a fail-point), and SIGKILLs it if that takes longer. */
  killedWithin(ms: number): Promise<number | NodeJS.Signals>;
  freeze(): void;
  thaw(): void;
}

/** Whoever is alive when this process ends without having stopped them ends with it. */
const orphans = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of orphans) child.kill('SIGKILL');
});

export function startSender(config: SenderConfig, env: Readonly<Record<string, string>> = {}): SenderProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'sender-main.ts'), JSON.stringify(config)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      ...{ LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl(), LULL_SESSION_TIMEOUT_MS: '6s', LULL_DRAIN_MS: '5s' },
      ...env,
    },
  });
  orphans.add(child);
  let stderr = '';
  let ended: number | NodeJS.Signals | undefined;
  const logs = process.env['LULL_FAULT_LOGS'];
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
    if (logs !== undefined) appendFileSync(join(logs, `${config.prefix}-sender-${child.pid}.log`), data);
  });
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('exit', (code, signal) => {
      orphans.delete(child);
      ended = code ?? signal ?? -1;
      resolve(ended);
    });
  });
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  const end = (name: NodeJS.Signals) => (): Promise<number | NodeJS.Signals> => {
    signal(name);
    return exited;
  };
  return {
    pid: child.pid ?? -1,
    ...{ exited, stderr: () => stderr, ended: () => ended, signal },
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
