import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { VapidOptions } from '../../src/senders/vapid.ts';
import { bootstrap, registryUrl } from './env.ts';
import { keepProcess, type KeptProcess } from './kept-process.ts';

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

export type SenderProcess = KeptProcess;

/** A sender in a process of its own. */
export function startSender(config: SenderConfig, env: Readonly<Record<string, string>> = {}): SenderProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'sender-main.ts'), JSON.stringify(config)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      ...{ LULL_SESSION_TIMEOUT_MS: '6s', LULL_DRAIN_MS: '5s' },
      ...env,
      ...{ LULL_BOOTSTRAP: env['LULL_BOOTSTRAP'] ?? bootstrap(), LULL_REGISTRY: env['LULL_REGISTRY'] ?? registryUrl() },
    },
  });
  return keepProcess(child, `${config.prefix}-sender`);
}
