import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import type { DecodedValue, RecordName, RecordTypes } from '../../src/avro/records.ts';
import type { Scalar } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { silentObserver, type EngineObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import { createMemoryBroker } from '../../src/log/memory/broker.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { LogRecord } from '../../src/log/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import { silentProcessorObserver, type ProcessorObserver } from '../../src/processor/observer.ts';
import { createProcessorStage, type ProcessorStageOptions } from '../../src/processor/stage.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/port.ts';
import { VirtualClock } from './virtual-clock.ts';

export const T0 = Date.UTC(2026, 0, 5, 9, 0, 0);
const PARTITIONS = 2;

export interface Said {
  readonly userId: string;
  readonly type: string;
  readonly eventId?: string;
  readonly properties?: Readonly<Record<string, Scalar>>;
  /** Default: now. */
  readonly occurredAt?: number;
}

/** The real processor in the real engine, on the memory twins, with one clock for broker and process. */
export class ProcessorRig {
  readonly clock = new VirtualClock(T0);
  readonly broker = createMemoryBroker({ now: this.clock.nowMs });
  readonly log = this.broker.connect();
  readonly codec: Codec = createCodec();
  readonly prefix = `t${randomUUID().slice(0, 8)}`;
  readonly topics = topicNames(this.prefix);
  readonly program: Program;
  readonly #stops: (() => Promise<void>)[] = [];

  constructor(program: Program) {
    this.program = program;
  }

  async create(): Promise<this> {
    const { timeline, state, dispatch, decisions, deadLetters } = this.topics;
    const config = { 'message.timestamp.type': 'LogAppendTime' };
    await this.log.admin.createTopics(
      [timeline, state, dispatch, decisions, deadLetters].map((topic) => ({ topic, partitions: PARTITIONS, replicationFactor: 1, config })),
    );
    return this;
  }

  store(): Store {
    return createMemoryStore({ tables: [META_TABLE, 'user', 'timer'] });
  }

  /** Starts a processor; returns how to stop it. */
  start(
    options: Partial<ProcessorStageOptions> & {
      readonly store?: Store;
      readonly engine?: EngineObserver;
      readonly fetchMaxBytes?: number;
      readonly bounded?: boolean;
      /** Default: the rig's. Another one is another group. */
      readonly prefix?: string;
    } = {},
  ): { readonly done: Promise<void>; readonly stop: () => Promise<void> } {
    const abort = new AbortController();
    const log = this.broker.connect();
    const stage = createProcessorStage({
      ...{ program: this.program, codec: this.codec, log, topics: this.topics, observer: silentProcessorObserver },
      ...options,
    });
    const done = new Worker({
      ...{
        stage,
        log,
        store: options.store ?? this.store(),
        prefix: options.prefix ?? this.prefix,
        clock: this.clock,
        observer: options.engine ?? silentObserver,
      },
      ...(options.fetchMaxBytes === undefined ? {} : { fetchMaxBytes: options.fetchMaxBytes }),
      bounded: options.bounded ?? false,
    }).run(abort.signal);
    done.catch(() => undefined);
    const stop = async (): Promise<void> => {
      abort.abort();
      await done;
    };
    this.#stops.push(stop);
    return { done, stop };
  }

  async say(...events: readonly Said[]): Promise<void> {
    for (const event of events) await this.append(event.userId, this.encode(event));
  }

  encode(event: Said): Buffer {
    return this.codec.encode('lull.v1.ProductEvent', {
      eventId: event.eventId ?? randomUUID(),
      userId: event.userId,
      type: event.type,
      occurredAt: event.occurredAt ?? this.clock.nowMs(),
      properties: event.properties ?? {},
    });
  }

  async append(key: string | null, value: Buffer | null, topic: string = this.topics.timeline): Promise<void> {
    const bytes = key === null ? null : Buffer.from(key);
    await this.log.append([{ topic, partition: bytes === null ? 0 : partitionFor(bytes, PARTITIONS), key: bytes, value }]);
  }

  /** Moves both clocks, in steps, and lets everything that this wakes finish. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await this.settled();
    }
  }

  /** Until the processor has read its input and no tick is on its way. */
  async settled(): Promise<void> {
    let before = -1;
    for (let quiet = 0; quiet < 3;) {
      await new Promise((resolve) => setTimeout(resolve, 4));
      const ends = await this.log.admin.offsets(this.topics.timeline);
      const offsets = await this.log.admin.groupOffsets(`${this.prefix}-processor`, this.topics.timeline);
      const end = [...ends.values()].reduce((sum, { end }) => sum + end, 0);
      const read = [...offsets.values()].reduce((sum, offset) => sum + offset, 0);
      quiet = end === read && end === before ? quiet + 1 : 0;
      before = end;
    }
  }

  async records(topic: string): Promise<LogRecord[]> {
    const all: LogRecord[] = [];
    for (const [partition, { start, end }] of await this.log.admin.offsets(topic)) {
      const reader = this.log.reader({ topic, partition, offset: start });
      while (reader.position < end) {
        const batch = await reader.fetch({ maxWaitMs: 20 });
        all.push(...batch.records);
        if (batch.lastStableOffset < end && batch.records.length === 0) break;
      }
      await reader.close();
    }
    return all;
  }

  async decoded<Name extends RecordName>(topic: string, name: Name): Promise<RecordTypes[Name][]> {
    const records = await this.records(topic);
    await this.codec.prepare(records.map(({ value }) => value));
    return records.flatMap(({ value }) => {
      const decoded: DecodedValue = this.codec.decode(value as Buffer);
      return decoded.record === name ? [decoded.value as RecordTypes[Name]] : [];
    });
  }

  commands(): Promise<RecordTypes['lull.v1.SendCommand'][]> {
    return this.decoded(this.topics.dispatch, 'lull.v1.SendCommand');
  }

  decisions(): Promise<RecordTypes['lull.v1.Decision'][]> {
    return this.decoded(this.topics.decisions, 'lull.v1.Decision');
  }

  async deadLetters(): Promise<{ readonly reason: string; readonly record: LogRecord }[]> {
    return (await this.records(this.topics.deadLetters)).map((record) => ({
      reason: record.headers?.['lull-reason']?.toString() ?? '',
      record,
    }));
  }

  async expectCommands(count: number): Promise<RecordTypes['lull.v1.SendCommand'][]> {
    const commands = await this.commands();
    expect(commands).toHaveLength(count);
    return commands;
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) await stop().catch(() => undefined);
    await this.log.close();
  }
}

export function counting(): ProcessorObserver & { readonly counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const add = (name: string, by = 1): void => void counts.set(name, (counts.get(name) ?? 0) + by);
  return {
    ...silentProcessorObserver,
    counts,
    tick: () => add('ticks'),
    timerFired: () => add('timers'),
    duplicates: (count) => add('duplicates', count),
    sessionsOpened: (count) => add('sessions', count),
    lateSuppressions: (count) => add('late', count),
    wrongPartition: (count) => add('wrongPartition', count),
  };
}
