import { randomUUID } from 'node:crypto';
import avsc from 'avsc';
import { createGenericDecoder } from '../../src/avro/generic-decoder.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import type { Ingested } from '../../src/avro/records.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import type { LogRecord, OutRecord } from '../../src/log/port.ts';
import { createIngestStage, type IngestStageOptions } from '../../src/ingest/stage.ts';
import type { Source } from '../../src/core/source.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { registryUrl } from '../setup/env.ts';
import type { ProcessorRig } from '../processor/rig.ts';

export const VISIT = {
  ...{ type: 'record', name: 'Visit', namespace: 'other' },
  fields: [
    { name: 'who', type: 'string' },
    { name: 'what', type: 'string' },
    { name: 'cart', type: 'string' },
  ],
} as const;
const TYPE = avsc.Type.forSchema(VISIT as unknown as Parameters<typeof avsc.Type.forSchema>[0]);

/** The real ingest in the real engine, beside a processor rig: on its memory log and its clock. Schemas are in the real registry. */
export class IngestRig {
  readonly rig: ProcessorRig;
  readonly topic = `visits-${randomUUID().slice(0, 8)}`;
  readonly changelog: string;
  readonly store = createMemoryStore({ tables: [META_TABLE, 'row'] });
  #schemaId = -1;

  constructor(rig: ProcessorRig) {
    this.rig = rig;
    this.changelog = rig.topics.ingestState('visits');
  }

  async create(partitions = 3, config: Readonly<Record<string, string>> = {}): Promise<this> {
    const registry = createRegistry({ url: registryUrl() });
    this.#schemaId = await registry.register(`${this.topic}-value`, JSON.stringify({ ...VISIT, doc: this.topic }));
    const replicationFactor = 1;
    await this.rig.log.admin.createTopics([
      { topic: this.topic, partitions, replicationFactor, config },
      { topic: this.changelog, partitions, replicationFactor, config: {} },
    ]);
    return this;
  }

  /** Who, what and the cart, as they are written. */
  get source(): Source {
    return {
      ...{ name: 'visits', topic: this.topic },
      map({ value, topic, partition, offset, timeMs, key }) {
        const fields = value as ReadonlyMap<string, string> | null;
        const type = fields?.get('what') ?? 'nothing';
        if (type === 'nothing') return { kind: 'refused', reason: 'expression_failed', detail: 'there is nothing' };
        if (type === 'unwanted') return { kind: 'filtered' };
        const properties = { cartId: fields?.get('cart') ?? '', key };
        const eventId = `${topic}/${partition}/${offset}`;
        return { kind: 'event', event: { eventId, userId: fields?.get('who') ?? '', type, occurredAt: timeMs, properties } };
      },
    };
  }

  start(options: Partial<IngestStageOptions> = {}): { readonly done: Promise<void>; readonly stop: () => Promise<void> } {
    const { rig, source } = this;
    const { timeline, items, deadLetters } = rig.topics;
    const stage = createIngestStage({
      ...{ source, codec: rig.codec, decoder: createGenericDecoder({ registry: createRegistry({ url: registryUrl() }) }) },
      ...{ topics: { timeline, items, deadLetters, state: this.changelog }, timelinePartitions: 2, hasAppendTime: false },
      ...options,
    });
    const abort = new AbortController();
    const { clock, prefix } = rig;
    const worker = new Worker({ stage, log: rig.broker.connect(), store: this.store, prefix, clock, observer: silentObserver });
    const done = worker.run(abort.signal);
    done.catch(() => undefined);
    const stop = async (): Promise<void> => {
      abort.abort();
      await done;
    };
    return { done, stop };
  }

  encode(who: string, what: string, cart = 'c1'): Buffer {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(this.#schemaId, 1);
    return Buffer.concat([header, TYPE.toBuffer({ who, what, cart })]);
  }

  async append(...records: readonly (Partial<OutRecord> & Pick<OutRecord, 'value'>)[]): Promise<void> {
    await this.rig.log.append(records.map((record) => ({ topic: this.topic, partition: 0, key: null, ...record })));
  }

  /** Waits until everything that is in the topic is committed. */
  async untilRead(): Promise<void> {
    const { admin } = this.rig.log;
    for (;;) {
      const ends = await admin.offsets(this.topic);
      const read = await admin.groupOffsets(`${this.rig.prefix}-ingest-visits`, this.topic);
      if ([...ends].every(([partition, { end }]) => (read.get(partition) ?? 0) >= end)) return;
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  }

  async ingested(): Promise<{ readonly partition: number; readonly record: LogRecord; readonly ingested: Ingested }[]> {
    const { log, topics, codec } = this.rig;
    const all: { partition: number; record: LogRecord; ingested: Ingested }[] = [];
    for (const [partition, { start, end }] of await log.admin.offsets(topics.timeline)) {
      const reader = log.reader({ topic: topics.timeline, partition, offset: start });
      while (reader.position < end) {
        const batch = await reader.fetch({ maxWaitMs: 20 });
        for (const record of batch.records) {
          const decoded = codec.decode(record.value!);
          if (decoded.record === 'lull.v1.Control' && decoded.value.ingested !== null)
            all.push({ partition, record, ingested: decoded.value.ingested });
        }
      }
      await reader.close();
    }
    return all;
  }
}
