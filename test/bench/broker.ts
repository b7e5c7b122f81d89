import { kafkaJars } from '../../src/dev/stack/artifacts.ts';
import { cacheFolder } from '../../src/dev/stack/cache.ts';
import { findJava } from '../../src/dev/stack/java.ts';
import { startKafka } from '../../src/dev/stack/kafka.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';

export interface BenchBroker {
  readonly bootstrap: string;
  stop(): Promise<void>;
}

/** The broker that was named (`--bootstrap`, else `LULL_BOOTSTRAP`), else one of our own, which ends with us. */
export async function benchBroker(
  given: string | undefined,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<BenchBroker> {
  const bootstrap = given ?? (process.env['LULL_BOOTSTRAP'] || undefined);
  if (bootstrap !== undefined) return { bootstrap, stop: () => Promise.resolve() };
  const java = await findJava();
  const code = await kafkaJars({ cache: cacheFolder(), onProgress, signal });
  const settings = {
    // Kafka's default, as in production: who starts together is in the group's first generation together, on either side.
    'group.initial.rebalance.delay.ms': 3000,
    // Recordings are from another year.
    'log.retention.ms': -1,
  };
  const serving = await startKafka({ java, code, onProgress, signal, more: { ports: 0, settings: () => settings } });
  return { bootstrap: `127.0.0.1:${serving.ports[0]}`, stop: () => serving.kept.stop() };
}

/** A broker as above and a log on it, for as long as `use` takes. */
export async function withBenchLog(
  given: string | undefined,
  onProgress: (line: string) => void,
  signal: AbortSignal,
  use: (log: Log) => Promise<void>,
): Promise<void> {
  const broker = await benchBroker(given, onProgress, signal);
  const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
  try {
    await use(log);
  } finally {
    await log.close();
    await broker.stop();
  }
}
