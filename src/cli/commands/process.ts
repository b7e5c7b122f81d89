import type { Command } from 'commander';
import { commandConfig, stopSignal } from '../context.ts';
import { UsageError } from '../errors.ts';
import { processorObserver } from '../observers.ts';
import { runStage } from '../run-stage.ts';
import { openRuntime } from '../runtime.ts';
import { loadTopology, setOption } from '../topology.ts';
import { topicNames } from '../../log/topics.ts';
import { createProcessorStage } from '../../processor/stage.ts';

export function process(command: Command): void {
  command
    .description(
      'Runs a processor: reads the timeline, keeps sessions and state, and writes send commands and decisions, exactly once. ' +
        'Start as many as you like with one prefix; they share the partitions. Ctrl-C or SIGTERM stops it gracefully.',
    )
    .option('--topology <folder>', 'what to notice and what to do; needed; see `lull check`')
    .addOption(setOption("the topology's"))
    .option('--state-folder <folder>', 'local store; may be lost (default: ./lull-state)')
    .option('--http-port <port>', 'port of /metrics, /healthz and /readyz (default: the system chooses; the log says which)')
    .option('--log-level <level>', 'debug, info, warn or error (default: info)')
    .action(async (options: { topology?: string; set: readonly string[] }) => {
      // Not a required option: commander would then miss to say that what was written instead is unknown.
      if (options.topology === undefined) throw new UsageError('which topology? --topology FOLDER, for example --topology topologies/shop');
      const { config } = commandConfig(command);
      const { program } = loadTopology(options.topology, config.prefix, options.set);
      const stopping = stopSignal();
      const runtime = await openRuntime(config);
      try {
        const { log, codec, metrics, logger } = runtime;
        logger.info({ topology: program.name, topologyHash: program.hash }, 'processing');
        const topics = topicNames(config.prefix);
        await runStage(
          runtime,
          createProcessorStage({
            ...{ program, codec, log, topics, observer: processorObserver(metrics.metrics, logger) },
            tickTimeoutMs: config.transactionTimeoutMs,
          }),
          stopping,
        );
      } finally {
        await runtime.close();
      }
    });
}
