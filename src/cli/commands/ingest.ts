import type { Command } from 'commander';
import { commandConfig } from '../context.ts';
import { addServiceOptions } from '../service-options.ts';
import { runService } from '../service.ts';
import { setOption } from '../set-option.ts';

export function ingest(command: Command): void {
  command
    .description(
      "Runs ingest: reads the topics of the topology's `sources`, whatever their Avro schemas, and writes the events that they map to onto the timeline, exactly " +
        'once. Start as many as you like with one prefix; they share the partitions. Ctrl-C or SIGTERM stops it gracefully.',
    )
    .argument('<topology>', 'folder with `sources` in its topology.yaml; see `lull check`')
    .addOption(setOption("the topology's"));
  addServiceOptions(command).action(async (topology: string, { set }: { set: readonly string[] }) => {
    const { config } = commandConfig(command);
    await runService(config, async () => (await import('../services/ingest.ts')).ingestService(config, topology, set));
  });
}
