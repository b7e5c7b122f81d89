import type { Command } from 'commander';

/** What every command takes that runs until it is stopped. */
export function addServiceOptions(command: Command): Command {
  return command
    .option('--workers <n>', 'processes that share the work (default: the cores that may be used)')
    .option('--standbys <n>', 'other processes per partition that keep its state at hand, for when a machine is lost (default: 0)')
    .option('--state-folder <folder>', 'local stores; may be lost (default: ./lull-state)')
    .option('--http-port <port>', 'port of /metrics, /healthz and /readyz (default: the system chooses; the log says which)')
    .option('--log-level <level>', 'debug, info, warn or error (default: info)');
}
