import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAbortError } from '../../src/log/abort.ts';
import { FatalLogError, FencedError, OffsetOutOfRangeError, RecordTooLargeError } from '../../src/log/errors.ts';
import type {
  Assign,
  Generation,
  GroupMembership,
  Log,
  LogReader,
  LogRecord,
  MembershipOptions,
  OutRecord,
  TransactionalWriter,
} from '../../src/log/port.ts';
import { drain, textsOf, until } from './log-helpers.ts';

export interface LogUnderTest {
  /** Another process's log on the same broker. */
  connect(): Log;
  close(): Promise<void>;
}

/** Holds one implementation of the log port to its contract. Topics, groups and ids are fresh for every test. */
export function logConformance(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`the log port: ${name}`, () => {
    let underTest: LogUnderTest;
    let log: Log;
    const topics: string[] = [];

    beforeAll(async () => {
      underTest = await open();
      log = underTest.connect();
    });
    afterAll(async () => {
      await log.admin.deleteTopics(topics);
      await log.close();
      await underTest.close();
    });

    async function topic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
      const created = `conformance-${randomUUID()}`;
      await log.admin.createTopics([{ topic: created, partitions, replicationFactor: 1, config }]);
      topics.push(created);
      return created;
    }
    function record(to: string, value: string | null, partition = 0, key: string | null = 'k'): OutRecord {
      return { topic: to, partition, key: key === null ? null : Buffer.from(key), value: value === null ? null : Buffer.from(value) };
    }
    async function withReader<T>(options: Parameters<Log['reader']>[0], use: (reader: LogReader) => Promise<T>): Promise<T> {
      const reader = log.reader(options);
      try {
        return await use(reader);
      } finally {
        await reader.close();
      }
    }
    async function withWriter<T>(use: (writer: TransactionalWriter, transactionalId: string) => Promise<T>): Promise<T> {
      const transactionalId = `conformance-${randomUUID()}`;
      const writer = log.transactionalWriter({ transactionalId });
      try {
        await writer.fence();
        return await use(writer, transactionalId);
      } finally {
        await writer.close();
      }
    }
    async function committed(on: string, offset = 0, partition = 0): Promise<readonly LogRecord[]> {
      const end = (await log.admin.offsets(on)).get(partition)!.end;
      return withReader({ topic: on, partition, offset }, (reader) => drain(reader, end));
    }

    describe('append and fetch', () => {
      test('what was appended comes back in order, byte for byte, with null keys, null values and headers', async () => {
        const t = await topic();
        const [to] = await log.append([
          {
            topic: t,
            partition: 0,
            key: Buffer.from([0, 0, 0, 0]),
            value: Buffer.from('zeros are data'),
            headers: { channel: Buffer.from('fcm') },
          },
          record(t, null),
          record(t, 'no key', 0, null),
          record(t, ''),
        ]);
        expect(to).toMatchObject({ topic: t, partition: 0, baseOffset: 0, nextOffset: 4 });
        const records = await committed(t);
        expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
        expect(textsOf(records)).toEqual(['zeros are data', null, 'no key', '']);
        expect(records[0]!.key).toEqual(Buffer.from([0, 0, 0, 0]));
        expect(records[0]!.headers).toEqual({ channel: Buffer.from('fcm') });
        expect(records[1]!.headers ?? {}).toEqual({});
        expect(records[2]!.key).toBeNull();
      });

      test('each partition has its own offsets, and one append reaches several topics and partitions', async () => {
        const [a, b] = [await topic(2), await topic()];
        const appended = await log.append([record(a, 'a0', 0), record(a, 'a1', 1), record(b, 'b0'), record(a, 'a0 again', 0)]);
        expect(appended.map(({ topic: t, partition, baseOffset, nextOffset }) => [t, partition, baseOffset, nextOffset]).sort()).toEqual(
          [
            [a, 0, 0, 2],
            [a, 1, 0, 1],
            [b, 0, 0, 1],
          ].sort(),
        );
        expect(textsOf(await committed(a))).toEqual(['a0', 'a0 again']);
        expect(textsOf(await committed(a, 0, 1))).toEqual(['a1']);
      });

      test('appending nothing is nothing', async () => {
        expect(await log.append([])).toEqual([]);
      });

      test('a record keeps its own time on a CreateTime topic', async () => {
        const t = await topic();
        await log.append([
          { ...record(t, 'old'), timestampMs: 1_234_567_890_123 },
          { ...record(t, 'older'), timestampMs: 1_000 },
        ]);
        expect((await committed(t)).map(({ timestampMs }) => timestampMs)).toEqual([1_234_567_890_123, 1_000]);
      });

      test('a record has the append time on a LogAppendTime topic, whatever its producer says', async () => {
        const t = await topic(1, { 'message.timestamp.type': 'LogAppendTime' });
        const before = Date.now();
        await log.append([{ ...record(t, 'a'), timestampMs: 1_000 }, record(t, 'b')]);
        const times = (await committed(t)).map(({ timestampMs }) => timestampMs);
        expect(times[0]).toBe(times[1]);
        expect(times[0]).toBeGreaterThanOrEqual(before - 1_000);
        expect(times[0]).toBeLessThanOrEqual(Date.now() + 1_000);
      });

      test('a fetch starts in the middle of what one send appended', async () => {
        const t = await topic();
        await log.append(Array.from({ length: 10 }, (_, i) => record(t, String(i))));
        expect(textsOf(await committed(t, 7))).toEqual(['7', '8', '9']);
      });

      test('batches are bounded by maxBytes, and a record larger than it still comes', async () => {
        const t = await topic();
        for (let i = 0; i < 4; i++) await log.append([record(t, 'x'.repeat(10_000))]);
        await withReader({ topic: t, partition: 0, offset: 0, maxBytes: 15_000 }, async (reader) => {
          const sizes: number[] = [];
          while (reader.position < 4) sizes.push((await reader.fetch()).records.length);
          expect(sizes).toEqual([1, 1, 1, 1]);
        });
        await withReader({ topic: t, partition: 0, offset: 0, maxBytes: 100 }, async (reader) => {
          expect((await reader.fetch()).records).toHaveLength(1);
        });
      });

      test('a fetch at the end waits, and is woken by an append', async () => {
        const t = await topic();
        await withReader({ topic: t, partition: 0, offset: 0 }, async (reader) => {
          const empty = await reader.fetch({ maxWaitMs: 1 });
          expect(empty).toMatchObject({ records: { length: 0 }, nextOffset: 0, highWatermark: 0, lastStableOffset: 0, logStartOffset: 0 });
          const waiting = reader.fetch({ maxWaitMs: 60_000 });
          await log.append([record(t, 'woken')]);
          expect(textsOf((await waiting).records)).toEqual(['woken']);
          expect(reader.position).toBe(1);
        });
      });

      test('a long poll on one partition holds back neither another reader nor an append', async () => {
        const t = await topic(2);
        const idle = log.reader({ topic: t, partition: 0, offset: 0 });
        const waiting = idle.fetch({ maxWaitMs: 60_000 }).catch((error: unknown) => error);
        await log.append([record(t, 'elsewhere', 1)]);
        expect(textsOf(await committed(t, 0, 1))).toEqual(['elsewhere']);
        await idle.close();
        expect(isAbortError(await waiting)).toBe(true);
      });

      test('a signal ends a fetch with AbortError, and the reader can go on', async () => {
        const t = await topic();
        await withReader({ topic: t, partition: 0, offset: 0 }, async (reader) => {
          const controller = new AbortController();
          const waiting = reader.fetch({ maxWaitMs: 60_000, signal: controller.signal }).catch((error: unknown) => error);
          controller.abort();
          expect(isAbortError(await waiting)).toBe(true);
          await log.append([record(t, 'after')]);
          expect(textsOf((await reader.fetch({ maxWaitMs: 10_000 })).records)).toEqual(['after']);
        });
      });

      test('a closed reader fetches nothing more', async () => {
        const t = await topic();
        const reader = log.reader({ topic: t, partition: 0, offset: 0 });
        await reader.close();
        await reader.close();
        expect(isAbortError(await reader.fetch().catch((error: unknown) => error))).toBe(true);
      });

      test('a position behind the end or before the start is an error that names it, never a jump', async () => {
        const t = await topic();
        await log.append([record(t, 'a'), record(t, 'b'), record(t, 'c')]);
        await withReader({ topic: t, partition: 0, offset: 99 }, async (reader) => {
          await expect(reader.fetch()).rejects.toThrow(OffsetOutOfRangeError);
          expect(reader.position).toBe(99);
        });
        await log.admin.deleteRecords(t, new Map([[0, 2]]));
        await withReader({ topic: t, partition: 0, offset: 0 }, async (reader) => {
          await expect(reader.fetch()).rejects.toMatchObject({ name: 'OffsetOutOfRangeError', topic: t, partition: 0, offset: 0 });
        });
        expect(textsOf(await committed(t, 2))).toEqual(['c']);
        expect((await log.admin.offsets(t)).get(0)).toEqual({ start: 2, end: 3 });
      });

      test('a record larger than the topic takes is refused with the topic named, and later appends work', async () => {
        const t = await topic(1, { 'max.message.bytes': '2000' });
        await expect(log.append([record(t, 'x'.repeat(5_000))])).rejects.toThrow(RecordTooLargeError);
        await expect(log.append([record(t, 'x'.repeat(5_000))])).rejects.toThrow(t);
        await log.append([record(t, 'small')]);
        expect(textsOf(await committed(t))).toEqual(['small']);
      });
    });

    describe('transactions', () => {
      test('what is committed is read, what is aborted is not, and markers take offsets', async () => {
        const t = await topic();
        await withWriter(async (writer) => {
          const first = await writer.begin();
          expect(await first.send([record(t, 'a'), record(t, 'b')])).toMatchObject([
            { topic: t, partition: 0, baseOffset: 0, nextOffset: 2 },
          ]);
          await first.commit();
          const second = await writer.begin();
          await second.send([record(t, 'never')]);
          await second.abort();
          const third = await writer.begin();
          await third.send([record(t, 'c')]);
          await third.commit();
        });
        const records = await committed(t);
        expect(textsOf(records)).toEqual(['a', 'b', 'c']);
        expect(records.map(({ offset }) => offset)).toEqual([0, 1, 5]);
        expect((await log.admin.offsets(t)).get(0)).toEqual({ start: 0, end: 7 });
        await withReader({ topic: t, partition: 0, offset: 0, isolation: 'read_uncommitted' }, async (reader) => {
          expect(textsOf(await drain(reader, 7))).toEqual(['a', 'b', 'never', 'c']);
        });
      });

      test('an open transaction hides itself and all behind it: the last stable offset', async () => {
        const t = await topic();
        await withWriter(async (writer) => {
          await log.append([record(t, 'before')]);
          const transaction = await writer.begin();
          await transaction.send([record(t, 'inside')]);
          await log.append([record(t, 'behind')]);
          await withReader({ topic: t, partition: 0, offset: 0 }, async (reader) => {
            const batch = await reader.fetch();
            expect(textsOf(batch.records)).toEqual(['before']);
            expect(batch).toMatchObject({ nextOffset: 1, lastStableOffset: 1, highWatermark: 3 });
            const waiting = reader.fetch({ maxWaitMs: 60_000 });
            await transaction.commit();
            const rest = [...(await waiting).records, ...(await drain(reader, 4))];
            expect(textsOf(rest)).toEqual(['inside', 'behind']);
          });
        });
      });

      test('a fetch of markers and aborted records only moves the position', async () => {
        const t = await topic();
        await withWriter(async (writer) => {
          const transaction = await writer.begin();
          await transaction.send([record(t, 'x'), record(t, 'y')]);
          await transaction.abort();
        });
        await until(async () => (await log.admin.offsets(t)).get(0)!.end === 3);
        await withReader({ topic: t, partition: 0, offset: 0 }, async (reader) => {
          expect(await drain(reader, 3)).toEqual([]);
          expect(reader.position).toBe(3);
        });
        await withReader({ topic: t, partition: 0, offset: 2 }, async (reader) => {
          expect(await reader.fetch({ maxWaitMs: 10_000 })).toMatchObject({ records: { length: 0 }, nextOffset: 3 });
        });
      });

      test('transactions of two producers that end in the other order are told apart', async () => {
        const t = await topic();
        await withWriter(async (one) =>
          withWriter(async (two) => {
            const [p1, p2] = [await one.begin(), await two.begin()];
            await p2.send([record(t, 'of two')]);
            await p1.send([record(t, 'of one')]);
            await p2.send([record(t, 'of two again')]);
            await p1.abort();
            await until(async () => (await log.admin.offsets(t)).get(0)!.end === 4); // the broker lists transactions in the order of their markers
            await p2.abort();
            await until(async () => (await log.admin.offsets(t)).get(0)!.end === 5);
            const again = await two.begin();
            await again.send([record(t, 'kept')]);
            await again.commit();
          }),
        );
        for (const from of [0, 1, 2, 3, 4, 5]) expect(textsOf(await committed(t, from)), `from ${from}`).toEqual(['kept']);
      });

      test('several aborted transactions of one producer between committed ones', async () => {
        const t = await topic();
        await withWriter(async (writer) => {
          for (let i = 0; i < 8; i++) {
            const transaction = await writer.begin();
            await transaction.send([record(t, `${i}a`), record(t, `${i}b`)]);
            await (i % 3 === 0 ? transaction.commit() : transaction.abort());
          }
        });
        expect(textsOf(await committed(t))).toEqual(['0a', '0b', '3a', '3b', '6a', '6b']);
        for (let offset = 0; offset < 24; offset++)
          expect(textsOf(await committed(t, offset)), `from ${offset}`).toEqual(
            ['0a', '0b', '3a', '3b', '6a', '6b'].filter((_, i) => [0, 1, 9, 10, 18, 19][i]! >= offset),
          );
      });

      test('offsets are committed with the transaction, and not before', async () => {
        const [t, group] = [await topic(2), `g-${randomUUID()}`];
        await withWriter(async (writer) => {
          const aborted = await writer.begin();
          await aborted.send([record(t, 'x')]);
          await aborted.sendOffsets(group, [{ topic: t, partition: 0, offset: 5 }]);
          await aborted.abort();
          expect((await log.admin.groupOffsets(group, t)).size).toBe(0);
          const kept = await writer.begin();
          await kept.send([record(t, 'y')]);
          await kept.sendOffsets(group, [
            { topic: t, partition: 0, offset: 7 },
            { topic: t, partition: 1, offset: 0 },
          ]);
          await kept.commit();
        });
        await until(async () => (await log.admin.groupOffsets(group, t)).size === 2);
        expect(Object.fromEntries(await log.admin.groupOffsets(group, t))).toEqual({ 0: 7, 1: 0 });
      });

      test('back-to-back transactions work, also those that begin with offsets', async () => {
        const [t, group] = [await topic(), `g-${randomUUID()}`];
        await withWriter(async (writer) => {
          for (let i = 0; i < 20; i++) {
            const transaction = await writer.begin();
            if (i % 2 === 0) await transaction.send([record(t, String(i))]);
            await transaction.sendOffsets(group, [{ topic: t, partition: 0, offset: i }]);
            await transaction.commit();
          }
        });
        await until(async () => (await log.admin.groupOffsets(group, t)).get(0) === 19);
        expect(textsOf(await committed(t))).toEqual(Array.from({ length: 10 }, (_, i) => String(2 * i)));
      });

      test('an empty transaction can be committed and aborted', async () => {
        await withWriter(async (writer) => {
          const transaction = await writer.begin();
          expect(await transaction.send([])).toEqual([]);
          await transaction.commit();
          await (await writer.begin()).abort();
        });
      });

      test('a send of 5,000 rows of 400 bytes is split, and stays one transaction in order', async () => {
        const t = await topic();
        await withWriter(async (writer) => {
          const transaction = await writer.begin();
          const rows = Array.from({ length: 5_000 }, (_, i) => record(t, `${i}:`.padEnd(400, '.')));
          const [to] = await transaction.send(rows);
          expect(to).toMatchObject({ baseOffset: 0, nextOffset: 5_000 });
          await transaction.commit();
        });
        const records = await committed(t);
        expect(records.map(({ value }) => Number(value!.toString().split(':')[0]))).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
      });

      test('a record too large for its topic is refused, and what else the transaction and the next ones send is right', async () => {
        const [small, other] = [await topic(1, { 'max.message.bytes': '2000' }), await topic()];
        await withWriter(async (writer) => {
          const first = await writer.begin();
          await expect(first.send([record(other, 'beside'), record(small, 'x'.repeat(5_000))])).rejects.toThrow(RecordTooLargeError);
          await first.abort();
          const second = await writer.begin();
          await second.send([record(other, 'next'), record(small, 'fits')]);
          await second.commit();
          const third = await writer.begin();
          await third.send([record(other, 'last')]);
          await third.commit();
        });
        expect(textsOf(await committed(other))).toEqual(['next', 'last']);
        expect(textsOf(await committed(small))).toEqual(['fits']);
      });

      test('a writer wants to be fenced first, and has one transaction at a time', async () => {
        const writer = log.transactionalWriter({ transactionalId: `conformance-${randomUUID()}` });
        await expect(writer.begin()).rejects.toThrow(/fence/);
        await writer.fence();
        const transaction = await writer.begin();
        await expect(writer.begin()).rejects.toThrow(/open/);
        await transaction.commit();
        await expect(transaction.commit()).rejects.toThrow(/no transaction/);
        await writer.close();
        await expect(writer.begin()).rejects.toThrow(/closed/);
      });

      test('creating a writer fences nobody; fencing aborts the predecessor, whose next step is FencedError', async () => {
        const t = await topic();
        const other = underTest.connect();
        try {
          await withWriter(async (old, transactionalId) => {
            const transaction = await old.begin();
            await transaction.send([record(t, 'of the old')]);
            const successor = other.transactionalWriter({ transactionalId });
            await transaction.send([record(t, 'still mine')]);
            await successor.fence();
            await expect(transaction.commit()).rejects.toThrow(FencedError);
            await expect(old.begin()).rejects.toThrow(/close it/);
            const next = await successor.begin();
            await next.send([record(t, 'of the new')]);
            await next.commit();
            await successor.close();
          });
          expect(textsOf(await committed(t))).toEqual(['of the new']);
        } finally {
          await other.close();
        }
      });

      test('a fenced writer cannot begin with a send either', async () => {
        const t = await topic();
        await withWriter(async (old, transactionalId) => {
          const successor = log.transactionalWriter({ transactionalId });
          await successor.fence();
          const transaction = await old.begin();
          await expect(transaction.send([record(t, 'zombie')])).rejects.toThrow(FencedError);
          await successor.close();
        });
        expect(textsOf(await committed(t))).toEqual([]);
      });

      test('fencing can be given up by a signal', async () => {
        const writer = log.transactionalWriter({ transactionalId: `conformance-${randomUUID()}` });
        expect(isAbortError(await writer.fence(AbortSignal.abort()).catch((error: unknown) => error))).toBe(true);
        await writer.close();
      });
    });

    describe('membership', () => {
      function member(
        of: Log,
        groupId: string,
        on: string,
        options: Partial<MembershipOptions> = {},
      ): { membership: GroupMembership; seen: Generation[]; fatal: Error[]; join: () => Promise<void> } {
        const membership = of.membership({ groupId, topic: on, ...options });
        const seen: Generation[] = [];
        const fatal: Error[] = [];
        const join = () => membership.join({ onGeneration: (g) => seen.push(g), onFatal: (error) => fatal.push(error) });
        return { membership, seen, fatal, join };
      }

      test('one member owns all partitions, ascending; two share them; after one left the other has all again', async () => {
        const [t, group] = [await topic(11), `g-${randomUUID()}`];
        const all = Array.from({ length: 11 }, (_, p) => p);
        const other = underTest.connect();
        const [a, b] = [member(log, group, t), member(other, group, t)];
        try {
          expect(a.membership.current()).toBeUndefined();
          await a.join();
          expect(a.seen.at(-1)?.partitions).toEqual(all);
          expect(a.membership.current()).toEqual(a.seen.at(-1));
          await b.join();
          await until(
            () => a.membership.current() !== undefined && a.membership.current()!.generationId === b.membership.current()?.generationId,
          );
          const [mine, theirs] = [a.membership.current()!.partitions, b.membership.current()!.partitions];
          expect(mine.length).toBeGreaterThan(0);
          expect(theirs.length).toBeGreaterThan(0);
          expect([...mine, ...theirs].sort((x, y) => x - y)).toEqual(all);
          for (const partitions of [mine, theirs]) expect(partitions).toEqual([...partitions].sort((x, y) => x - y));
          await b.membership.leave();
          expect(b.membership.current()).toBeUndefined();
          await until(() => a.seen.at(-1)?.partitions.length === 11);
          const ids = a.seen.map(({ generationId }) => generationId);
          expect(ids).toEqual([...new Set(ids)].sort((x, y) => x - y));
          expect([...a.fatal, ...b.fatal]).toEqual([]);
        } finally {
          await a.membership.leave();
          await other.close();
        }
      });

      test('what members say of themselves reaches the one that assigns, and what it has for them reaches them', async () => {
        const [t, group] = [await topic(4), `g-${randomUUID()}`];
        const other = underTest.connect();
        /** All to the member that says "strong"; each one is told what all have said. */
        const assign: Assign = (members, partitionCount) => {
          const said = members.map(({ userData }) => userData.toString());
          return members.map(({ memberId }, i) => ({
            memberId,
            partitions: said[i] === 'strong' ? Array.from({ length: partitionCount }, (_, p) => p) : [],
            userData: Buffer.from(said.toSorted().join()),
          }));
        };
        const say = { a: 'strong', b: 'weak' };
        const a = member(log, group, t, { assign, userData: () => Buffer.from(say.a) });
        const b = member(other, group, t, { assign, userData: () => Buffer.from(say.b) });
        const last = (of: typeof a): [readonly number[], string] | undefined => {
          const generation = of.seen.at(-1);
          return generation && [generation.partitions, generation.userData.toString()];
        };
        try {
          await a.join();
          expect(last(a)).toEqual([[0, 1, 2, 3], 'strong']);
          await b.join();
          await until(() => last(a)?.[1] === 'strong,weak');
          expect(last(a)).toEqual([[0, 1, 2, 3], 'strong,weak']);
          expect(last(b)).toEqual([[], 'strong,weak']);
          // What a member says changes only with a new generation, which it asks for.
          Object.assign(say, { a: 'weak', b: 'strong' });
          b.membership.rejoin();
          await until(() => last(b)?.[0].length === 4 && last(a)?.[0].length === 0);
          expect(a.membership.current()?.generationId).toBe(b.membership.current()?.generationId);
          expect([...a.fatal, ...b.fatal]).toEqual([]);
        } finally {
          await a.membership.leave();
          await b.membership.leave();
          await other.close();
        }
      });

      test('membership commits no offsets, and offsets cannot be set beside it', async () => {
        const [t, group] = [await topic(2), `g-${randomUUID()}`];
        await log.append([record(t, 'x')]);
        const a = member(log, group, t);
        await a.join();
        await expect(log.admin.setGroupOffsets(group, t, new Map([[0, 1]]))).rejects.toThrow(group);
        await a.membership.leave();
        expect((await log.admin.groupOffsets(group, t)).size).toBe(0);
        await log.admin.setGroupOffsets(group, t, new Map([[0, 1]]));
        expect(Object.fromEntries(await log.admin.groupOffsets(group, t))).toEqual({ 0: 1 });
      });

      test('a group on a topic that does not exist cannot be joined, and the error names it', async () => {
        const missing = `missing-${randomUUID()}`;
        const a = member(log, `g-${randomUUID()}`, missing);
        await expect(a.join()).rejects.toThrow(FatalLogError);
        await a.membership.leave();
      });
    });

    describe('admin', () => {
      test('topics are created with their configuration, described, left alone when they exist, and deleted', async () => {
        const t = await topic(3, { 'cleanup.policy': 'compact' });
        expect(await log.admin.partitions(t)).toBe(3);
        await log.admin.createTopics([
          { topic: t, partitions: 5, replicationFactor: 1, config: {} },
          { topic: `${t}-more`, partitions: 1, replicationFactor: 1, config: {} },
        ]);
        const described = await log.admin.describeTopics([t, `${t}-more`, `${t}-missing`]);
        expect([...described.keys()].sort()).toEqual([t, `${t}-more`]);
        expect(described.get(t)).toMatchObject({ topic: t, partitions: 3, replicationFactor: 1, config: { 'cleanup.policy': 'compact' } });
        await log.admin.deleteTopics([`${t}-more`]);
        await until(async () => (await log.admin.partitions(`${t}-more`)) === undefined);
      });

      test('asking for a topic that does not exist does not create it', async () => {
        const missing = `missing-${randomUUID()}`;
        expect(await log.admin.partitions(missing)).toBeUndefined();
        await expect(log.admin.offsets(missing)).rejects.toThrow(missing);
        await expect(log.append([record(missing, 'x')])).rejects.toThrow(missing);
        await withReader({ topic: missing, partition: 0, offset: 0 }, async (reader) => {
          await expect(reader.fetch()).rejects.toThrow(missing);
        });
        expect((await log.admin.describeTopics([missing])).size).toBe(0);
      });

      test('start and end are given for every partition, the end being the high watermark', async () => {
        const t = await topic(3);
        await log.append([record(t, 'a', 1), record(t, 'b', 1)]);
        expect(Object.fromEntries(await log.admin.offsets(t))).toEqual({
          0: { start: 0, end: 0 },
          1: { start: 0, end: 2 },
          2: { start: 0, end: 0 },
        });
        expect((await log.admin.groupOffsets(`g-${randomUUID()}`, t)).size).toBe(0);
      });
    });
  });
}
