import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import { registerSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import type { Scalar } from '../../src/core/event.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Log, LogRecord } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans, type TopicNames } from '../../src/log/topics.ts';
import { bootstrap, registryUrl } from '../setup/env.ts';
import { keepProcess, type KeptProcess } from '../setup/kept-process.ts';

const ROOT = join(import.meta.dirname, '../..');
export const PARTITIONS = 3;

export interface Said {
  readonly userId: string;
  readonly type: string;
  readonly eventId?: string;
  /** By the client's clock; default now. */
  readonly occurredAt?: number;
  /** By the client's clock; default unsaid. */
  readonly sentAt?: number;
  readonly properties?: Readonly<Record<string, Scalar>>;
}

export type Processor = KeptProcess;

export interface DeploymentOptions {
  /** `name=value` of the topology. */
  readonly params?: readonly string[];
  /** Default `topologies/shop`. */
  readonly topology?: string;
  /** What the processes are given. Default: the tests' broker. */
  readonly bootstrap?: string;
  /** What this side uses: load, waiting, oracles. Default: `bootstrap`. */
  readonly direct?: string;
  readonly registryUrl?: string;
  /** Default 3. */
  readonly partitions?: number;
  /** Default 1. */
  readonly replicationFactor?: number;
}

/** A prefix of its own on a real broker and registry, with real `lull` children. */
export class Deployment {
  readonly prefix = `e2e-${randomUUID().slice(0, 8)}`;
  readonly topics: TopicNames = topicNames(this.prefix);
  readonly partitions: number;
  readonly params: readonly string[];
  readonly topology: string;
  readonly bootstrap: string;
  readonly direct: string;
  readonly registryUrl: string;
  readonly log: Log;
  readonly #replicationFactor: number;
  readonly #children = new Set<KeptProcess>();
  #lastFailure = '';
  #closed = false;
  readonly #folders: string[] = [];
  #codec: Codec | undefined;

  constructor(options: DeploymentOptions = {}) {
    this.params = options.params ?? [];
    this.topology = options.topology ?? 'topologies/shop';
    this.partitions = options.partitions ?? PARTITIONS;
    this.bootstrap = options.bootstrap ?? bootstrap();
    this.direct = options.direct ?? this.bootstrap;
    this.registryUrl = options.registryUrl ?? registryUrl();
    this.#replicationFactor = options.replicationFactor ?? 1;
    this.log = createKafkaLog({ brokers: this.direct.split(','), clientId: this.prefix });
  }

  get codec(): Codec {
    if (this.#codec === undefined) throw new Error('create() first');
    return this.#codec;
  }

  /** How many children are alive. */
  get alive(): number {
    return this.#children.size;
  }

  /** Exit code and last lines of the child that was the last to fail; empty where none did. */
  get lastFailure(): string {
    return this.#lastFailure;
  }

  get group(): string {
    return `${this.prefix}-processor`;
  }

  async create(): Promise<this> {
    const registry = createRegistry({ url: this.registryUrl });
    this.#codec = createCodec({ registry, ids: await registerSchemas(registry) });
    await this.log.admin.createTopics(topicPlans(this.prefix).map((plan) => specOf(plan, this.partitions, this.#replicationFactor)));
    return this;
  }

  async stateFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'lull-e2e-'));
    this.#folders.push(folder);
    return folder;
  }

  /** `lull process` on this state folder; of another build, where its checkout is given. */
  start(stateFolder: string, env: Readonly<Record<string, string>> = {}, checkout?: string): Processor {
    const sets = this.params.flatMap((param) => ['--set', param]);
    return this.run(['process', '--topology', this.topology, ...sets, '--state-folder', stateFolder], env, checkout);
  }

  /** Any `lull` command of this deployment, e.g. `['send', 'fcm', '--state-folder', folder]`. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}, checkout: string = ROOT): Processor {
    // A row that was given up may still be on its way.
    if (this.#closed) throw new Error(`${this.prefix} is closed`);
    const child = spawn(process.execPath, ['src/cli/main.ts', ...args, '--prefix', this.prefix], {
      cwd: checkout,
      stdio: ['ignore', 'ignore', 'pipe'],
      // One worker in the process that is killed, where the command knows of more.
      env: { ...process.env, LULL_WORKERS: '1', LULL_BOOTSTRAP: this.bootstrap, LULL_REGISTRY: this.registryUrl, ...env },
    });
    const kept = keepProcess(child, this.prefix);
    this.#children.add(kept);
    void kept.exited.then((end) => {
      this.#children.delete(kept);
      if (typeof end === 'number' && end !== 0) this.#lastFailure = `code ${end}: ${kept.stderr().trim().split('\n').slice(-3).join('\n')}`;
    });
    return kept;
  }

  stop(processor: Processor): Promise<number | NodeJS.Signals> {
    return processor.stop();
  }

  async say(...events: readonly Said[]): Promise<void> {
    await this.log.append(
      events.map((event) => {
        const key = Buffer.from(event.userId);
        return { topic: this.topics.timeline, partition: partitionFor(key, this.partitions), key, value: this.encode(event) };
      }),
    );
  }

  encode({ userId, type, eventId = randomUUID(), occurredAt = Date.now(), sentAt, properties = {} }: Said): Buffer {
    const sent = sentAt === undefined ? {} : { sentAt };
    return this.codec.encode('lull.v1.ProductEvent', { eventId, userId, type, occurredAt, properties, ...sent });
  }

  async records(topic: string): Promise<LogRecord[]> {
    const all: LogRecord[] = [];
    for (const [partition, { start }] of await this.log.admin.offsets(topic)) {
      const reader = this.log.reader({ topic, partition, offset: start });
      for (;;) {
        const { records, nextOffset, lastStableOffset } = await reader.fetch({ maxWaitMs: 100 });
        all.push(...records);
        if (nextOffset >= lastStableOffset) break;
      }
      await reader.close();
    }
    return all;
  }

  /** Waits until the topic has at least so many records; returns how many. */
  async waitForRecords(topic: string, count: number, withinMs = 60_000): Promise<number> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const { length } = await this.records(topic);
      if (length >= count || Date.now() > deadline) return length;
      await sleep(250);
    }
  }

  /** Waits until the processor's group has read everything that is there now, and what came meanwhile. */
  async waitUntilRead(withinMs = 60_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      if (await this.hasRead(await this.ends())) return;
      if (Date.now() > deadline) throw new Error('the processor did not read its input in time');
      await sleep(150);
    }
  }

  /** The end of each timeline partition. */
  async ends(): Promise<ReadonlyMap<number, number>> {
    return new Map([...(await this.log.admin.offsets(this.topics.timeline))].map(([partition, { end }]) => [partition, end]));
  }

  /** Whether everything before these offsets is committed. */
  async hasRead(ends: ReadonlyMap<number, number>): Promise<boolean> {
    const read = await this.log.admin.groupOffsets(this.group, this.topics.timeline);
    return [...ends].every(([partition, end]) => (read.get(partition) ?? 0) >= end);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const child of [...this.#children]) {
      child.thaw();
      await child.kill();
    }
    try {
      const existing = await this.log.admin.describeTopics(topicPlans(this.prefix).map(({ topic }) => topic));
      await this.log.admin.deleteTopics([...existing.keys()]);
    } finally {
      await this.log.close();
      for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
    }
  }
}
