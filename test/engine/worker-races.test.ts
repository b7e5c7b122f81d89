import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { silentObserver, type EngineObserver } from '../../src/engine/observer.ts';
import type { Stage } from '../../src/engine/stage.ts';
import { Worker, type WorkerOptions } from '../../src/engine/worker.ts';
import { FatalLogError, LogUnavailableError } from '../../src/log/errors.ts';
import { createMemoryBroker } from '../../src/log/memory/broker.ts';
import type { Log, TransactionalWriter } from '../../src/log/port.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { countingStage } from './counting-stage.ts';
import { fastClock } from './fast-clock.ts';
import { ScriptedLog } from './scripted-log.ts';

const PARTITIONS = 4;

async function rig(join?: () => Promise<unknown>, changes?: (log: Log) => Partial<Log>) {
  const broker = createMemoryBroker();
  const log = broker.connect();
  const stage = countingStage(`race-${randomUUID().slice(0, 8)}`);
  await log.admin.createTopics(
    ['in', 'out', 'state'].map((name) => ({
      topic: `${stage.name}-${name}`,
      partitions: PARTITIONS,
      replicationFactor: 1,
      config: {},
    })),
  );
  const scripted = new ScriptedLog(broker, join, changes?.(log));
  const notes: string[] = [];
  const running = new Set<number>();
  /** The partition of every task that was made. */
  const began: number[] = [];
  const observer: EngineObserver = {
    ...silentObserver,
    note: (_level, message) => notes.push(message),
    taskState(partition, state) {
      if (state === 'created') began.push(partition);
      if (state === 'running') running.add(partition);
      if (state === 'closed') running.delete(partition);
    },
  };
  const abort = new AbortController();
  const start = (options: Partial<WorkerOptions> & { readonly stage?: Stage } = {}): Promise<void> => {
    const store = createMemoryStore({ tables: [META_TABLE, ...stage.tables] });
    const worker = new Worker({ stage, log: scripted.log, store, prefix: 'test', clock: fastClock(), observer, ...options });
    const ended = worker.run(abort.signal);
    ended.catch(() => undefined);
    onTestFinished(async () => {
      abort.abort();
      await ended.catch(() => undefined);
      await log.close();
    });
    return ended;
  };
  return { broker, log, stage, scripted, notes, running, began, abort, start };
}

test('a stop ends a worker that is still asking for its topics, and that one joins nothing afterwards', async () => {
  const asked = Promise.withResolvers<number>();
  let joins = 0;
  const join = (): Promise<void> => {
    joins++;
    return Promise.resolve();
  };
  const { start, abort } = await rig(join, (log) => ({ admin: { ...log.admin, partitions: () => asked.promise } }));
  const ended = start();
  abort.abort();
  await ended;
  asked.resolve(PARTITIONS);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(joins).toBe(0);
});

test('a stop ends a worker whose group does not answer, and it leaves', async () => {
  const joining = Promise.withResolvers<undefined>();
  const joined = Promise.withResolvers<undefined>();
  const { start, abort, scripted } = await rig(() => {
    joined.resolve(undefined);
    return joining.promise;
  });
  const ended = start();
  await joined.promise;
  abort.abort();
  await ended;
  await scripted.left.promise;
  joining.reject(new LogUnavailableError('gave up'));
});

test('of two ends at once the worker says one, and the other does not end the process', async () => {
  const { start, scripted } = await rig(() => Promise.reject(new LogUnavailableError('cannot join')));
  const ended = start();
  await scripted.left.promise;
  // vitest fails on a rejection that nobody handles.
  scripted.fatal(new FatalLogError('a second one'));
  await expect(ended).rejects.toThrow('cannot join');
});

test('no generation is lost, however shortly it follows another', async () => {
  for (let turns = 0; turns < 25; turns++) {
    const { start, scripted, running, abort } = await rig();
    const ended = start();
    await new Promise((resolve) => setTimeout(resolve, 1));
    scripted.generation(1, [0]);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    scripted.generation(2, [1, 2]);
    await expect.poll(() => [...running].sort(), { interval: 2 }).toEqual([1, 2]);
    abort.abort();
    await ended;
  }
});

test('a partition that is taken away before its task could start starts none', async () => {
  const { start, scripted, running, began } = await rig();
  void start();
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(1, [0, 1]);
  await expect.poll(() => running.size, { interval: 2 }).toBe(2);
  scripted.generation(2, [2]);
  scripted.generation(3, [3]);
  await expect.poll(() => [...running], { interval: 2 }).toEqual([3]);
  expect(began).toEqual([0, 1, 3]);
});

test('a stop right after a generation leaves no task of it behind', async () => {
  const { start, scripted, running, abort, stage } = await rig();
  const ended = start();
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(1, [0, 1]);
  await expect.poll(() => running.size, { interval: 2 }).toBe(2);
  scripted.generation(2, [0, 1, 2]);
  abort.abort();
  await ended;
  expect(running.size).toBe(0);
  expect(stage.live.size).toBe(0);
});

test('a task goes on through a generation that follows on the last one and leaves its partition here', async () => {
  const { start, scripted, running, began } = await rig();
  void start();
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(4, [0, 1, 2]);
  await expect.poll(() => running.size, { interval: 2 }).toBe(3);
  scripted.generation(5, [1, 2, 3]);
  await expect.poll(() => [...running].sort(), { interval: 2 }).toEqual([1, 2, 3]);
  expect(began).toEqual([0, 1, 2, 3]);
});

test.each<[string, (scripted: ScriptedLog) => void]>([
  ['a generation was missed', (scripted) => scripted.generation(6, [0, 1])],
  ['it is another member now', (scripted) => scripted.generation(5, [0, 1], Buffer.alloc(0), 'm2')],
])('all tasks start again at fencing where %s: somebody else may have owned their partitions', async (_, next) => {
  const { start, scripted, running, began } = await rig();
  void start();
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(4, [0, 1]);
  await expect.poll(() => running.size, { interval: 2 }).toBe(2);
  next(scripted);
  await expect.poll(() => began.length, { interval: 2 }).toBe(4);
  await expect.poll(() => running.size, { interval: 2 }).toBe(2);
  expect(began).toEqual([0, 1, 0, 1]);
});

test('a task that cannot even be made ends the worker with its error', async () => {
  const { start, scripted } = await rig(undefined, () => ({
    transactionalWriter: (): TransactionalWriter => {
      throw new Error('no sockets left');
    },
  }));
  const ended = start();
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(1, [0]);
  await expect(ended).rejects.toThrow('no sockets left');
});

test('a commit that the log never answers holds a stop for the drain time only, and this is said', async () => {
  const sending = Promise.withResolvers<undefined>();
  const { start, scripted, stage, log, notes, abort } = await rig(undefined, (memory) => ({
    transactionalWriter(options) {
      const writer = memory.transactionalWriter(options);
      const closed = Promise.withResolvers<never>();
      closed.promise.catch(() => undefined);
      return {
        fence: (signal) => writer.fence(signal),
        begin: async () => ({
          ...(await writer.begin()),
          commit: () => {
            sending.resolve(undefined);
            return closed.promise;
          },
        }),
        close: () => {
          closed.reject(new Error('closed'));
          return writer.close();
        },
      };
    },
  }));
  await log.append([{ topic: stage.inputTopic, partition: 0, key: Buffer.from('ann'), value: Buffer.from('1') }]);
  const ended = start({ drainMs: 1_000 });
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(1, [0]);
  await sending.promise;
  abort.abort();
  await ended;
  expect(notes.at(-1)).toMatch(/partition 0: not done within 1000 ms/);
});

test('a task that ends fatally while the worker stops is still told of', async () => {
  const { start, scripted, stage, log, notes, abort } = await rig();
  const began = Promise.withResolvers<undefined>();
  const broken: Stage = {
    ...stage,
    createTask: (context) => ({
      ...{ nextWakeMs: null, restored: () => [], start: () => Promise.resolve(), wake: () => Promise.resolve() },
      process: () =>
        new Promise((_, reject) => {
          context.stopping?.addEventListener('abort', () => reject(new FatalLogError('not allowed to write')));
          began.resolve(undefined);
        }),
      stop: () => Promise.resolve(),
      close: () => undefined,
    }),
  };
  await log.append([{ topic: stage.inputTopic, partition: 0, key: Buffer.from('ann'), value: Buffer.from('1') }]);
  const ended = start({ stage: broken });
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(1, [0]);
  await began.promise;
  abort.abort();
  await ended;
  expect(notes.at(-1)).toMatch(/partition 0: not allowed to write$/);
});

test('a task that failed comes back only while this process is a member in good standing', async () => {
  const { broker, start, scripted, stage, log, running, notes } = await rig();
  void start();
  await new Promise((resolve) => setTimeout(resolve, 1));
  scripted.generation(1, [0]);
  await expect.poll(() => running.size, { interval: 2 }).toBe(1);
  scripted.heartbeats(false);
  broker.fail({ step: 'commit', when: 'before', error: new LogUnavailableError('away') });
  await log.append([{ topic: stage.inputTopic, partition: 0, key: Buffer.from('ann'), value: Buffer.from('1') }]);
  await expect.poll(() => notes.some((note) => note.includes('away')), { interval: 2 }).toBe(true);
  // Several back-offs of the fast clock.
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(running.size).toBe(0);
  scripted.heartbeats(true);
  await expect.poll(() => running.size, { interval: 2 }).toBe(1);
});
