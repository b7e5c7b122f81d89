import { topicNames } from '../../log/topics.ts';
import { createSenderStage } from '../../senders/stage.ts';
import type { Config } from '../config.ts';
import { senderObserver } from '../observers.ts';
import { openProvider } from '../providers.ts';
import type { ProviderName } from '../provider-names.ts';
import type { Service } from '../service.ts';

/** @throws UsageError when a setting that the provider needs is missing or wrong */
export async function senderService(config: Config, name: ProviderName): Promise<Service> {
  const provider = await openProvider(name, config);
  return {
    fingerprint: name,
    stage({ log, codec, metrics, logger }) {
      const { dispatch, outcomes, timeline, deadLetters, senderState } = topicNames(config.prefix);
      return createSenderStage({
        ...{ provider, codec, log, concurrency: config.sendConcurrency },
        observer: senderObserver(`sender-${name}`, metrics.metrics, logger),
        topics: { dispatch, outcomes, timeline, deadLetters, state: senderState(name) },
      });
    },
    close: () => provider.close(),
  };
}
