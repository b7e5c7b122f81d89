import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { KafkaClient } from '../../src/log/kafka/client.ts';
import type { Broker, Cluster } from './cluster.ts';

const IN_SYNC_WITHIN_MS = 90_000;
const POLL_MS = 300;

/** The broker that coordinates a group, or a transactional id, now; undefined where the cluster names one that is not its. */
export async function coordinatorOf(cluster: Cluster, of: 'group' | 'transaction', id: string): Promise<Broker | undefined> {
  const client = new KafkaClient({ brokers: cluster.bootstrap.split(','), clientId: 'lull-faults' });
  try {
    const { port } = await client.cluster.coordinator(of, id);
    return cluster.brokers.find((broker) => (broker.proxy?.port ?? broker.port) === port);
  } finally {
    await client.close();
  }
}

/** Waits until every partition of every topic has a leader, and all its replicas have what the leader has. */
export async function untilInSync({ direct }: Cluster): Promise<void> {
  const admin = new Kafka({ brokers: direct.split(','), clientId: 'lull-faults', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const deadline = performance.now() + IN_SYNC_WITHIN_MS;
    for (;;) {
      const { topics } = await admin.fetchTopicMetadata();
      const behind = topics.filter(({ partitions }) =>
        partitions.some(({ leader, isr, replicas }) => leader < 0 || isr.length < replicas.length),
      );
      if (behind.length === 0) return;
      if (performance.now() > deadline)
        throw new Error(`not in sync within ${IN_SYNC_WITHIN_MS / 1000} s: ${behind.map(({ name }) => name).join(', ')}`);
      await sleep(POLL_MS);
    }
  } finally {
    await admin.disconnect();
  }
}
