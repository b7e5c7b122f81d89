import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Program } from '../../src/core/program.ts';
import type { Historical } from '../../src/processor/task.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { createProcessorStage } from '../../src/processor/stage.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import type { AppendedEvent } from '../../src/testing/simulation.ts';
import type { Deployment } from '../faults/deployment.ts';

export interface Recorded {
  /** Record time. */
  readonly atMs: number;
  readonly event: AppendedEvent;
}

/** Makes a topic whose record times are those of the events, whatever year it is. Deleting it is the caller's. */
export async function record(lull: Deployment, topic: string, recorded: readonly Recorded[]): Promise<void> {
  await lull.log.admin.createTopics([{ topic, partitions: lull.partitions, replicationFactor: 1, config: { 'retention.ms': '-1' } }]);
  await lull.log.append(
    recorded.map(({ atMs, event }) => {
      const { eventId, userId, type, properties, imported } = event;
      const times = { occurredAt: event.occurredAtMs, sentAt: event.sentAtMs };
      const value = lull.codec.encode('lull.v1.ProductEvent', { eventId, userId, type, properties, imported, ...times });
      const key = Buffer.from(userId);
      return { topic, partition: partitionFor(key, lull.partitions), key, value, timestampMs: atMs };
    }),
  );
}

/** Runs the real processor, on the broker and on RocksDB, over all of a topic as historical input. */
export async function processHistory(lull: Deployment, input: { topic: string; program: Program } & Historical): Promise<void> {
  const { log, codec, prefix } = lull;
  const { topic, program, ...historical } = input;
  const topics = { ...lull.topics, timeline: topic };
  const stage = createProcessorStage({ program, codec, log, topics, historical, observer: silentProcessorObserver });
  const store = await openRocksStore({ path: await lull.stateFolder(), tables: [...stage.tables, META_TABLE] });
  try {
    const worker = new Worker({ stage, log, store, prefix, clock: systemClock, observer: silentObserver, bounded: true });
    await worker.run(new AbortController().signal);
  } finally {
    await store.close();
  }
}
