import { createServer, type AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { FatalLogError, LogUnavailableError, UnknownResultError } from '../../../src/log/errors.ts';
import { createKafkaLog } from '../../../src/log/kafka/log.ts';
import type { Generation, GroupMembership } from '../../../src/log/port.ts';
import { drain, textsOf, until } from '../../conformance/log-helpers.ts';
import { ApiKey } from '../../setup/tcp-proxy.ts';
import { record, withRig } from './harness.ts';

test('a cluster that is not there is one clear error naming the addresses, from every part of the log', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const log = createKafkaLog({ brokers: [`127.0.0.1:${port}`], connectDeadlineMs: 300 });
  const t = 'any';
  const attempts = [
    log.admin.describeTopics([t]),
    log.append([record(t, 'x')]),
    log.reader({ topic: t, partition: 0, offset: 0 }).fetch(),
    log.transactionalWriter({ transactionalId: 'x' }).fence(),
    log.membership({ groupId: 'g', topic: t }).join({ onGeneration: () => {}, onFatal: () => {} }),
  ];
  for (const outcome of await Promise.allSettled(attempts)) {
    const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
    expect(error).toBeInstanceOf(LogUnavailableError);
    expect((error as Error).message).toContain(`127.0.0.1:${port}`);
    expect((error as Error).message).not.toContain('\n');
  }
  await log.close();
});

test('a server that accepts and says nothing is unavailable too', async () => {
  await withRig(async ({ proxy, disturbed }) => {
    proxy.silence(true);
    await expect(disturbed({ connectDeadlineMs: 500 }).admin.partitions('any')).rejects.toThrow(LogUnavailableError);
  });
});

test('a topic that is deleted between the questions for its layout and its configuration is not there', async () => {
  await withRig(async ({ log, proxy, disturbed, topic }) => {
    const [gone, there] = [await topic(2), await topic(3)];
    const held = proxy.disturb(ApiKey.describeConfigs, 'hold');
    const described = disturbed().admin.describeTopics([gone, there]);
    await held;
    await log.admin.deleteTopics([gone]);
    await until(async () => (await log.admin.partitions(gone)) === undefined);
    proxy.release();
    expect([...(await described).keys()]).toEqual([there]);
  });
});

test('brokers that the cluster has named are asked when those that were given are gone', async () => {
  await withRig(async ({ proxy, topic }) => {
    const [known, later] = [await topic(2), await topic(3)];
    // Only the bootstrap address is the proxy's: the cluster advertises its own.
    const log = createKafkaLog({ brokers: [`${proxy.host}:${proxy.port}`], connectDeadlineMs: 5_000 });
    expect(await log.admin.partitions(known)).toBe(2);
    await proxy.close();
    expect(await log.admin.partitions(later)).toBe(3);
    await log.close();
  });
});

test('many calls at once on a log that has not connected yet share one connection', async () => {
  await withRig(async ({ proxy, disturbed, topic }) => {
    const topics = await Promise.all([topic(2), topic(3), topic(4)]);
    const log = disturbed();
    const calls: Promise<number | undefined>[] = [];
    // One a turn of the event loop: some of them find a socket that is connected, and nothing said over it yet.
    for (let i = 0; i < 60; i++) {
      calls.push(log.admin.partitions(topics[i % 3]!));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 60 }, (_, i) => 2 + (i % 3)));
    expect(proxy.connections).toBe(1);
  });
});

test.each(['localhost', ':9092', 'localhost:0', 'localhost:http', 'localhost:99999'])('%s is not an address', (address) => {
  expect(() => createKafkaLog({ brokers: [address] })).toThrow(FatalLogError);
});

test('a reader outlives broken connections, and misses and repeats nothing', async () => {
  await withRig(async ({ log, proxy, disturbed, topic }) => {
    const t = await topic();
    const reader = disturbed().reader({ topic: t, partition: 0, offset: 0, maxBytes: 100 });
    const seen: (string | null)[] = [];
    for (let i = 0; i < 20; i++) {
      await log.append([record(t, String(i))]);
      if (i % 3 === 0) proxy.cut();
      seen.push(...textsOf(await drain(reader, i + 1)));
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    await reader.close();
  });
});

test('a waiting reader notices that its connection broke, and goes on', async () => {
  await withRig(async ({ log, proxy, disturbed, topic }) => {
    const t = await topic();
    const reader = disturbed().reader({ topic: t, partition: 0, offset: 0 });
    await reader.fetch({ maxWaitMs: 1 });
    const waiting = reader.fetch({ maxWaitMs: 60_000 });
    await until(() => proxy.seen(ApiKey.fetch) >= 2);
    proxy.cut();
    await log.append([record(t, 'after the cut')]);
    expect(textsOf((await waiting).records)).toEqual(['after the cut']);
    await reader.close();
  });
});

test('an append whose answer got lost is sent again, and is there once', async () => {
  await withRig(async ({ proxy, disturbed, topic, committed }) => {
    const t = await topic();
    const log = disturbed();
    await log.append([record(t, 'first')]);
    const lost = proxy.disturb(ApiKey.produce, 'lose-answer');
    const [to] = await log.append([record(t, 'second')]);
    await lost;
    expect(to).toMatchObject({ baseOffset: 1, nextOffset: 2 });
    await log.append([record(t, 'third')]);
    expect(textsOf(await committed(t))).toEqual(['first', 'second', 'third']);
  });
});

test('close frees every socket at once, also of requests that never get an answer', async () => {
  await withRig(async ({ proxy, disturbed, topic }) => {
    const t = await topic(2);
    const log = disturbed();
    const writer = log.transactionalWriter({ transactionalId: `tx-${randomUUID()}` });
    await writer.fence();
    const transaction = await writer.begin();
    const reader = log.reader({ topic: t, partition: 1, offset: 0 });
    await reader.fetch({ maxWaitMs: 1 });
    await log.append([record(t, 'x')]);
    proxy.silence(true);
    const stuck = [transaction.send([record(t, 'never')]), reader.fetch({ maxWaitMs: 60_000 }), log.append([record(t, 'never')])].map(
      (one) => one.catch((error: unknown) => error),
    );
    await until(() => proxy.seen(ApiKey.addPartitions) === 1 && proxy.seen(ApiKey.fetch) === 2 && proxy.seen(ApiKey.produce) === 2);
    await log.close();
    const [sent, fetched, appended] = await Promise.all(stuck);
    expect(sent).toBeInstanceOf(UnknownResultError);
    expect(fetched).toMatchObject({ name: 'AbortError' });
    expect(appended).toBeInstanceOf(Error);
    await until(() => proxy.connections === 0);
  });
});

test('a member that falls silent stops believing in its generation, the other takes over, and it comes back with a new one', async () => {
  await withRig(async ({ log, proxy, disturbed, topic }) => {
    const [t, groupId] = [await topic(4), `g-${randomUUID()}`];
    const sessionTimeoutMs = 6_000; // the broker's minimum
    const [healthy, silent] = [log, disturbed({ requestTimeoutMs: 2_000 })].map((of) =>
      of.membership({ groupId, topic: t, sessionTimeoutMs }),
    );
    const seen: { readonly healthy: Generation[]; readonly silent: Generation[] } = { healthy: [], silent: [] };
    const fatal: Error[] = [];
    const onFatal = (error: Error) => fatal.push(error);
    await healthy!.join({ onGeneration: (generation) => seen.healthy.push(generation), onFatal });
    await silent!.join({ onGeneration: (generation) => seen.silent.push(generation), onFatal });
    await until(() => healthy!.current()?.partitions.length === 2 && silent!.current()?.partitions.length === 2);

    proxy.silence(true);
    await until(() => silent!.current() === undefined);
    await until(() => healthy!.current()?.partitions.length === 4);
    const alone = healthy!.current()!;
    expect(silent!.current()).toBeUndefined();

    proxy.silence(false);
    await until(() => silent!.current()?.partitions.length === 2 && healthy!.current()?.partitions.length === 2);
    expect(silent!.current()!.generationId).toBeGreaterThan(alone.generationId);
    expect(silent!.current()!.memberId).not.toBe(seen.silent[0]!.memberId);
    expect(fatal).toEqual([]);
    // Undisturbed for longer than the session timeout: nothing is fetched, and heartbeats alone keep the generation.
    const settled = healthy!.current();
    const heartbeats = proxy.seen(ApiKey.heartbeat);
    await until(() => proxy.seen(ApiKey.heartbeat) >= heartbeats + 4);
    expect(healthy!.current()).toEqual(settled);
    expect(proxy.seen(ApiKey.fetch)).toBe(0);
    await Promise.all([healthy!.leave(), silent!.leave()]);
  });
});

test('a fetch with a deadline ends with the cause where no broker answers, and the reader can go on when one does', async () => {
  await withRig(async ({ proxy, disturbed, topic, log: direct }) => {
    const t = await topic();
    const reader = disturbed({ requestTimeoutMs: 300 }).reader({ topic: t, partition: 0, offset: 0 });
    await reader.fetch({ maxWaitMs: 10 });
    proxy.silence(true);
    const fetched = reader.fetch({ maxWaitMs: 10, deadlineMs: 1_000 });
    await expect(fetched).rejects.toBeInstanceOf(LogUnavailableError);
    await expect(fetched).rejects.toThrow(new RegExp(`^${t}-0: nothing could be fetched for 1 s: .*(timed out|no answer)`, 'i'));
    proxy.silence(false);
    await direct.append([record(t, 'x')]);
    expect(textsOf(await drain(reader, 1))).toEqual(['x']);
  });
});

test('a transaction without an answer is given up when its own time is over, however long requests may take', async () => {
  await withRig(async ({ proxy, disturbed, topic }) => {
    const t = await topic();
    const writer = disturbed({ requestTimeoutMs: 3_600_000 }).transactionalWriter({
      transactionalId: `tx-${randomUUID()}`,
      transactionTimeoutMs: 2_000,
    });
    await writer.fence();
    const transaction = await writer.begin();
    proxy.silence(true);
    await expect(transaction.send([record(t, 'x')])).rejects.toBeInstanceOf(UnknownResultError);
    await writer.close();
  });
});

test('a member that cannot join because the cluster is out waits for it, if the cluster has answered before', async () => {
  await withRig(async ({ proxy, disturbed, topic }) => {
    const t = await topic(1);
    const log = disturbed({ connectDeadlineMs: 300 });
    expect(await log.admin.partitions(t)).toBe(1);
    proxy.silence(true);
    proxy.cut();
    const membership = log.membership({ groupId: `g-${randomUUID()}`, topic: t });
    const joined = Promise.withResolvers<Generation>();
    const joining = membership.join({ onGeneration: joined.resolve, onFatal: joined.reject });
    // Several times what a wrong address is tried for.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    proxy.silence(false);
    proxy.cut();
    await joining;
    expect((await joined.promise).partitions).toEqual([0]);
    await membership.leave();
  });
});

test('a member takes the place of its dead predecessor at once, and an id that nobody knows any more is no obstacle', async () => {
  await withRig(async ({ log, proxy, disturbed, topic }) => {
    const [t, groupId] = [await topic(4), `g-${randomUUID()}`];
    // The dead one's session lasts for longer than the test may.
    const options = { groupId, topic: t, sessionTimeoutMs: 300_000, heartbeatIntervalMs: 200 };
    const join = async (membership: GroupMembership): Promise<Generation> => {
      const joined = Promise.withResolvers<Generation>();
      await membership.join({ onGeneration: joined.resolve, onFatal: joined.reject });
      return joined.promise;
    };
    const [dying, other] = [disturbed().membership(options), log.membership(options)];
    await join(dying);
    await join(other);
    await until(() => dying.current()?.generationId === other.current()?.generationId);
    const { memberId } = dying.current()!;
    proxy.silence(true);
    const heir = log.membership({ ...options, memberId });
    expect((await join(heir)).memberId).toBe(memberId);
    await until(() => heir.current()?.partitions.length === 2 && other.current()?.partitions.length === 2);
    await heir.leave();
    const late = log.membership({ ...options, memberId });
    expect((await join(late)).memberId).not.toBe(memberId);
    await Promise.all([late.leave(), other.leave()]);
  });
});

test('nothing is printed and no warning raised by the client below', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  try {
    await withRig(async ({ proxy, disturbed, topic }) => {
      const t = await topic();
      const log = disturbed();
      await log.append([record(t, 'x')]);
      proxy.cut();
      await log.append([record(t, 'y')]);
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', onWarning);
  }
});

test('a leader that did not answer is looked up anew, for every topic that was sent to it, also by the writer that comes next', async () => {
  await withRig(async ({ proxy, disturbed, topic }) => {
    const topics = [await topic(), await topic()];
    const log = disturbed();
    const send = async () => {
      const writer = log.transactionalWriter({ transactionalId: `tx-${topics.join()}` });
      await writer.fence();
      const transaction = await writer.begin();
      const sent = await transaction.send(topics.map((name) => record(name, 'x'))).catch((error: unknown) => error);
      await writer.close();
      return sent;
    };
    await send();
    const known = proxy.seen(ApiKey.metadata);
    await send();
    expect(proxy.seen(ApiKey.metadata)).toBe(known);
    void proxy.disturb(ApiKey.produce, 'lose-request');
    expect(await send()).toBeInstanceOf(UnknownResultError);
    expect(await send()).toHaveLength(2);
    expect(proxy.seen(ApiKey.metadata)).toBe(known + 2);
  });
});
