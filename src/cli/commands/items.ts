import type { Command } from 'commander';
import { commandConfig } from '../context.ts';
import { addServiceOptions } from '../service-options.ts';
import { runService } from '../service.ts';

export function items(command: Command): void {
  command.description(
    'Runs the items: keeps who is interested in which item, and tells each of them of its changes (a price that fell, something back in stock) on the timeline, in order ' +
      'and exactly once. Needs no topology: interest is what the processor wrote. Start as many as you like with one prefix; they share the partitions. Ctrl-C or SIGTERM stops it gracefully.',
  );
  addServiceOptions(command).action(async () => {
    const { config } = commandConfig(command);
    await runService(config, async () => (await import('../services/items.ts')).itemsService(config));
  });
}
