import type { Command } from 'commander';
import { commandConfig, stopSignal } from '../context.ts';
import { UsageError } from '../errors.ts';
import { senderObserver } from '../observers.ts';
import { openProvider, PROVIDERS } from '../providers.ts';
import { runStage } from '../run-stage.ts';
import { openRuntime } from '../runtime.ts';
import { topicNames } from '../../log/topics.ts';
import { createSenderStage } from '../../senders/stage.ts';

export function send(command: Command): void {
  command
    .description(
      'Runs the sender of one provider: takes send commands from dispatch, calls the provider, and commits outcomes, feedback and offsets together. ' +
        'Start as many as you like; they share the partitions. Ctrl-C or SIGTERM finishes the calls in flight and stops.',
    )
    .argument('<provider>', PROVIDERS.join(' or '))
    .option('--fcm-credentials-file <file>', 'fcm: key file of a Google service account')
    .option('--vapid-keys-file <file>', 'webpush: JSON {publicKey, privateKey}, or a list with the current key first')
    .option('--vapid-subject <url>', 'webpush: mailto: or https:, for the push services')
    .option('--send-concurrency <n>', 'calls in flight at once, per partition (default: 16)')
    .option('--state-folder <folder>', 'local store; may be lost (default: ./lull-state)')
    .option('--http-port <port>', 'port of /metrics, /healthz and /readyz (default: the system chooses; the log says which)')
    .option('--log-level <level>', 'debug, info, warn or error (default: info)')
    .action(async (given: string) => {
      const name = PROVIDERS.find((known) => known === given);
      if (name === undefined) throw new UsageError(`there is no provider "${given}": ${PROVIDERS.join(' or ')}`);
      const { config } = commandConfig(command);
      const stopping = stopSignal();
      const provider = await openProvider(name, config);
      try {
        const runtime = await openRuntime(config);
        try {
          const { log, codec, metrics, logger } = runtime;
          const { dispatch, outcomes, timeline, deadLetters, senderState } = topicNames(config.prefix);
          const stage = createSenderStage({
            ...{
              provider,
              codec,
              log,
              concurrency: config.sendConcurrency,
              observer: senderObserver(`sender-${name}`, metrics.metrics, logger),
            },
            topics: { dispatch, outcomes, timeline, deadLetters, state: senderState(name) },
          });
          await runStage(runtime, stage, stopping);
        } finally {
          await runtime.close();
        }
      } finally {
        await provider.close();
      }
    });
}
