import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { VapidOptions } from '../../src/senders/vapid.ts';
import { bootstrap, registryUrl } from './env.ts';

export interface SenderConfig {
  readonly prefix: string;
  readonly stateFolder: string;
  readonly provider:
    | { readonly kind: 'fcm'; readonly endpoint: string; readonly ca: string; readonly projectId: string }
    | { readonly kind: 'webpush'; readonly vapid: VapidOptions; readonly devOrigin: { readonly origin: string; readonly ca: string } };
}

/** A sender in a process of its own, killed and stopped by its pid. */
export interface SenderProcess {
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly stderr: () => string;
  /** Gracefully; resolves when it is gone. */
  stop(): Promise<number | NodeJS.Signals>;
  kill(): Promise<number | NodeJS.Signals>;
}

export function startSender(config: SenderConfig, env: Readonly<Record<string, string>> = {}): SenderProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'sender-main.ts'), JSON.stringify(config)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl(), ...env },
  });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal ?? -1));
  });
  const end = (signal: NodeJS.Signals) => (): Promise<number | NodeJS.Signals> => {
    child.kill(signal);
    return exited;
  };
  return { exited, stderr: () => stderr, stop: end('SIGTERM'), kill: end('SIGKILL') };
}
