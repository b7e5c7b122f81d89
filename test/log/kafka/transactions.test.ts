import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { FencedError, RecordTooLargeError, UnknownResultError } from '../../../src/log/errors.ts';
import { textsOf, until } from '../../conformance/log-helpers.ts';
import { ApiKey, type Disturbance } from '../../setup/tcp-proxy.ts';
import { record, withRig } from './harness.ts';

/** [step, what gets lost, whether the transaction's records are there in the end, if nothing is done about it but fencing] */
const LOSSES: readonly (readonly [keyof typeof ApiKey, Disturbance, boolean])[] = [
  ['addPartitions', 'lose-request', false],
  ['addPartitions', 'lose-answer', false],
  ['produce', 'lose-request', false],
  ['produce', 'lose-answer', false],
  ['addOffsets', 'lose-answer', false],
  ['txnOffsetCommit', 'lose-answer', false],
  ['endTxn', 'lose-request', false],
  ['endTxn', 'lose-answer', true],
];

test.each(LOSSES)('%s, %s: the result is unknown, the writer refuses further use, and a new one starts clean', async (step, how, kept) => {
  await withRig(async ({ proxy, disturbed, topic, committed }) => {
    const [t, transactionalId] = [await topic(), `tx-${randomUUID()}`];
    const log = disturbed();
    const writer = log.transactionalWriter({ transactionalId });
    await writer.fence();
    const warmUp = await writer.begin();
    await warmUp.send([record(t, 'before')]);
    await warmUp.commit();

    const happened = proxy.disturb(ApiKey[step], how);
    const transaction = await writer.begin();
    const work = async () => {
      await transaction.send([record(t, 'maybe')]);
      await transaction.sendOffsets(`g-${transactionalId}`, [{ topic: t, partition: 0, offset: 1 }]);
      await transaction.commit();
    };
    await expect(work()).rejects.toThrow(UnknownResultError);
    await happened;
    await expect(transaction.abort()).rejects.toThrow(/close it/);
    await expect(writer.begin()).rejects.toThrow(/close it/);
    await writer.close();

    const successor = log.transactionalWriter({ transactionalId });
    await successor.fence();
    const next = await successor.begin();
    await next.send([record(t, 'after')]);
    await next.commit();
    expect(textsOf(await committed(t))).toEqual(kept ? ['before', 'maybe', 'after'] : ['before', 'after']);
  });
});

test('an EndTxn that arrives after the successor has fenced changes nothing', async () => {
  await withRig(async ({ log, proxy, disturbed, topic, committed }) => {
    const [t, transactionalId] = [await topic(), `tx-${randomUUID()}`];
    const writer = disturbed().transactionalWriter({ transactionalId });
    await writer.fence();
    const transaction = await writer.begin();
    await transaction.send([record(t, 'late')]);
    const held = proxy.disturb(ApiKey.endTxn, 'hold');
    const committing = transaction.commit().catch((error: unknown) => error);
    await held;
    await writer.close();
    expect(await committing).toBeInstanceOf(UnknownResultError);

    const successor = log.transactionalWriter({ transactionalId });
    await successor.fence();
    const next = await successor.begin();
    await next.send([record(t, 'of the successor')]);
    proxy.release();
    await log.append([record(t, 'something that takes its time')]);
    await next.commit();
    expect(textsOf(await committed(t))).toEqual(['of the successor', 'something that takes its time']);
    await successor.close();
  });
});

test('"concurrent transactions" after a commit is tried again in place, also when offsets come first', async () => {
  await withRig(async ({ log, proxy, disturbed, topic }) => {
    const [t, group] = [await topic(4), `g-${randomUUID()}`];
    const writer = disturbed().transactionalWriter({ transactionalId: `tx-${randomUUID()}` });
    await writer.fence();
    const rounds = 60;
    for (let i = 0; i < rounds; i++) {
      const transaction = await writer.begin();
      if (i % 2 === 0) await transaction.send([0, 1, 2, 3].map((partition) => record(t, String(i), partition)));
      await transaction.sendOffsets(group, [{ topic: t, partition: 0, offset: i }]);
      await transaction.commit();
    }
    // More requests than transactions: the broker did refuse some of them.
    expect(proxy.seen(ApiKey.addOffsets) + proxy.seen(ApiKey.addPartitions)).toBeGreaterThan(rounds + rounds / 2);
    await until(async () => (await log.admin.groupOffsets(group, t)).get(0) === rounds - 1);
  });
});

test('a transaction that outlives its timeout is fenced without a rival, and a new writer goes on', async () => {
  await withRig(async ({ log, topic, committed }) => {
    const [t, transactionalId] = [await topic(), `tx-${randomUUID()}`];
    const writer = log.transactionalWriter({ transactionalId, transactionTimeoutMs: 1_000 });
    await writer.fence();
    const transaction = await writer.begin();
    await transaction.send([record(t, 'too slow')]);
    await until(async () => (await log.admin.offsets(t)).get(0)!.end === 2); // the broker has written the abort marker
    await expect(transaction.commit()).rejects.toThrow(FencedError);
    await writer.close();
    const successor = log.transactionalWriter({ transactionalId });
    await successor.fence();
    const next = await successor.begin();
    await next.send([record(t, 'in time')]);
    await next.commit();
    await successor.close();
    expect(textsOf(await committed(t))).toEqual(['in time']);
  });
});

test('fencing gets through a connection that breaks, and a predecessor that left a transaction open', async () => {
  await withRig(async ({ log, proxy, disturbed, topic, committed }) => {
    const [t, transactionalId] = [await topic(), `tx-${randomUUID()}`];
    const predecessor = log.transactionalWriter({ transactionalId, transactionTimeoutMs: 60_000 });
    await predecessor.fence();
    await (await predecessor.begin()).send([record(t, 'left open')]);
    await predecessor.close();
    const lost = proxy.disturb(ApiKey.initProducerId, 'lose-answer');
    const writer = disturbed().transactionalWriter({ transactionalId });
    await writer.fence();
    await lost;
    const transaction = await writer.begin();
    await transaction.send([record(t, 'mine')]);
    await transaction.commit();
    expect(textsOf(await committed(t))).toEqual(['mine']);
  });
});

test('a refused batch leaves no gap and hides nothing in the next transaction, whatever else was in the same request', async () => {
  await withRig(async ({ log, topic, committed }) => {
    const [small, other] = [await topic(1, { 'max.message.bytes': '2000' }), await topic()];
    const writer = log.transactionalWriter({ transactionalId: `tx-${randomUUID()}` });
    await writer.fence();
    for (let i = 0; i < 3; i++) {
      const refused = await writer.begin();
      await expect(refused.send([record(other, `lost ${i}`), record(small, 'x'.repeat(9_000))])).rejects.toThrow(RecordTooLargeError);
      await refused.abort();
      const kept = await writer.begin();
      // The same sizes as before: a broker that is sent a repeated sequence number takes this for a repetition.
      await kept.send([record(other, `kept ${i}`), record(small, String(i))]);
      await kept.commit();
    }
    await writer.close();
    expect(textsOf(await committed(other))).toEqual(['kept 0', 'kept 1', 'kept 2']);
    expect(textsOf(await committed(small))).toEqual(['0', '1', '2']);
  });
});
