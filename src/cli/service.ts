import type { Stage } from '../engine/stage.ts';
import type { Config } from './config.ts';
import type { Runtime } from './runtime.ts';
import { parentLink } from './workers/parent-link.ts';

/** What a long-running command runs. */
export interface Service {
  /** Of what decides (a topology's hash); the same in all workers. */
  readonly fingerprint: string;
  /** Of the topology: their topics have to be there, and those of their ingest. */
  readonly sources?: readonly { readonly name: string; readonly topic: string }[];
  /** At least one. They run side by side, and end together. */
  readonly stages: (runtime: Runtime) => Promise<readonly Stage[]> | readonly Stage[];
  close?(): Promise<void>;
}

/**
 * Runs a service until it is stopped: here, or in as many workers as the configuration says. What does the work is loaded only where it is done: each
 * process pays for its own copy.
 * @param open finds what is wrong before anything is begun
 */
export async function runService(config: Config, open: () => Promise<Service>): Promise<void> {
  const parent = parentLink();
  if (parent === undefined && config.workers > 1) {
    const { supervise } = await import('./workers/supervise.ts');
    await supervise(config);
  } else {
    const { work } = await import('./work.ts');
    await work(config, await open(), parent);
  }
}
