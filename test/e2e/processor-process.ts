import { spawn, type ChildProcess } from 'node:child_process';
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

const ROOT = join(import.meta.dirname, '../..');
export const PARTITIONS = 3;

export interface Said {
  readonly userId: string;
  readonly type: string;
  readonly eventId?: string;
  readonly properties?: Readonly<Record<string, Scalar>>;
}

/** One `lull process` as a platform runs it: a process of its own, killed and stopped by its pid. */
export interface Processor {
  readonly pid: number;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly stderr: () => string;
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** A prefix of its own on the real broker and registry, with real `lull process` children. */
export class Deployment {
  readonly prefix = `e2e-${randomUUID().slice(0, 8)}`;
  readonly topics: TopicNames = topicNames(this.prefix);
  readonly log: Log = createKafkaLog({ brokers: [bootstrap()], clientId: this.prefix });
  readonly #params: readonly string[];
  readonly #children = new Set<ChildProcess>();
  readonly #folders: string[] = [];
  #codec: Codec | undefined;

  /** `params` are `name=value` of topologies/shop. */
  constructor(params: readonly string[]) {
    this.#params = params;
  }

  get codec(): Codec {
    if (this.#codec === undefined) throw new Error('create() first');
    return this.#codec;
  }

  async create(): Promise<this> {
    const registry = createRegistry({ url: registryUrl() });
    this.#codec = createCodec({ registry, ids: await registerSchemas(registry) });
    await this.log.admin.createTopics(topicPlans(this.prefix).map((plan) => specOf(plan, PARTITIONS, 1)));
    return this;
  }

  async stateFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'lull-e2e-'));
    this.#folders.push(folder);
    return folder;
  }

  start(stateFolder: string, env: Readonly<Record<string, string>> = {}): Processor {
    const sets = this.#params.flatMap((param) => ['--set', param]);
    const args = [
      'src/cli/main.ts',
      'process',
      '--topology',
      'topologies/shop',
      ...sets,
      '--prefix',
      this.prefix,
      '--state-folder',
      stateFolder,
    ];
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl(), ...env },
    });
    this.#children.add(child);
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    const exited = new Promise<number | NodeJS.Signals>((resolve) => {
      child.on('exit', (code, signal) => {
        this.#children.delete(child);
        resolve(code ?? signal ?? -1);
      });
    });
    return { pid: child.pid ?? -1, exited, stderr: () => stderr, signal: (signal) => void child.kill(signal) };
  }

  async stop(processor: Processor): Promise<number | NodeJS.Signals> {
    processor.signal('SIGTERM');
    return processor.exited;
  }

  async say(...events: readonly Said[]): Promise<void> {
    await this.log.append(
      events.map((event) => {
        const key = Buffer.from(event.userId);
        return { topic: this.topics.timeline, partition: partitionFor(key, PARTITIONS), key, value: this.encode(event) };
      }),
    );
  }

  encode({ userId, type, eventId = randomUUID(), properties = {} }: Said): Buffer {
    return this.codec.encode('lull.v1.ProductEvent', { eventId, userId, type, occurredAt: Date.now(), properties });
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

  /** Waits until the processor's group has read everything. */
  async waitUntilRead(withinMs = 60_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const ends = await this.log.admin.offsets(this.topics.timeline);
      const read = await this.log.admin.groupOffsets(`${this.prefix}-processor`, this.topics.timeline);
      if ([...ends].every(([partition, { end }]) => (read.get(partition) ?? 0) >= end)) return;
      if (Date.now() > deadline) throw new Error('the processor did not read its input in time');
      await sleep(150);
    }
  }

  async close(): Promise<void> {
    for (const child of [...this.#children]) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await new Promise((resolve) => child.on('exit', resolve));
    }
    const existing = await this.log.admin.describeTopics(topicPlans(this.prefix).map(({ topic }) => topic));
    await this.log.admin.deleteTopics([...existing.keys()]);
    await this.log.close();
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}
