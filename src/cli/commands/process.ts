import type { Command } from 'commander';
import { commandConfig } from '../context.ts';
import { addServiceOptions } from '../service-options.ts';
import { runService } from '../service.ts';
import { setOption } from '../set-option.ts';

export function process(command: Command): void {
  command
    .description(
      'Runs a processor: reads the timeline, keeps sessions and state, and writes send commands and decisions, exactly once. ' +
        'Start as many as you like with one prefix; they share the partitions. Ctrl-C or SIGTERM stops it gracefully.',
    )
    .option(
      '--topology <folder>',
      'what to notice and what to do; published if it never was, and then in force in all processes (default: the newest that was published)',
    )
    .addOption(setOption("the topology's"));
  addServiceOptions(command).action(async ({ topology, set }: { topology?: string; set: readonly string[] }) => {
    const { config } = commandConfig(command);
    await runService(config, async () => (await import('../services/processor.ts')).processorService(config, topology ?? null, set));
  });
}
