import webpush from 'web-push';
import { senderObserver } from '../../cli/observers.ts';
import type { Runtime } from '../../cli/runtime.ts';
import type { Stage } from '../../engine/stage.ts';
import { topicNames } from '../../log/topics.ts';
import { FcmProvider } from '../../senders/fcm.ts';
import type { Provider } from '../../senders/provider.ts';
import { createSenderStage } from '../../senders/stage.ts';
import { WebPushProvider } from '../../senders/webpush.ts';
import { startPushService } from '../push-service/service.ts';
import type { ShopperDevice } from '../shop/people.ts';
import { startLocalFcm } from './local-fcm.ts';

/** The push services on this machine, the providers that call them, and the devices of the shoppers. */
export interface LocalPush {
  readonly providers: readonly Provider[];
  /** The key that subscriptions are made with, base64url. */
  readonly vapidPublicKey: string;
  /** Where subscriptions of the Web Push service point to. */
  readonly endpointOrigin: string;
  /** For the preferences of a browser. */
  readonly wsUrl: string;
  readonly addressOf: (device: ShopperDevice) => string;
  readonly isBrowserThere: () => boolean;
  /** (command, device) pairs that were POSTed again though the first may have been delivered. */
  readonly duplicates: () => number;
  close(): Promise<void>;
}

/** `onBroken` is told of a message that a device could not decrypt: the sender's fault, or ours. */
export async function startLocalPush(onBroken: (error: Error) => void): Promise<LocalPush> {
  const fcm = await startLocalFcm();
  const service = await startPushService().catch(async (error: unknown) => {
    await fcm.close();
    throw error;
  });
  const keys = webpush.generateVAPIDKeys();
  const { endpointOrigin, ca } = service;
  const providers = [
    new WebPushProvider({
      vapid: { subject: 'mailto:lull@localhost', keys: [keys] },
      guard: { devOrigin: { origin: endpointOrigin, ca } },
    }),
    new FcmProvider(fcm),
  ];
  return {
    providers,
    vapidPublicKey: keys.publicKey,
    endpointOrigin,
    wsUrl: service.wsUrl,
    addressOf({ kind, dead }) {
      if (kind === 'fcm') return fcm.register({ dead });
      const subscription = service.createVirtualSubscription({ key: keys.publicKey, onPayload: () => undefined, onError: onBroken });
      if (dead) subscription.unsubscribe();
      return subscription.value;
    },
    isBrowserThere: () => service.stats().browsers > 0,
    duplicates: () => service.stats().duplicates + fcm.duplicates,
    async close() {
      await Promise.all(providers.map((provider) => provider.close()));
      await Promise.all([service.stop(), fcm.close()]);
    },
  };
}

/** One sender a provider, as `lull send` runs them. */
export function senderStages({ log, codec, config, metrics, logger }: Runtime, providers: readonly Provider[]): Stage[] {
  const { dispatch, outcomes, timeline, deadLetters, senderState } = topicNames(config.prefix);
  return providers.map((provider) =>
    createSenderStage({
      ...{ provider, log, codec, concurrency: config.sendConcurrency },
      observer: senderObserver(`sender-${provider.name}`, metrics.metrics, logger),
      topics: { dispatch, outcomes, timeline, deadLetters, state: senderState(provider.name) },
    }),
  );
}
