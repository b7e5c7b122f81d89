import { afterEach, describe, expect, test } from 'vitest';
import { silentObserver } from '../../src/engine/observer.ts';
import type { Store } from '../../src/store/port.ts';
import { LogUnavailableError } from '../../src/log/errors.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { decodeUserState } from '../../src/processor/user-state-codec.ts';
import { topicNames } from '../../src/log/topics.ts';
import { shopProgram } from './programs.ts';
import { counting, ProcessorRig } from './rig.ts';

const MINUTE = 60_000;
const cart = (userId: string) => ({ userId, eventId: `${userId}-c`, type: 'cart_item_added', properties: { cartId: 'c' } });
const roomy = () => shopProgram({ limits: { ...shopProgram().limits, profileAttributes: 1_000_000 } });
const big = (userId: string, eventId: string, name: string) => ({
  ...{ userId, eventId, type: '$profile' },
  properties: { [name]: 'x'.repeat(100_000) },
});

describe('the processor, where something goes wrong', () => {
  let rig: ProcessorRig;
  afterEach(() => rig.close());

  const reminders = async (): Promise<string[]> =>
    (await rig.commands()).flatMap(({ journey, occurrence }) => (journey === 'cart_abandoned' ? [occurrence] : [])).sort();

  /** Runs the clock by itself, for the back-off of a task that starts again. */
  const meanwhile = async (check: () => Promise<void>): Promise<void> => {
    const running = setInterval(() => rig.clock.advance(100), 1);
    try {
      await check();
    } finally {
      clearInterval(running);
    }
  };

  test('a tick that the log does not take costs the task, and the next task asks again', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const notes: string[] = [];
    rig.start({ engine: { ...silentObserver, note: (_, message) => notes.push(message) } });
    await rig.say(cart('ann'));
    await rig.settled();
    rig.broker.fail({ step: 'append', when: 'before', of: rig.topics.timeline, error: new LogUnavailableError('no leader') });
    rig.clock.advance(60 * MINUTE);
    await meanwhile(() => expect.poll(reminders, { interval: 5 }).toEqual(['ann-c']));
    expect(notes.some((note) => note.includes('no leader; the task starts again'))).toBe(true);
  });

  test('a tick that is on its way for long holds back neither events nor a stop', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const log = rig.broker.connect();
    const asked = Promise.withResolvers<undefined>();
    const stuck: typeof log = {
      ...{ admin: log.admin, reader: (options) => log.reader(options), membership: (options) => log.membership(options) },
      ...{ transactionalWriter: (options) => log.transactionalWriter(options), close: () => log.close() },
      append: () => {
        asked.resolve(undefined);
        return new Promise(() => undefined);
      },
    };
    const running = rig.start({ log: stuck });
    await rig.say(cart('ann'));
    await rig.settled();
    rig.clock.advance(60 * MINUTE);
    await asked.promise;
    await rig.say(cart('bob'));
    await rig.settled();
    await running.stop();
  });

  test('puts a row that is too large aside also where the batch had commits before it, and counts nothing twice', async () => {
    rig = await new ProcessorRig(roomy()).create();
    const observer = counting();
    const partition = partitionFor(Buffer.from('ann'), 2);
    const value = (event: Parameters<ProcessorRig['encode']>[0]) => rig.encode(event);
    // Dead letters fill a transaction as well as users do; these make the first one end in the middle of the batch.
    const garbage = Array.from({ length: 10_001 }, () => ({
      ...{ topic: rig.topics.timeline, partition, key: Buffer.from('ann'), value: Buffer.from('?') },
    }));
    const record = (event: Parameters<ProcessorRig['encode']>[0]) => ({
      ...{ topic: rig.topics.timeline, partition, key: Buffer.from(event.userId), value: value(event) },
    });
    const tick = rig.codec.encode('lull.v1.Control', { tick: { maxTimers: 10 } });
    await rig.log.append([
      record(cart('ann')),
      ...garbage,
      { topic: rig.topics.timeline, partition, key: null, value: tick },
      ...['one', 'two', 'three'].map((name) => record(big('ann', name, name))),
    ]);
    rig.start({ observer, fetchMaxBytes: 50_000_000 });
    await rig.settled();
    const reasons = (await rig.deadLetters()).map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'row_too_large')).toHaveLength(1);
    expect(reasons).toHaveLength(10_002);
    expect(observer.counts.get('ticks')).toBe(1);
  });

  test.for([1, 50_000_000])(
    'a row that is too large only until its batch ends is put aside as it would be alone, with %i bytes a fetch',
    async (fetchMaxBytes) => {
      rig = await new ProcessorRig(roomy()).create();
      await rig.say(...['one', 'two', 'three'].map((name) => big('ann', name, name)));
      await rig.say({ userId: 'ann', eventId: 'less', type: '$profile', properties: { one: null } });
      rig.start({ fetchMaxBytes });
      await rig.settled();
      expect((await rig.deadLetters()).map(({ reason }) => reason)).toEqual(['row_too_large']);
    },
  );

  test('a local row that cannot be read is restored from the changelog', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const store: Store = rig.store();
    const first = rig.start({ store });
    await rig.say(cart('ann'));
    await rig.settled();
    await first.stop();
    const rows = await store.open(partitionFor(Buffer.from('ann'), 2));
    await rows.write([{ table: 'user', key: Buffer.from('ann'), value: Buffer.from([2, 255, 255]) }]);
    await rows.close();
    const notes: string[] = [];
    rig.start({ store, engine: { ...silentObserver, note: (_, message) => notes.push(message) } });
    await rig.say({ userId: 'ann', type: 'page_viewed' });
    await meanwhile(() => rig.settled());
    await rig.pass(61 * MINUTE);
    expect(await reminders()).toEqual(['ann-c']);
    expect(notes.some((note) => note.includes('the local store has a user state of 3 bytes that is cut or damaged'))).toBe(true);
  });

  test('a changelog that a newer Lull wrote ends the processor with one line that says so', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    await rig.log.append([{ topic: rig.topics.state, partition: 0, key: Buffer.from('ann'), value: Buffer.from([9, 0]) }]);
    await expect(rig.start().done).rejects.toThrow(`${rig.topics.state}-0 has a user state of version 9, this Lull reads 2 to 4`);
  });

  test('a key that is not UTF-8 is nobody, even where it reads as one', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    rig.start();
    const value = rig.encode(cart('\ufffd'));
    const key = Buffer.from([0xfe]);
    await rig.log.append([{ topic: rig.topics.timeline, partition: partitionFor(key, 2), key, value }]);
    await rig.settled();
    expect((await rig.deadLetters()).map(({ reason }) => reason)).toEqual(['key_mismatch']);
  });

  test('a batch that is done again carefully gives each record the time it had', async () => {
    rig = await new ProcessorRig(roomy()).create();
    const [early, late] = peers(2) as [string, string];
    const at = rig.clock.nowMs();
    await rig.say(cart(early));
    rig.clock.advance(10_000);
    await rig.say(...['one', 'two', 'three'].map((name) => big(late, name, name)));
    rig.start({ fetchMaxBytes: 50_000_000 });
    await rig.settled();
    const row = (await rig.records(rig.topics.state)).findLast(({ key }) => key?.toString() === early)?.value;
    expect(decodeUserState(row as Buffer, early).lastEventMs).toBe(at);
    expect((await rig.deadLetters()).map(({ reason }) => reason)).toEqual(['row_too_large']);
  });

  test('a timer at the end of historical input that makes a row too large is put aside alone', async () => {
    const run = async (lastBytes: number): Promise<number> => {
      rig = await new ProcessorRig(roomy()).create();
      const last = { userId: 'ann', eventId: 'two', type: '$profile', properties: { two: 'x'.repeat(lastBytes) } };
      await rig.say(cart('ann'), cart('bob'), big('ann', 'one', 'one'), last);
      const untilMs = rig.clock.nowMs() + 61 * MINUTE;
      // Without an end to wait for, the row is as the events left it.
      const historical = { allowedLatenessMs: 0, untilMs: lastBytes === 100_000 ? null : untilMs };
      await rig.start({ bounded: true, historical }).done;
      const row = (await rig.records(rig.topics.state)).findLast(({ key }) => key?.toString() === 'ann')?.value;
      return row?.length ?? 0;
    };
    const bytes = await run(100_000);
    await rig.close();
    await run(100_000 + 256 * 1024 - bytes - 1);
    expect(await reminders()).toContain('bob-c');
    expect((await rig.deadLetters()).map(({ reason, record }) => [reason, record.key?.toString()])).toEqual([
      ['timer_row_too_large', 'ann'],
    ]);
  });

  test('historical input is taken where it stands: what was forwarded when it was recorded is not taken twice', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const astray = 1 - partitionFor(Buffer.from('ann'), 2);
    await rig.log.append([{ topic: rig.topics.timeline, partition: astray, key: Buffer.from('ann'), value: rig.encode(cart('ann')) }]);
    const live = rig.start();
    await rig.settled();
    await live.stop();
    const prefix = `${rig.prefix}-again`;
    await rig.log.admin.createTopics([{ topic: topicNames(prefix).state, partitions: 2, replicationFactor: 1, config: {} }]);
    const topics = { ...rig.topics, state: topicNames(prefix).state };
    const historical = { allowedLatenessMs: 0, untilMs: rig.clock.nowMs() + 61 * MINUTE };
    await rig.start({ topics, prefix, bounded: true, historical }).done;
    expect(await reminders()).toEqual(['ann-c']);
  });

  test('historical timers of one due time take several transactions when they are many', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const users = peers(4_500);
    await rig.say(...users.map((userId) => cart(userId)));
    const untilMs = rig.clock.nowMs() + 24 * 60 * MINUTE;
    await rig.start({ bounded: true, fetchMaxBytes: 50_000_000, historical: { allowedLatenessMs: 0, untilMs } }).done;
    expect(await reminders()).toEqual(users.map((userId) => `${userId}-c`));
    expect(longestRun((await rig.records(rig.topics.decisions)).map(({ offset }) => offset))).toBeLessThan(users.length);
  });

  test('what one user makes of a batch takes several transactions when it is much', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const key = Buffer.from('ann');
    const poison = { topic: rig.topics.timeline, partition: partitionFor(key, 2), key, value: Buffer.from('no event') };
    await rig.log.append(Array.from({ length: 12_000 }, () => poison));
    rig.start({ fetchMaxBytes: 50_000_000 });
    await rig.settled();
    const letters = await rig.records(rig.topics.deadLetters);
    expect(letters.length).toBe(12_000);
    expect(longestRun(letters.map(({ offset }) => offset))).toBeLessThan(12_000);
  });
});

/** How many records stand together at most: a transaction's marker takes an offset, so what does was committed together. */
function longestRun(offsets: readonly number[]): number {
  let [longest, length, before] = [0, 0, -1];
  for (const offset of offsets) {
    length = offset === before + 1 ? length + 1 : 1;
    longest = Math.max(longest, length);
    before = offset;
  }
  return longest;
}

/** So many users of one partition, in order. */
function peers(count: number): string[] {
  const users: string[] = [];
  for (let i = 0; users.length < count; i++) {
    const userId = `user-${String(i).padStart(5, '0')}`;
    if (partitionFor(Buffer.from(userId), 2) === 0) users.push(userId);
  }
  return users;
}
