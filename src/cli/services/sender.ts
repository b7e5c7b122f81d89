import { topicNames } from '../../log/topics.ts';
import type { Provider } from '../../senders/provider.ts';
import { createSenderStage } from '../../senders/stage.ts';
import type { RetryPolicy } from '../../senders/unit-rules.ts';
import type { Config } from '../config.ts';
import { senderObserver } from '../observers.ts';
import { openProvider } from '../providers.ts';
import type { ProviderName } from '../provider-names.ts';
import type { Service } from '../service.ts';

/** @throws UsageError when a setting that the provider needs is missing or wrong */
export async function senderService(config: Config, name: ProviderName): Promise<Service> {
  return serviceOf(config, await openProvider(name, config));
}

/** The sender of a provider that is open already; closes it. `retry`: default `DEFAULT_RETRY`. */
export function serviceOf(config: Config, provider: Provider, retry: Partial<RetryPolicy> = {}): Service {
  const { name } = provider;
  return {
    fingerprint: name,
    stages({ log, codec, metrics, logger }) {
      const { dispatch, outcomes, timeline, deadLetters, senderState } = topicNames(config.prefix);
      const stage = createSenderStage({
        ...{ provider, codec, log, retry, concurrency: config.sendConcurrency },
        observer: senderObserver(`sender-${name}`, metrics.metrics, logger),
        topics: { dispatch, outcomes, timeline, deadLetters, state: senderState(name) },
      });
      return [stage];
    },
    close: () => provider.close(),
  };
}
