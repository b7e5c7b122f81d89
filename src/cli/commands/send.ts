import type { Command } from 'commander';
import { commandConfig } from '../context.ts';
import { UsageError } from '../errors.ts';
import { PROVIDERS } from '../provider-names.ts';
import { addServiceOptions } from '../service-options.ts';
import { runService } from '../service.ts';

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
    .option('--send-concurrency <n>', 'calls in flight at once, per partition (default: 16)');
  addServiceOptions(command).action(async (given: string) => {
    const name = PROVIDERS.find((known) => known === given);
    if (name === undefined) throw new UsageError(`there is no provider "${given}": ${PROVIDERS.join(' or ')}`);
    const { config } = commandConfig(command);
    await runService(config, async () => (await import('../services/sender.ts')).senderService(config, name));
  });
}
