import { expect, test } from 'vitest';
import { FencedError, UnknownResultError } from '../../../src/log/errors.ts';
import { createMemoryBroker } from '../../../src/log/memory/broker.ts';
import type { OutRecord } from '../../../src/log/port.ts';

const TOPIC = { topic: 't', partitions: 2, replicationFactor: 1, config: {} };

function record(value: string): OutRecord {
  return { topic: 't', partition: 0, key: null, value: Buffer.from(value) };
}

test('a commit whose answer got lost has taken effect, and the writer refuses further use', async () => {
  const broker = createMemoryBroker();
  const log = broker.connect();
  await log.admin.createTopics([TOPIC]);
  const writer = log.transactionalWriter({ transactionalId: 'x' });
  await writer.fence();
  const transaction = await writer.begin();
  await transaction.send([record('a')]);
  broker.fail({ step: 'commit', when: 'after', error: new UnknownResultError('lost'), of: 'x' });
  await expect(transaction.commit()).rejects.toThrow(UnknownResultError);
  await expect(writer.begin()).rejects.toThrow(/close it/);
  expect((await log.reader({ topic: 't', partition: 0, offset: 0 }).fetch()).records).toHaveLength(1);
});

test('a commit that never arrived has not taken effect: the next fence aborts it', async () => {
  const broker = createMemoryBroker();
  const log = broker.connect();
  await log.admin.createTopics([TOPIC]);
  const writer = log.transactionalWriter({ transactionalId: 'x' });
  await writer.fence();
  const transaction = await writer.begin();
  await transaction.send([record('a')]);
  broker.fail({ step: 'commit', when: 'before', error: new UnknownResultError('lost') });
  await expect(transaction.commit()).rejects.toThrow(UnknownResultError);
  await writer.close();
  await log.transactionalWriter({ transactionalId: 'x' }).fence();
  expect(await log.reader({ topic: 't', partition: 0, offset: 0 }).fetch()).toMatchObject({ records: [], nextOffset: 2 });
});

test('a fault is counted down, happens once, and only to whom it is meant for', async () => {
  const broker = createMemoryBroker();
  const log = broker.connect();
  await log.admin.createTopics([TOPIC]);
  broker.fail({ step: 'append', when: 'before', error: new UnknownResultError('third'), of: 't', skip: 2 });
  broker.fail({ step: 'append', when: 'before', error: new UnknownResultError('nobody'), of: 'another' });
  await log.append([record('1')]);
  await log.append([record('2')]);
  await expect(log.append([record('3')])).rejects.toThrow('third');
  await log.append([record('4')]);
  expect((await log.admin.offsets('t')).get(0)!.end).toBe(3);
});

test('a transaction that outlives its timeout is aborted and its writer fenced, by the clock of the broker', async () => {
  let now = 1_000;
  const broker = createMemoryBroker({ now: () => now });
  const log = broker.connect();
  await log.admin.createTopics([TOPIC]);
  const writer = log.transactionalWriter({ transactionalId: 'x', transactionTimeoutMs: 5_000 });
  await writer.fence();
  const transaction = await writer.begin();
  await transaction.send([record('a')]);
  now += 5_001;
  expect(await log.reader({ topic: 't', partition: 0, offset: 0 }).fetch()).toMatchObject({ records: [], nextOffset: 2 });
  await expect(transaction.commit()).rejects.toThrow(FencedError);
});

test('an evicted member has no current generation, and the others get its partitions', async () => {
  const broker = createMemoryBroker();
  const [a, b] = [broker.connect(), broker.connect()];
  await a.admin.createTopics([TOPIC]);
  const [ma, mb] = [a, b].map((log) => log.membership({ groupId: 'g', topic: 't' }));
  const ignore = { onGeneration: () => {}, onFatal: () => {} };
  await ma!.join(ignore);
  await mb!.join(ignore);
  expect(ma!.current()?.partitions).toEqual([0]);
  broker.evict('g', ma!.current()!.memberId);
  expect(ma!.current()).toBeUndefined();
  expect(mb!.current()?.partitions).toEqual([0, 1]);
});

test('a member takes the place of its predecessor in the group, and an id that nobody knows any more is no obstacle', async () => {
  const broker = createMemoryBroker();
  const log = broker.connect();
  await log.admin.createTopics([TOPIC]);
  const ignore = { onGeneration: () => {}, onFatal: () => {} };
  const dead = log.membership({ groupId: 'g', topic: 't' });
  await dead.join(ignore);
  const { memberId } = dead.current()!;
  const heir = log.membership({ groupId: 'g', topic: 't', memberId });
  await heir.join(ignore);
  expect(heir.current()).toMatchObject({ memberId, partitions: [0, 1] });
  await heir.leave();
  const late = log.membership({ groupId: 'g', topic: 't', memberId });
  await late.join(ignore);
  expect(late.current()!.memberId).not.toBe(memberId);
});
