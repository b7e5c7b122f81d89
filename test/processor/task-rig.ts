import { createCodec } from '../../src/avro/codec.ts';
import type { ItemInterest } from '../../src/avro/records.ts';
import type { Decision, Revocation, SendCommand } from '../../src/core/output.ts';
import type { Program } from '../../src/core/program.ts';
import type { UserState } from '../../src/core/state.ts';
import type { InputPosition, Output } from '../../src/engine/stage.ts';
import { createMemoryBroker } from '../../src/log/memory/broker.ts';
import type { Log, LogReader, LogRecord, OutRecord } from '../../src/log/port.ts';
import { Composer, fixedTopology, PublishedInForce } from '../../src/processor/in-force.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { ProcessorTask, type Historical } from '../../src/processor/task.ts';
import type { Topologies } from '../../src/processor/topologies.ts';
import { encodeVersions } from '../../src/processor/versions.ts';
import { TIMER_TABLE } from '../../src/processor/timer-index.ts';
import { decodeUserState } from '../../src/processor/user-state-codec.ts';
import { USER_TABLE } from '../../src/processor/users.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import type { AppendedEvent } from '../../src/testing/simulation.ts';
import { VirtualClock } from './virtual-clock.ts';

const TOPICS = {
  ...{ timeline: 'timeline', state: 'state', dispatch: 'dispatch', decisions: 'decisions', deadLetters: 'dead-letters', items: 'items' },
};
const PARTITION = 0;

/** What one user got, each in its order. */
export interface Made {
  readonly decisions: readonly Decision[];
  readonly commands: readonly SendCommand[];
  readonly revocations: readonly Revocation[];
}

/**
 * The processor's task alone, on the memory log and store: whoever holds the rig is the engine, and decides when a batch ends, when the clock moves, and when
 * the task ends and another takes over. Live, the clock is the broker's too; with historical input records bring their times.
 */
export class TaskRig {
  /** Of events and timers that were put aside. */
  readonly deadLetters: OutRecord[] = [];
  readonly #clock: VirtualClock;
  readonly #log: Log;
  readonly #codec = createCodec();
  readonly #options: { readonly deciding: Program | Topologies; readonly historical: Historical | null };
  readonly #made: OutRecord[] = [];
  #reader!: LogReader;
  #store!: PartitionStore;
  #task!: ProcessorTask;
  #position: InputPosition = { offset: 0, nowMs: 0 };
  #tick: Promise<unknown> = Promise.resolve();

  private constructor(options: {
    readonly deciding: Program | Topologies;
    readonly historical: Historical | null;
    readonly startMs: number;
  }) {
    this.#options = options;
    this.#clock = new VirtualClock(options.startMs);
    this.#log = createMemoryBroker({ now: this.#clock.nowMs }).connect();
  }

  /** With topologies the newest of them is in force by a record in the log that was there before. */
  static async open(deciding: Program | Topologies, startMs: number, historical: Historical | null = null): Promise<TaskRig> {
    const rig = new TaskRig({ deciding, historical, startMs });
    if ('newest' in deciding) {
      const { hash, number } = deciding.newest!;
      rig.#position = { ...rig.#position, stage: encodeVersions({ hash, number, since: number, isInLog: true, earlier: [] }) };
    }
    const config = { 'message.timestamp.type': historical === null ? 'LogAppendTime' : 'CreateTime' };
    await rig.#log.admin.createTopics([{ topic: TOPICS.timeline, partitions: 1, replicationFactor: 1, config }]);
    rig.#reader = rig.#log.reader({ topic: TOPICS.timeline, partition: PARTITION, offset: 0, maxBytes: 100_000_000 });
    rig.#store = await createMemoryStore({ tables: [USER_TABLE, TIMER_TABLE] }).open(PARTITION);
    await rig.takeOver();
    return rig;
  }

  /** Another task goes on where the last one has committed, on the same store. */
  async takeOver(): Promise<void> {
    (this.#task as ProcessorTask | undefined)?.close();
    const { deciding, historical } = this.#options;
    const source = { topic: TOPICS.timeline, partition: PARTITION };
    const composer = new Composer((program) => program);
    this.#task = new ProcessorTask(
      {
        ...{
          inForce: 'newest' in deciding ? new PublishedInForce(deciding, composer, source) : fixedTopology(deciding, null),
          historical,
          codec: this.#codec,
          inputTopic: TOPICS.timeline,
          topics: TOPICS,
          observer: silentProcessorObserver,
        },
        ...{ maxEventBytes: 256 * 1024, tickTimeoutMs: 10_000, cacheBytes: 1024 * 1024 },
        appendTopology: () => Promise.resolve(),
        appendTick: async () => {
          const value = this.#codec.encode('lull.v1.Control', { tick: { maxTimers: 1_000 } });
          this.#tick = this.#log.append([{ topic: TOPICS.timeline, partition: PARTITION, key: null, value }]);
          await this.#tick;
        },
      },
      {
        partition: PARTITION,
        partitions: 1,
        store: this.#store,
        signal: new AbortController().signal,
        clock: this.#clock,
        changed: () => {},
      },
    );
    await this.#task.start(this.#position, this.#commit);
  }

  /** Live: at that moment, which is now or later. Historical input: with that record time. */
  async append(event: AppendedEvent, atMs: number): Promise<void> {
    const { eventId, userId, type, properties, imported } = event;
    const times = { occurredAt: event.occurredAtMs, sentAt: event.sentAtMs };
    const value = this.#codec.encode('lull.v1.ProductEvent', { eventId, userId, type, properties, imported, ...times });
    if (this.#options.historical === null) this.#clock.advance(atMs - this.#clock.nowMs());
    await this.#log.append([{ topic: TOPICS.timeline, partition: PARTITION, key: Buffer.from(userId), value, timestampMs: atMs }]);
  }

  /** From here on that version is in force. */
  async activate({ hash, version: number, name }: Program, atMs: number): Promise<void> {
    const value = this.#codec.encode('lull.v1.Control', { topology: { hash, number, name } });
    this.#clock.advance(atMs - this.#clock.nowMs());
    await this.#log.append([{ topic: TOPICS.timeline, partition: PARTITION, key: null, value }]);
  }

  /** Lets time pass, and the task have the ticks that it asks for meanwhile; what is due at `limitMs` itself only where that is meant. */
  async passTo(limitMs: number, { inclusive }: { readonly inclusive: boolean }): Promise<void> {
    for (let wakeMs = this.#task.nextWakeMs; wakeMs !== null; wakeMs = this.#task.nextWakeMs) {
      const tickMs = Math.max(wakeMs, this.#clock.nowMs());
      if (inclusive ? tickMs > limitMs : tickMs >= limitMs) return;
      this.#clock.advance(tickMs - this.#clock.nowMs());
      await this.#task.wake();
      await this.#tick;
      await this.read();
    }
  }

  /** Takes what was appended since: in one batch, or in batches of these sizes over and over, with another task behind each size that is negative. */
  async read(sizes: readonly number[] = []): Promise<void> {
    const { records, nextOffset } = await this.#reader.fetch({ maxWaitMs: 0 });
    for (let at = 0, turn = 0; at < records.length; turn++) {
      const size = sizes[turn % sizes.length] ?? records.length;
      const batch = records.slice(at, at + Math.abs(size));
      at += batch.length;
      await this.#task.process({ records: batch, nextOffset: at < records.length ? batch.at(-1)!.offset + 1 : nextOffset }, this.#commit);
      if (size < 0) await this.takeOver();
    }
  }

  /** All of the log, ticks included. */
  async log(): Promise<readonly LogRecord[]> {
    const reader = this.#log.reader({ topic: TOPICS.timeline, partition: PARTITION, offset: 0, maxBytes: 100_000_000 });
    return [...(await reader.fetch({ maxWaitMs: 0 })).records];
  }

  /** The log of another rig, with its times. */
  async copy(records: readonly LogRecord[]): Promise<void> {
    for (const { key, value, timestampMs } of records) {
      this.#clock.advance(timestampMs - this.#clock.nowMs());
      await this.#log.append([{ topic: TOPICS.timeline, partition: PARTITION, key, value }]);
    }
  }

  /** The end of historical input. */
  async finish(): Promise<void> {
    await this.#task.finish(this.#commit);
  }

  madeFor(userId: string): Made {
    const [decisions, commands, revocations] = [[] as Decision[], [] as SendCommand[], [] as Revocation[]];
    for (const { key, value } of this.#made) {
      if (key?.toString() !== userId) continue;
      const decoded = this.#codec.decode(value!);
      if (decoded.record === 'lull.v1.Decision') decisions.push(decoded.value);
      else if (decoded.record === 'lull.v1.SendCommand') commands.push(decoded.value);
      else if (decoded.record === 'lull.v1.Revocation') revocations.push(decoded.value);
    }
    return { decisions, commands, revocations };
  }

  /** Who was said to be interested in what, in the order of the log. */
  get interests(): readonly ItemInterest[] {
    const decoded = this.#made.filter(({ topic }) => topic === TOPICS.items).map(({ value }) => this.#codec.decode(value!));
    return decoded.map(({ value }) => value as ItemInterest);
  }

  /** As the changelog has it last. */
  rowOf(userId: string): Promise<Buffer | null> {
    return this.#store.get(USER_TABLE, Buffer.from(userId));
  }

  /** undefined where nothing is known of the user. */
  async stateOf(userId: string): Promise<UserState | undefined> {
    const row = await this.#store.get(USER_TABLE, Buffer.from(userId));
    return row === null ? undefined : decodeUserState(row, userId);
  }

  readonly #commit = async ({ rows, records, derived, position }: Output): Promise<void> => {
    await this.#store.write([...rows.map(({ key, value }) => ({ table: USER_TABLE, key, value })), ...derived]);
    for (const record of records) (record.topic === TOPICS.deadLetters ? this.deadLetters : this.#made).push(record);
    this.#position = position;
  };
}
