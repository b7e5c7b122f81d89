import type { Command } from 'commander';
import { loadConfig } from './config.ts';
import type { LoadedConfig } from './config.ts';

/** The configuration of a command: its own flags and the global ones over environment, file and defaults. */
export function commandConfig(command: Command): LoadedConfig {
  const flags: Record<string, unknown> = command.optsWithGlobals();
  return loadConfig({ flags, ...(typeof flags['config'] === 'string' ? { file: flags['config'] } : {}) });
}

/** A signal that comes again this soon is the same one: a terminal gives it to a whole group, and `npm` and `timeout` pass it on as well. */
const SAME_SIGNAL_MS = 300;

/**
 * Aborted by the first Ctrl-C or SIGTERM: finish what is in flight, and return. A second one ends the process at once; whatever it started
 * ends with it.
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  let firstMs = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      const nowMs = performance.now();
      if (!stopping.signal.aborted) {
        firstMs = nowMs;
        stopping.abort(new Error(`stopped by ${signal}`));
      } else if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(signal === 'SIGINT' ? 130 : 143);
    });
  return stopping.signal;
}
