import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Journey } from '../../src/core/journey.ts';
import type { DatePattern } from '../../src/core/pattern-kinds.ts';
import type { Program } from '../../src/core/program.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { FatalError } from '../../src/engine/errors.ts';
import { decodePosition, POSITION_KEY } from '../../src/engine/position.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Log } from '../../src/log/port.ts';
import { topicNames } from '../../src/log/topics.ts';
import { PublishedTopologies } from '../../src/processor/published.ts';
import type { Topologies } from '../../src/processor/topologies.ts';
import type { Upstream } from '../../src/processor/upstream.ts';
import { decodeVersions, type Versions } from '../../src/processor/versions.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { PartitionStore, Store } from '../../src/store/port.ts';
import { DAY, HOUR, journeyOf, programOf, sendOf } from '../core/support.ts';
import { ProcessorRig, T0 } from './rig.ts';

const REACHED = { userId: 'u1', type: 'a' };

/** On `a`, a message that names its version, and another a day later. */
function versionOf(name: string, parts: Partial<Journey> = {}): Program {
  const steps = [
    sendOf({ name: `${name}_first`, next: 1 }),
    { kind: 'wait', name: 'w', forMs: DAY, atMinutes: null, until: [], fromTrigger: false, next: 2 } as const,
    sendOf({ name: `${name}_second` }),
  ];
  const pattern = { kind: 'event', on: { type: 'a', where: null } } as const;
  return programOf({ activity: ['a'], hash: name, name: 'test', journeys: [journeyOf({ name: 'j', pattern, steps, ...parts })] });
}

function dateOf(attribute: string): DatePattern {
  return { kind: 'date', attribute, offsetMs: 0, atMinutes: null, yearly: false };
}

/** One of each hash; a text that is none of these cannot be compiled. */
const PROGRAMS = new Map(
  [
    versionOf('v1'),
    versionOf('v2'),
    versionOf('v3', { inFlight: 'pinned' }),
    programOf({
      hash: 'dated',
      name: 'test',
      journeys: [journeyOf({ name: 'd', pattern: dateOf('ends'), steps: [sendOf({ name: 'note' })] })],
    }),
  ].map((program) => [program.hash, program]),
);

/** Its process ends where users are gone through for the second transaction. */
function dyingStore(): Store & { dies: boolean } {
  const store = createMemoryStore({ tables: [META_TABLE, 'user', 'timer'] });
  let scanned = 0;
  return {
    dies: false,
    partitions: () => store.partitions(),
    close: () => store.close(),
    async open(partition) {
      const rows = await store.open(partition);
      const scan: PartitionStore['scan'] = async (table, range) => {
        const found = await rows.scan(table, range);
        if (this.dies && table === 'user') scanned += found.length;
        if (scanned > 7_500) throw new FatalError('the disk is gone');
        return found;
      };
      return { ...bound(rows), partition, scan };
    },
  };
}

function bound(store: PartitionStore): Omit<PartitionStore, 'partition' | 'scan'> {
  return {
    get: (table, key) => store.get(table, key),
    getMany: (table, keys) => store.getMany(table, keys),
    write: (ops) => store.write(ops),
    wipe: () => store.wipe(),
    close: () => store.close(),
  };
}

describe('the topology in force', () => {
  let rig: ProcessorRig;
  const opened: PublishedTopologies[] = [];
  const notes: string[] = [];

  beforeEach(async () => {
    rig = await new ProcessorRig(versionOf('unused')).create();
    await rig.log.admin.createTopics([{ topic: rig.topics.topologies, partitions: 1, replicationFactor: 1, config: {} }]);
  });
  afterEach(async () => {
    await rig.close();
    for (const topologies of opened.splice(0)) await topologies.close();
    notes.length = 0;
  });

  async function topologies(log: Log = rig.log, upstreams: Readonly<Record<string, Upstream>> = {}): Promise<PublishedTopologies> {
    const made = await PublishedTopologies.open({
      log,
      topic: rig.topics.topologies,
      compile(text) {
        const { hash } = JSON.parse(text) as { readonly hash: string };
        const program = PROGRAMS.get(hash);
        if (program === undefined) throw new Error(`this Lull cannot compile the topology ${hash}: \`weather\` is not known`);
        return { program, upstream: upstreams[hash] ?? null };
      },
      note: (_level, message) => void notes.push(message),
    });
    opened.push(made.follow());
    return made;
  }

  const publish = (on: PublishedTopologies, hash: string) => on.publish(hash, JSON.stringify({ hash, name: 'test' }));

  const start = (deciding: Topologies, more: Parameters<ProcessorRig['start']>[0] = {}) => rig.start({ topologies: deciding, ...more });

  const said = async () => (await rig.decisions()).map(({ step, reason, topologyHash }) => `${topologyHash} ${step} ${reason}`).sort();

  async function positions(): Promise<readonly (Versions | undefined)[]> {
    const last = new Map<number, Versions | undefined>();
    for (const [partition, { end }] of await rig.log.admin.offsets(rig.topics.state)) {
      const reader = rig.log.reader({ topic: rig.topics.state, partition, offset: 0 });
      while (reader.position < end)
        for (const { key, value } of (await reader.fetch({ maxWaitMs: 0 })).records)
          if (key?.equals(POSITION_KEY) === true) last.set(partition, decodeVersions(decodePosition(value!, 'test').stage ?? ''));
      await reader.close();
    }
    return [...last.values()];
  }

  it('is the newest that was published, on every partition, from its record on', async () => {
    const known = await topologies();
    await publish(known, 'v1');
    start(known);
    await rig.say({ ...REACHED, userId: 'before' });
    await rig.settled();
    await publish(known, 'v2');
    await rig.settled();
    await rig.say({ ...REACHED, userId: 'behind' });
    await rig.settled();
    expect(await said()).toEqual(['v1 v1_first sent', 'v2 v2_first sent']);
    expect(await positions()).toMatchObject([
      { hash: 'v2', number: 2, isInLog: true, earlier: [{ hash: 'v1', since: 1 }] },
      { hash: 'v2', number: 2, isInLog: true, earlier: [{ hash: 'v1', since: 1 }] },
    ]);
    const activations = (await rig.decoded(rig.topics.timeline, 'lull.v1.Control')).flatMap(({ topology }) => topology ?? []);
    expect(activations.map(({ hash, number, name }) => `${hash} ${number} ${name}`).sort()).toEqual([
      'v1 1 test',
      'v1 1 test',
      'v2 2 test',
      'v2 2 test',
    ]);
  });

  it('goes on from an empty disk, and a process that knows less of it changes nothing', async () => {
    const known = await topologies();
    await publish(known, 'v1');
    await publish(known, 'v3');
    const first = start(known);
    await rig.say(REACHED);
    await rig.settled();
    await first.stop();
    // As its own topic was when it read it: without the second publication.
    const stale: Topologies = {
      newest: known.all[0],
      error: undefined,
      load: (hash) => known.load(hash),
      watch: () => () => {},
      note: () => {},
    };
    start(stale);
    await rig.append(null, rig.codec.encode('lull.v1.Control', { topology: { hash: 'v1', number: 1, name: 'test' } }));
    await rig.pass(DAY + HOUR, HOUR);
    expect(await said()).toEqual(['v3 v3_first sent', 'v3 v3_second sent']);
  });

  it('keeps who is pinned to an earlier version there, also over a restart on an empty disk', async () => {
    const known = await topologies();
    await publish(known, 'v2');
    const first = start(known);
    await rig.say(REACHED);
    await rig.settled();
    await publish(known, 'v3');
    await rig.settled();
    await first.stop();
    start(await topologies(rig.broker.connect()));
    await rig.pass(DAY + HOUR, HOUR);
    expect(await said()).toEqual(['v2 v2_first sent', 'v3 v2_second sent']);
  });

  it('does not change for whoever is under way where the same text is published again', async () => {
    const known = await topologies();
    await publish(known, 'v3');
    start(known);
    await rig.say(REACHED);
    await rig.settled();
    await publish(known, 'v3');
    await rig.settled();
    expect(await positions()).toMatchObject([
      { hash: 'v3', number: 2, since: 1, earlier: [] },
      { hash: 'v3', number: 2, since: 1, earlier: [] },
    ]);
  });

  it('is taken over where an earlier Lull has left a position without one', async () => {
    const earlier = rig.start({ program: versionOf('v1') });
    await rig.say(REACHED);
    await rig.settled();
    await earlier.stop();
    expect(await positions()).toEqual([undefined, undefined].slice(0, (await positions()).length));
    const known = await topologies();
    await publish(known, 'v2');
    start(known);
    await rig.pass(DAY + HOUR, HOUR);
    expect(await said()).toEqual(['v1 v1_first sent', 'v2 v2_second sent']);
    expect((await positions()).every((versions) => versions?.hash === 'v2' && versions.isInLog)).toBe(true);
  });

  it.each([
    ['that nobody published', 'gone', /timeline-0-\d+: topology gone is not in t[0-9a-f]+\.topologies: publish it again/],
    [
      'that this Lull cannot compile',
      'newer',
      /timeline-0-\d+: this Lull cannot compile the topology newer: .*; run the Lull that published it/,
    ],
  ])('%s ends the task with a line that says where and what to do', async (_, hash, problem) => {
    const known = await topologies();
    await publish(known, 'v1');
    // Known before the task is there, so that it starts with what it can compile.
    if (hash === 'newer') await publish(known, hash);
    const stale: Topologies = {
      newest: known.all[0],
      error: undefined,
      load: (one) => known.load(one),
      watch: () => () => {},
      note: () => {},
    };
    const { done } = start(stale);
    await rig.append(null, rig.codec.encode('lull.v1.Control', { topology: { hash, number: 90, name: 'test' } }));
    await expect(done).rejects.toThrow(problem);
  });

  it('stays as it is where the newest cannot be compiled here: that is left to a newer Lull, and said', async () => {
    const known = await topologies();
    await publish(known, 'v1');
    start(known);
    await rig.settled();
    await publish(known, 'newer');
    await rig.settled();
    await rig.say(REACHED);
    await rig.pass(HOUR);
    expect(await said()).toEqual(['v1 v1_first sent']);
    expect(
      notes.filter((note) => note.includes('stays with the version in force, and leaves version 2 of test to a newer Lull')),
    ).toHaveLength(2);
    await publish(known, 'v2');
    await rig.settled();
    await rig.say({ ...REACHED, userId: 'u2' });
    await rig.settled();
    expect(await said()).toEqual(['v1 v1_first sent', 'v2 v2_first sent']);
  });

  it('tells journeys on dates of those who had the date before, each once, also where it is cut off and goes on elsewhere', async () => {
    const known = await topologies();
    await publish(known, 'v1');
    const store = dyingStore();
    const first = start(known, { store });
    // More than one transaction takes.
    const users = Array.from({ length: 16_000 }, (_, i) => `u${i}`).filter((userId) => partitionFor(Buffer.from(userId), 2) === 0);
    await rig.say(...users.map((userId, i) => ({ userId, type: '$profile', properties: { ends: T0 + (i % 5 === 0 ? -HOUR : HOUR) } })));
    await rig.say({ userId: users[0]!, type: 'a' }, { userId: 'none', type: '$profile', properties: { other: 1 } });
    await rig.settled();
    store.dies = true;
    await publish(known, 'dated');
    await expect(first.done).rejects.toThrow('the disk is gone');
    const cutOff = (await positions()).flatMap((versions) => versions?.sweep ?? []);
    expect(cutOff).toMatchObject([{ dates: [{ journey: 'd' }], after: expect.any(String) as unknown }]);
    start(known);
    await rig.settled();
    expect((await positions()).map((versions) => versions?.sweep)).toEqual([undefined, undefined]);
    await rig.pass(2 * HOUR, HOUR);
    const decided = (await rig.decisions()).filter(({ journey }) => journey === 'd').map(({ userId }) => userId);
    expect(decided.toSorted()).toEqual(users.filter((_, i) => i % 5 !== 0).toSorted());
  });

  it('is told by the log from its beginning on, to whoever has nothing but the log', async () => {
    const known = await topologies();
    await publish(known, 'v1');
    start(known);
    await rig.settled();
    await rig.say({ ...REACHED, userId: 'before' });
    await rig.settled();
    await publish(known, 'v2');
    await rig.settled();
    await rig.say({ ...REACHED, userId: 'behind' });
    await rig.settled();
    const again = topicNames('again');
    const topics = { ...again, timeline: rig.topics.timeline };
    await rig.log.admin.createTopics(
      [again.state, again.dispatch, again.decisions, again.deadLetters].map((topic) => ({
        topic,
        partitions: 2,
        replicationFactor: 1,
        config: {},
      })),
    );
    start(known, { topics, prefix: 'again' });
    await vi.waitFor(async () => expect(await rig.records(topics.decisions)).toHaveLength(2));
    const decided = await rig.decoded(topics.decisions, 'lull.v1.Decision');
    expect(decided.map(({ step, reason, topologyHash }) => `${topologyHash} ${step} ${reason}`).sort()).toEqual(await said());
    expect(await said()).toEqual(['v1 v1_first sent', 'v2 v2_first sent']);
  });

  it('says which sources ticks wait for, and does not wait for those of the one before', async () => {
    const waits: string[] = [];
    const upstream = (name: string, isDrained: boolean): Upstream => ({
      drained: (signal) =>
        new Promise((resolve, reject) => {
          waits.push(name);
          if (isDrained) resolve();
          else signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    });
    const known = await topologies(rig.log, { v1: upstream('v1', false), v2: upstream('v2', true) });
    await publish(known, 'v1');
    start(known);
    await rig.say(REACHED);
    await rig.settled();
    await rig.pass(DAY + HOUR, HOUR);
    expect(await said()).toEqual(['v1 v1_first sent']);
    expect(waits).toEqual(['v1']);
    await publish(known, 'v2');
    await rig.settled();
    await rig.pass(HOUR);
    expect(await said()).toEqual(['v1 v1_first sent', 'v2 v2_second sent']);
    expect(new Set(waits)).toEqual(new Set(['v1', 'v2']));
  });

  it('is compiled at the next attempt where the log failed at the first, also if it was published again meanwhile', async () => {
    const broken = Promise.withResolvers<never>();
    let isBroken = false;
    const { log } = rig;
    const flaky: Log = {
      admin: log.admin,
      append: (records) => log.append(records),
      transactionalWriter: (options) => log.transactionalWriter(options),
      membership: (options) => log.membership(options),
      close: () => Promise.resolve(),
      reader(options) {
        const reader = log.reader(options);
        if (!isBroken) return reader;
        isBroken = false;
        return { position: options.offset, fetch: () => broken.promise, close: () => reader.close() };
      },
    };
    const known = await topologies(flaky);
    await publish(known, 'v1');
    isBroken = true;
    const first = known.load('v1');
    await publish(known, 'v1');
    broken.reject(new Error('no leader'));
    await expect(first).rejects.toThrow('no leader');
    expect((await known.load('v1')).program.hash).toBe('v1');
  });
});
