import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { FatalError } from '../../src/engine/errors.ts';
import { silentObserver, type EngineObserver } from '../../src/engine/observer.ts';
import { Worker, type WorkerOptions } from '../../src/engine/worker.ts';
import { FencedError, UnknownResultError } from '../../src/log/errors.ts';
import { createMemoryBroker, type MemoryBroker } from '../../src/log/memory/broker.ts';
import type { FaultStep } from '../../src/log/memory/faults.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { LogRecord } from '../../src/log/port.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/port.ts';
import { countingStage } from './counting-stage.ts';
import { fastClock } from './fast-clock.ts';

const PARTITIONS = 3;
const KEYS = ['ann', 'bob', 'cat', 'dan', 'eve'];

interface Running {
  readonly worker: Promise<void>;
  readonly stop: () => Promise<void>;
}

class Rig {
  readonly broker: MemoryBroker = createMemoryBroker();
  readonly log = this.broker.connect();
  readonly stage = countingStage(`count-${randomUUID().slice(0, 8)}`);
  readonly #running: Running[] = [];

  async create(): Promise<this> {
    await this.log.admin.createTopics(
      ['in', 'out', 'state'].map((name) => ({
        topic: `${this.stage.name}-${name}`,
        partitions: PARTITIONS,
        replicationFactor: 1,
        config: {},
      })),
    );
    return this;
  }

  async produce(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const key = Buffer.from(KEYS[i % KEYS.length] as string);
      await this.log.append([
        { topic: this.stage.inputTopic, partition: partitionFor(key, PARTITIONS), key, value: Buffer.from(String(i)) },
      ]);
    }
  }

  start(options: Partial<WorkerOptions> = {}, store = this.store()): Running {
    const abort = new AbortController();
    const worker = new Worker({
      ...{ stage: this.stage, log: this.broker.connect(), store, prefix: 'test', clock: fastClock(), observer: silentObserver },
      ...options,
    }).run(abort.signal);
    worker.catch(() => undefined);
    const running = {
      worker,
      stop: async () => {
        abort.abort();
        await worker;
      },
    };
    this.#running.push(running);
    return running;
  }

  store(): Store {
    return createMemoryStore({ tables: [META_TABLE, ...this.stage.tables] });
  }

  async output(): Promise<string[]> {
    const values: string[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const record of await this.read(`${this.stage.name}-out`, partition)) values.push(record.value?.toString() ?? '');
    }
    return values.sort();
  }

  async read(topic: string, partition: number): Promise<LogRecord[]> {
    const end = (await this.log.admin.offsets(topic)).get(partition)?.end ?? 0;
    const reader = this.log.reader({ topic, partition, offset: 0 });
    const records: LogRecord[] = [];
    while (reader.position < end) {
      const batch = await reader.fetch({ maxWaitMs: 50 });
      records.push(...batch.records);
      if (batch.records.length === 0 && batch.lastStableOffset < end) break;
    }
    await reader.close();
    return records;
  }

  async outputOf(count: number): Promise<string[]> {
    await expect.poll(() => this.output(), { timeout: 30_000, interval: 30 }).toHaveLength(count);
    return this.output();
  }

  async close(): Promise<void> {
    for (const running of this.#running) await running.stop().catch(() => undefined);
    await this.log.close();
  }
}

/** `key=1 .. key=n` for each key: exactly once, in order. */
function exactly(count: number): string[] {
  const perKey = KEYS.map((key, i) => Array.from({ length: Math.ceil((count - i) / KEYS.length) }, (_, n) => `${key}=${n + 1}`));
  return perKey.flat().sort();
}

describe('a worker', () => {
  let rig: Rig;
  afterEach(() => rig.close());

  test('counts every record exactly once over graceful restarts with a store and without', async () => {
    rig = await new Rig().create();
    await rig.produce(40);
    const store = rig.store();
    const first = rig.start({}, store);
    await rig.outputOf(40);
    await first.stop();
    await rig.produce(10);
    // The second round of records begins at key 0 again, as 40 is a multiple of the keys.
    const second = rig.start({}, rig.store());
    expect(await rig.outputOf(50)).toEqual(exactly(50));
    await second.stop();
    await rig.produce(5);
    rig.start({}, rig.store());
    expect(await rig.outputOf(55)).toEqual(exactly(55));
  });

  test.each<[FaultStep, 'before' | 'after']>([
    ['send', 'before'],
    ['send', 'after'],
    ['sendOffsets', 'before'],
    ['sendOffsets', 'after'],
    ['commit', 'before'],
    ['commit', 'after'],
  ])('counts every record exactly once when the answer of %s is lost %s it took effect', async (step, when) => {
    rig = await new Rig().create();
    await rig.produce(30);
    for (const skip of [0, 1, 3]) rig.broker.fail({ step, when, error: new UnknownResultError('cut'), skip });
    rig.start();
    await rig.produce(30);
    expect(await rig.outputOf(60)).toEqual(exactly(60));
  });

  test('goes on after a fencing while it is still the owner', async () => {
    rig = await new Rig().create();
    let fencings = 0;
    const observer: EngineObserver = { ...silentObserver, fenced: () => fencings++ };
    rig.broker.fail({ step: 'commit', when: 'before', error: new FencedError('taken over') });
    await rig.produce(20);
    rig.start({ observer });
    expect(await rig.outputOf(20)).toEqual(exactly(20));
    expect(fencings).toBe(1);
  });

  test('stops with one clear line when somebody fences it again and again outside of its group', async () => {
    rig = await new Rig().create();
    for (let i = 0; i < 9; i++) rig.broker.fail({ step: 'commit', when: 'before', error: new FencedError('taken over') });
    await rig.produce(20);
    await expect(rig.start().worker).rejects.toThrow(/fenced 3 times within a minute.*--prefix/);
  });

  test('shares partitions with a second member, gives them back, and counts exactly once meanwhile', async () => {
    rig = await new Rig().create();
    const first = rig.start();
    await rig.produce(30);
    const second = rig.start();
    await rig.produce(30);
    await rig.outputOf(60);
    await second.stop();
    await rig.produce(30);
    await rig.outputOf(90);
    const third = rig.start();
    await first.stop();
    await rig.produce(30);
    expect(await rig.outputOf(120)).toEqual(exactly(120));
    await third.stop();
  });

  test('takes over from a member that was evicted without knowing, and that one commits nothing more', async () => {
    rig = await new Rig().create();
    const zombie = rig.start();
    await rig.produce(30);
    await rig.outputOf(30);
    const heir = rig.start();
    rig.broker.evict(`test-${rig.stage.name}`, 'member-0001');
    await rig.produce(30);
    await rig.outputOf(60);
    await Promise.all([heir.stop(), zombie.stop()]);
    expect(await rig.output()).toEqual(exactly(60));
  });

  test('a restart on the same store restores only what it missed', async () => {
    rig = await new Rig().create();
    const restored: number[] = [];
    const observer: EngineObserver = { ...silentObserver, restored: (_, { rows }) => restored.push(rows) };
    const store = rig.store();
    await rig.produce(30);
    const first = rig.start({ observer }, store);
    await rig.outputOf(30);
    await first.stop();
    restored.length = 0;
    const second = rig.start({ observer }, store);
    await expect.poll(() => restored.length).toBe(PARTITIONS);
    expect(restored).toEqual([0, 0, 0]);
    await second.stop();
  });

  test('the derived index after a restore is the index of the run that wrote it', async () => {
    rig = await new Rig().create();
    await rig.produce(33);
    const [one, two] = [rig.store(), rig.store()];
    const first = rig.start({}, one);
    await rig.outputOf(33);
    await first.stop();
    const restored: number[] = [];
    const second = rig.start({ observer: { ...silentObserver, restored: (partition) => restored.push(partition) } }, two);
    await expect.poll(() => restored.length).toBe(PARTITIONS);
    await second.stop();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const table of rig.stage.tables) {
        const [a, b] = [await one.open(partition), await two.open(partition)];
        expect(await b.scan(table, { limit: 1000 })).toEqual(await a.scan(table, { limit: 1000 }));
        await Promise.all([a.close(), b.close()]);
      }
    }
  });

  test('a bounded run ends by itself at the end of the input', async () => {
    rig = await new Rig().create();
    await rig.produce(25);
    await rig.start({ bounded: true }).worker;
    expect(await rig.output()).toEqual(exactly(25));
  });

  test('refuses to start where the group offset and the position row disagree, and names both', async () => {
    rig = await new Rig().create();
    await rig.produce(30);
    const first = rig.start();
    await rig.outputOf(30);
    await first.stop();
    const partition = partitionFor(Buffer.from('ann'), PARTITIONS);
    await rig.log.admin.setGroupOffsets(`test-${rig.stage.name}`, rig.stage.inputTopic, new Map([[partition, 0]]));
    await expect(rig.start().worker).rejects.toThrow(/-in-\d: the changelog's position is \d+, group .* has 0/);
    expect(await rig.output()).toEqual(exactly(30));
  });

  test('refuses to start where input was deleted before it was read', async () => {
    rig = await new Rig().create();
    await rig.produce(30);
    const first = rig.start();
    await rig.outputOf(30);
    await first.stop();
    await rig.produce(30);
    const ends = await rig.log.admin.offsets(rig.stage.inputTopic);
    await rig.log.admin.deleteRecords(rig.stage.inputTopic, new Map([...ends].map(([partition, { end }]) => [partition, end])));
    await expect(rig.start().worker).rejects.toThrow(/is outside of the log/);
  });

  test('refuses to start without its topics, naming the one and the command', async () => {
    rig = new Rig();
    await expect(rig.start().worker).rejects.toThrow(
      new FatalError(`topic ${rig.stage.inputTopic} does not exist; run "lull topics create"`),
    );
  });

  test('refuses a changelog of another state version', async () => {
    rig = await new Rig().create();
    await rig.produce(5);
    const first = rig.start();
    await rig.outputOf(5);
    await first.stop();
    await expect(rig.start({ stage: { ...rig.stage, stateVersion: 2 } }).worker).rejects.toThrow(/state version 1, this build has 2/);
  });

  test('wipes a local store that is ahead of the changelog, and restores', async () => {
    rig = await new Rig().create();
    await rig.produce(30);
    const other = await new Rig().create();
    await other.produce(300);
    const store = other.store();
    const elsewhere = other.start({}, store);
    await other.outputOf(300);
    await elsewhere.stop();
    rig.start({}, store);
    expect(await rig.outputOf(30)).toEqual(exactly(30));
    await other.close();
  });
});
