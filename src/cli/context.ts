import type { Command } from 'commander';
import { loadConfig } from './config.ts';
import type { LoadedConfig } from './config.ts';

/** The configuration of a command: its own flags and the global ones over environment, file and defaults. */
export function commandConfig(command: Command): LoadedConfig {
  const flags: Record<string, unknown> = command.optsWithGlobals();
  return loadConfig({ flags, ...(typeof flags['config'] === 'string' ? { file: flags['config'] } : {}) });
}

/**
 * Aborted by the first Ctrl-C or SIGTERM: finish what is in flight, and return. A second one ends the process at once; whatever it started
 * ends with it.
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
      stopping.abort(new Error(`stopped by ${signal}`));
    });
  return stopping.signal;
}
