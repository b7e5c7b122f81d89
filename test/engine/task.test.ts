import { beforeEach, describe, expect, test } from 'vitest';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { classify, FatalError, StateLostError } from '../../src/engine/errors.ts';
import { silentObserver, type EngineObserver } from '../../src/engine/observer.ts';
import type { Stage, StageTask } from '../../src/engine/stage.ts';
import { Task, type TaskOptions } from '../../src/engine/task.ts';
import { FencedError, LogUnavailableError, OffsetOutOfRangeError, RecordTooLargeError, UnknownResultError } from '../../src/log/errors.ts';
import { createMemoryBroker, type MemoryBroker } from '../../src/log/memory/broker.ts';
import type { Log } from '../../src/log/port.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { StoreCorruptError, type Store } from '../../src/store/port.ts';
import { countingStage } from './counting-stage.ts';
import { fastClock } from './fast-clock.ts';

let broker: MemoryBroker;
let log: Log;
let store: Store;
const counting = countingStage('t');

beforeEach(async () => {
  broker = createMemoryBroker();
  log = broker.connect();
  await log.admin.createTopics(['t-in', 't-out', 't-state'].map((topic) => ({ topic, partitions: 1, replicationFactor: 1, config: {} })));
  store = createMemoryStore({ tables: [META_TABLE, ...counting.tables] });
});

function task(options: Partial<TaskOptions> = {}): Task {
  return new Task({
    ...{ stage: counting, partition: 0, partitions: 1, log, store, groupId: 'g', transactionalId: 'x', transactionTimeoutMs: 10_000 },
    ...{ fetchMaxBytes: 1 << 20, generationId: () => 1, bounded: false, clock: fastClock(), observer: silentObserver },
    ...options,
  });
}

/** The counting stage with some of its task's parts replaced. */
function stageWith(parts: (real: StageTask) => Partial<StageTask>): Stage {
  return {
    ...counting,
    createTask(context) {
      const real = counting.createTask(context);
      const whole: StageTask = {
        ...{ nextWakeMs: null, restored: real.restored.bind(real), start: real.start.bind(real), process: real.process.bind(real) },
        ...{ wake: real.wake.bind(real), stop: real.stop.bind(real), close: real.close.bind(real) },
      };
      // Not spread: a getter must stay one.
      return Object.defineProperties(whole, Object.getOwnPropertyDescriptors(parts(real)));
    },
  };
}

const say = (...keys: readonly string[]): Promise<unknown> =>
  log.append(keys.map((key) => ({ topic: 't-in', partition: 0, key: Buffer.from(key), value: Buffer.of(1) })));
const committed = async (): Promise<number | undefined> => (await log.admin.groupOffsets('g', 't-in')).get(0);

describe('a task', () => {
  test('that is stopped before it runs starts nothing of its stage, though there was nothing to restore', async () => {
    let starts = 0;
    const stage = stageWith(() => ({
      start: () => {
        starts++;
        return Promise.resolve();
      },
    }));
    for (let turns = 0; turns < 20; turns++) {
      const stopped = task({ stage });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const before = starts;
      const end = stopped.stop(1_000);
      expect(await end).toEqual({ kind: 'stopped' });
      expect(starts).toBe(before);
    }
  });

  test('that has reached the end reads on after the commit, all at once: what came meanwhile does not wait for a batch of a few', async () => {
    const batches: number[] = [];
    const enough = Promise.withResolvers<undefined>();
    const stage = stageWith((real) => ({
      async process(batch, commit) {
        batches.push(batch.records.length);
        if (batches.length === 1) {
          await say('b');
          // More than a turn of the event loop: a fetch that was under way has its answer now.
          await new Promise((resolve) => setTimeout(resolve, 20));
          await say('c', 'd');
        }
        await real.process(batch, commit);
        if (batches.length === 2) enough.resolve(undefined);
      },
    }));
    await say('a');
    const running = task({ stage });
    await enough.promise;
    await running.stop(1_000);
    expect(batches).toEqual([1, 3]);
    expect(await committed()).toBe(4);
  });

  test('that is stopped during a batch commits it, and reads no other', async () => {
    const began = Promise.withResolvers<undefined>();
    const go = Promise.withResolvers<undefined>();
    const stage = stageWith((real) => ({
      async process(batch, commit) {
        began.resolve(undefined);
        await go.promise;
        await real.process(batch, commit);
      },
    }));
    await say('ann', 'bob');
    const stopped = task({ stage });
    await began.promise;
    await say('cat');
    const end = stopped.stop(1_000);
    go.resolve(undefined);
    expect(await end).toEqual({ kind: 'stopped' });
    expect(await committed()).toBe(2);
  });

  test('gives its stage the time of the stop for what is in flight, and the stage may commit then', async () => {
    let within = -1;
    const running = Promise.withResolvers<undefined>();
    const stage = stageWith(() => ({
      start: () => {
        running.resolve(undefined);
        return Promise.resolve();
      },
      async stop(commit, deadlineMs) {
        within = deadlineMs;
        await commit({ rows: [], records: [], derived: [], position: { offset: 0, nowMs: 0 } });
      },
    }));
    const stopped = task({ stage });
    await running.promise;
    expect(await stopped.stop(1_234)).toEqual({ kind: 'stopped' });
    expect(within).toBe(1_234);
    expect(await committed()).toBe(0);
  });

  test('closes its stage last, once, however it ends', async () => {
    for (const error of [new StateLostError('gone'), new FatalError('over'), new Error('odd'), new FencedError('taken')]) {
      let closes = 0;
      const stage = stageWith((real) => ({
        process: () => Promise.reject(error),
        close: () => {
          closes++;
          real.close();
        },
      }));
      await say('ann');
      expect(await task({ stage }).done).toEqual(classify(error));
      expect(closes).toBe(1);
    }
  });

  test('that lost its state leaves an empty store behind', async () => {
    await say('ann');
    const first = task();
    await expect.poll(committed, { interval: 2 }).toBe(1);
    await first.stop(1_000);
    expect(await store.partitions()).toEqual([0]);
    await say('ann');
    await task({ stage: stageWith(() => ({ process: () => Promise.reject(new StateLostError('gone')) })) }).done;
    expect(await store.partitions()).toEqual([]);
  });

  test('counts as lag what is not committed yet, also while it works on it', async () => {
    const lags: number[] = [];
    const observer: EngineObserver = { ...silentObserver, lag: (_, records) => lags.push(records) };
    await say('ann', 'bob', 'cat');
    const running = task({ observer });
    await expect.poll(committed, { interval: 2 }).toBe(3);
    await running.stop(1_000);
    expect(lags.slice(0, 2)).toEqual([3, 0]);
  });

  test('wakes its stage when that is due, however much there is to read', async () => {
    const order: string[] = [];
    let wakeMs: number | null = 0;
    const stage = stageWith((real) => ({
      get nextWakeMs() {
        return wakeMs;
      },
      wake() {
        order.push('wake');
        wakeMs = null;
        return Promise.resolve();
      },
      async process(batch, commit) {
        await real.process(batch, commit);
        order.push('batch');
        if (order.length === 2) wakeMs = 0;
      },
    }));
    await say('ann', 'bob', 'cat');
    const running = task({ stage, fetchMaxBytes: 1 });
    await expect.poll(committed, { interval: 2 }).toBe(3);
    await running.stop(1_000);
    expect(order.slice(0, 4)).toEqual(['wake', 'batch', 'wake', 'batch']);
  });

  test('commits the place behind markers once, when nothing else comes', async () => {
    const writer = log.transactionalWriter({ transactionalId: 'other' });
    await writer.fence();
    for (let i = 0; i < 3; i++) {
      const transaction = await writer.begin();
      await transaction.send([{ topic: 't-in', partition: 0, key: Buffer.from('ann'), value: Buffer.of(1) }]);
      await transaction.abort();
    }
    const end = (await log.admin.offsets('t-in')).get(0)?.end ?? -1;
    let transactions = 0;
    const running = task({ fetchMaxBytes: 1, observer: { ...silentObserver, transaction: () => transactions++ } });
    await expect.poll(committed, { interval: 5 }).toBe(end);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await running.stop(1_000);
    expect(transactions).toBe(1);
  });
});

test('a bounded task takes nothing that was appended behind the end it began with', async () => {
  await say('ann', 'bob');
  const counted: string[] = [];
  const stage = stageWith((real) => ({
    async start(position, commit) {
      // The end has been captured; the first fetch will bring both.
      await say('cat', 'dan');
      await real.start(position, commit);
    },
    async process(batch, commit) {
      counted.push(...batch.records.map(({ key }) => key!.toString()));
      await real.process(batch, commit);
    },
  }));
  expect(await task({ stage, bounded: true }).done).toEqual({ kind: 'finished' });
  expect(counted).toEqual(['ann', 'bob']);
  expect(await committed()).toBe(2);
});

test('an error says what is done about it', () => {
  const kinds = (...errors: readonly Error[]): string[] => errors.map((error) => classify(error).kind);
  expect(kinds(new FencedError(''))).toEqual(['fenced']);
  expect(kinds(new StateLostError(''))).toEqual(['state_lost']);
  expect(kinds(new UnknownResultError(''), new LogUnavailableError(''), new Error(''))).toEqual(['failed', 'failed', 'failed']);
  // A record that the topic does not take now will not be taken the next time.
  expect(kinds(new FatalError(''), new OffsetOutOfRangeError('t', 0, 1), new RecordTooLargeError(''))).toEqual(['fatal', 'fatal', 'fatal']);
  // The files are those of all partitions.
  expect(kinds(new StoreCorruptError(''))).toEqual(['fatal']);
});
