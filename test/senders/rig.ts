import { createCodec, type Codec } from '../../src/avro/codec.ts';
import { commandHeaders, revocationHeaders } from '../../src/avro/dispatch-headers.ts';
import type { Outcome, ProductEvent, RecordName, RecordTypes } from '../../src/avro/records.ts';
import type { SendCommand } from '../../src/core/output.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import type { TaskEnd } from '../../src/engine/errors.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Task } from '../../src/engine/task.ts';
import { createMemoryBroker } from '../../src/log/memory/broker.ts';
import type { Headers, LogRecord } from '../../src/log/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import type { Provider } from '../../src/senders/provider.ts';
import { createSenderStage, type SenderStageOptions } from '../../src/senders/stage.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/port.ts';
import { VirtualClock } from '../processor/virtual-clock.ts';

const TABLES = [META_TABLE, 'commands', 'due', 'open', 'collapse', 'ahead'];

/** A sender in the real engine, one partition, on the memory twins. Time moves only when told to; the provider's calls are real ones. */
export class SenderRig {
  readonly clock = new VirtualClock(Date.now());
  readonly broker = createMemoryBroker({ now: this.clock.nowMs });
  readonly log = this.broker.connect();
  readonly codec: Codec = createCodec();
  readonly topics = topicNames('t');
  readonly provider: Provider;
  readonly #options: Partial<SenderStageOptions>;
  #store: Store = createMemoryStore({ tables: TABLES });
  #task: Task | undefined;

  constructor(provider: Provider, options: Partial<SenderStageOptions> = {}) {
    this.provider = provider;
    this.#options = options;
  }

  get senderTopics(): SenderStageOptions['topics'] {
    return { ...this.topics, state: this.topics.senderState(this.provider.name) };
  }

  async create(): Promise<this> {
    const { dispatch, outcomes, timeline, deadLetters, state } = this.senderTopics;
    const spec = { partitions: 1, replicationFactor: 1, config: {} };
    await this.log.admin.createTopics([dispatch, outcomes, timeline, deadLetters, state].map((topic) => ({ topic, ...spec })));
    return this;
  }

  start({ fetchMaxBytes = 1_048_576, ...options }: Partial<SenderStageOptions> & { readonly fetchMaxBytes?: number } = {}): void {
    const log = this.broker.connect();
    const stage = createSenderStage({
      ...{ provider: this.provider, codec: this.codec, log, topics: this.senderTopics },
      ...this.#options,
      ...options,
    });
    this.#task = new Task({
      ...{ stage, log, store: this.#store, clock: this.clock, observer: silentObserver, partition: 0, partitions: 1 },
      ...{
        groupId: 'g',
        transactionalId: 'x',
        transactionTimeoutMs: 10_000,
        fetchMaxBytes,
        generationId: () => 1,
        bounded: false,
      },
    });
  }

  /** Past its start: from here on, what it knows of a record it knows from the record's own batch. */
  async started(): Promise<void> {
    await this.append('user', null, { kind: Buffer.from('command'), channel: Buffer.from('other'), 'command-id': Buffer.from('c') });
    await this.untilRead();
  }

  /** As if killed: nothing more is committed, calls in flight are cut. */
  async kill(): Promise<void> {
    await this.#task?.abandon();
  }

  stop(deadlineMs = 5_000): Promise<TaskEnd> | undefined {
    return this.#task?.stop(deadlineMs);
  }

  get done(): Promise<TaskEnd> {
    if (this.#task === undefined) throw new Error('not started');
    return this.#task.done;
  }

  /** The disk is gone: the next start restores from the changelog. */
  loseDisk(): void {
    this.#store = createMemoryStore({ tables: TABLES });
  }

  async dispatch(...commands: readonly SendCommand[]): Promise<void> {
    for (const command of commands) await this.together([command]);
  }

  async revoke(command: SendCommand): Promise<void> {
    await this.together([], [command]);
  }

  /** Commands, then revocations, in one fetch. */
  async together(commands: readonly SendCommand[], revoked: readonly SendCommand[] = []): Promise<void> {
    const base = { topic: this.topics.dispatch, partition: 0 };
    const revocations = revoked.map(({ commandId, userId, channel }) => ({
      commandId,
      userId,
      channel,
      reason: 'goal',
      atMs: this.clock.nowMs(),
    }));
    await this.log.append([
      ...commands.map((command) => ({
        ...{ ...base, key: Buffer.from(command.userId), headers: commandHeaders(command) },
        value: this.codec.encode('lull.v1.SendCommand', command),
      })),
      ...revocations.map((revocation) => ({
        ...{ ...base, key: Buffer.from(revocation.userId), headers: revocationHeaders(revocation) },
        value: this.codec.encode('lull.v1.Revocation', revocation),
      })),
    ]);
  }

  async append(key: string | null, value: Buffer | null, headers?: Headers): Promise<void> {
    const record = { topic: this.topics.dispatch, partition: 0, key: key === null ? null : Buffer.from(key), value };
    await this.log.append([{ ...record, ...(headers && { headers }) }]);
  }

  async records(topic: string): Promise<LogRecord[]> {
    const all: LogRecord[] = [];
    const reader = this.log.reader({ topic, partition: 0, offset: 0 });
    for (;;) {
      const batch = await reader.fetch({ maxWaitMs: 0 });
      all.push(...batch.records);
      if (batch.nextOffset >= batch.lastStableOffset) break;
    }
    await reader.close();
    return all;
  }

  outcomes(): Promise<Outcome[]> {
    return this.#decoded(this.topics.outcomes, 'lull.v1.Outcome');
  }

  /** Final ones as `command/device class code`. */
  async finals(): Promise<string[]> {
    const outcomes = (await this.outcomes()).filter((outcome) => outcome.final);
    return outcomes
      .map(({ commandId, device, class: ended, code }) => `${commandId}/${device?.deviceId ?? '-'} ${ended} ${code ?? '-'}`)
      .sort();
  }

  feedback(): Promise<ProductEvent[]> {
    return this.#decoded(this.topics.timeline, 'lull.v1.ProductEvent');
  }

  /** Waits until this many final outcomes are there. */
  async untilFinal(count: number): Promise<string[]> {
    for (;;) {
      const finals = await this.finals();
      if (finals.length >= count) return finals;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /** Waits until the sender has committed everything on dispatch. */
  async untilRead(): Promise<void> {
    const { dispatch } = this.topics;
    for (;;) {
      const end = (await this.log.admin.offsets(dispatch)).get(0)?.end;
      if (end === (await this.log.admin.groupOffsets('g', dispatch)).get(0)) return;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /** Rows that are left in the changelog once compacted, the position row aside. */
  async unfinished(): Promise<number> {
    const rows = new Map<string, boolean>();
    for (const { key, value } of await this.records(this.senderTopics.state))
      if (key !== null && key[0] !== 0xff) rows.set(key.toString(), value !== null);
    return [...rows.values()].filter(Boolean).length;
  }

  async close(): Promise<void> {
    await this.kill();
    await this.log.close();
  }

  async #decoded<Name extends RecordName>(topic: string, name: Name): Promise<RecordTypes[Name][]> {
    return (await this.records(topic)).flatMap(({ value }) => {
      const decoded = this.codec.decode(value!);
      return decoded.record === name ? [decoded.value as RecordTypes[Name]] : [];
    });
  }
}
