/**
 * A sender as `lull send` runs one, but for the one thing that `lull send` does not offer: a provider on this machine. Its one argument is a `SenderConfig` as
 * JSON. SIGTERM stops it gracefully.
 */
import { join } from 'node:path';
import { createCodec } from '../../src/avro/codec.ts';
import { checkSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames } from '../../src/log/topics.ts';
import { FcmProvider } from '../../src/senders/fcm.ts';
import { createSenderStage } from '../../src/senders/stage.ts';
import { WebPushProvider } from '../../src/senders/webpush.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { bootstrap, registryUrl } from './env.ts';
import type { SenderConfig } from './sender-process.ts';

const { prefix, stateFolder, provider: providerConfig } = JSON.parse(process.argv[2] ?? '') as SenderConfig;
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());

const log = createKafkaLog({ brokers: [bootstrap()], clientId: `${prefix}-sender` });
const registry = createRegistry({ url: registryUrl() });
const codec = createCodec({ registry, ids: await checkSchemas(registry) });
const provider =
  providerConfig.kind === 'webpush'
    ? new WebPushProvider({ vapid: providerConfig.vapid, guard: { devOrigin: providerConfig.devOrigin } })
    : new FcmProvider({
        ...providerConfig,
        credential: { getAccessToken: async () => ({ access_token: 'token', expires_in: 3_600 }) },
      });
const { dispatch, outcomes, timeline, deadLetters, senderState } = topicNames(prefix);
const stage = createSenderStage({
  ...{ provider, codec, log },
  topics: { dispatch, outcomes, timeline, deadLetters, state: senderState(provider.name) },
  retry: { firstMs: 200, ambiguousFirstMs: 500 },
});
const store = await openRocksStore({ path: join(stateFolder, stage.name), tables: [...stage.tables, META_TABLE] });
const note = (_level: string, message: string): void => void process.stderr.write(`${message}\n`);
const worker = new Worker({
  stage,
  log,
  store,
  prefix,
  clock: systemClock,
  observer: { ...silentObserver, note },
  drainMs: 5_000,
  sessionTimeoutMs: 6_000,
});
try {
  await worker.run(stopping.signal);
} finally {
  await store.close();
  await provider.close();
  await log.close();
}
