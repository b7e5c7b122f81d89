import { randomUUID } from 'node:crypto';
import type { KafkaLogOptions } from '../../../src/log/kafka/client.ts';
import { createKafkaLog } from '../../../src/log/kafka/log.ts';
import type { Log, LogRecord, OutRecord } from '../../../src/log/port.ts';
import { drain } from '../../conformance/log-helpers.ts';
import { bootstrap } from '../../setup/env.ts';
import { startTcpProxy, type TcpProxy } from '../../setup/tcp-proxy.ts';

export interface Rig {
  /** Straight to the broker: sets up, and looks at what happened. */
  readonly log: Log;
  readonly proxy: TcpProxy;
  /** A log whose every connection goes through the proxy. */
  disturbed(options?: Partial<KafkaLogOptions>): Log;
  topic(partitions?: number, config?: Record<string, string>): Promise<string>;
  committed(topic: string): Promise<readonly LogRecord[]>;
}

/** A fresh proxy and fresh topics for one test; all of it is gone afterwards. */
export async function withRig(use: (rig: Rig) => Promise<void>): Promise<void> {
  const [host, port] = bootstrap().split(',')[0]!.split(':');
  const proxy = await startTcpProxy({ host: host!, port: Number(port) });
  const log = createKafkaLog({ brokers: [bootstrap()] });
  const logs: Log[] = [];
  const topics: string[] = [];
  try {
    await use({
      log,
      proxy,
      disturbed: (options = {}) => {
        const disturbed = createKafkaLog({ brokers: [bootstrap()], route: () => ({ host: proxy.host, port: proxy.port }), ...options });
        logs.push(disturbed);
        return disturbed;
      },
      topic: async (partitions = 1, config = {}) => {
        const topic = `log-${randomUUID()}`;
        await log.admin.createTopics([{ topic, partitions, replicationFactor: 1, config }]);
        topics.push(topic);
        return topic;
      },
      committed: async (topic) => {
        const reader = log.reader({ topic, partition: 0, offset: 0 });
        const end = (await log.admin.offsets(topic)).get(0)!.end;
        const records = await drain(reader, end);
        await reader.close();
        return records;
      },
    });
  } finally {
    proxy.silence(false);
    proxy.release();
    await Promise.all(logs.map((one) => one.close()));
    await log.admin.deleteTopics(topics);
    await log.close();
    await proxy.close();
  }
}

export function record(topic: string, value: string, partition = 0): OutRecord {
  return { topic, partition, key: Buffer.from('k'), value: Buffer.from(value) };
}
