import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACCEPTABLE_LAG, assign, type Assigned } from '../../src/engine/assign.ts';
import { balance } from '../../src/engine/balance.ts';
import { GroupView, type Member } from '../../src/engine/group-view.ts';

const MUCH = 1_000_000;

/** Members as they may be after anything: claims that contradict each other, stores that are full, half full or empty, and older builds. */
const groups = fc
  .record({ partitionCount: fc.integer({ min: 0, max: 14 }), size: fc.integer({ min: 1, max: 5 }) })
  .chain(({ partitionCount, size }) => {
    const partition = fc.integer({ min: 0, max: Math.max(0, partitionCount - 1) });
    const state = fc.record({
      generationId: fc.integer({ min: -1, max: 3 }),
      owned: fc.array(fc.tuple(partition, fc.integer({ min: 0, max: 3 }))).map((pairs) => new Map(pairs) as ReadonlyMap<number, number>),
      following: fc.uniqueArray(partition),
      offsets: fc
        .array(fc.tuple(partition, fc.constantFrom(0, 5, MUCH / 2, MUCH - 1, MUCH)))
        .map((pairs) => new Map(pairs) as ReadonlyMap<number, number>),
      host: fc.constantFrom('one', 'two', 'three'),
    });
    const members = fc
      .array(fc.option(state, { nil: undefined, freq: 8 }), { minLength: size, maxLength: size })
      .map((states): Member[] => states.map((one, i) => ({ memberId: `m${i}`, state: one })));
    return fc.record({ partitionCount: fc.constant(partitionCount), members, standbys: fc.integer({ min: 0, max: 2 }) });
  });

const viewOf = (members: readonly Member[], partitionCount: number): GroupView => new GroupView(members, partitionCount, ACCEPTABLE_LAG);
const ownerOf = (assigned: readonly Assigned[], partition: number): string | undefined =>
  assigned.find(({ partitions }) => partitions.includes(partition))?.memberId;

describe('an assignment of any group', () => {
  test('gives every partition to exactly one member', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount, standbys }) => {
        const given = assign(members, partitionCount, { standbys }).flatMap(({ partitions }) => partitions);
        expect(given.sort((a, b) => a - b)).toEqual(Array.from({ length: partitionCount }, (_, p) => p));
      }),
    );
  });

  test('does not depend on the order in which the members are told', () => {
    const shuffled = groups.chain((group) =>
      fc.record({ group: fc.constant(group), other: fc.shuffledSubarray(group.members, { minLength: group.members.length }) }),
    );
    fc.assert(
      fc.property(shuffled, ({ group: { members, partitionCount, standbys }, other }) => {
        expect(assign(other, partitionCount, { standbys })).toEqual(assign(members, partitionCount, { standbys }));
      }),
    );
  });

  test('aims at a balance within one, and moves no more partitions than that takes', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const view = viewOf(members, partitionCount);
        const target = balance(view);
        const counts = view.members.map((member) => [...target.values()].filter((other) => other === member).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        const moved = view.partitions.filter((p) => view.owner(p) !== undefined && view.owner(p) !== target.get(p));
        const owned = view.members.map((member) => view.ownedBy(member).length).sort((a, b) => b - a);
        const quota = (rank: number): number =>
          Math.floor(partitionCount / members.length) + (rank < partitionCount % members.length ? 1 : 0);
        expect(moved.length).toBe(owned.reduce((sum, count, rank) => sum + Math.max(0, count - quota(rank)), 0));
      }),
    );
  });

  test('gives a partition to a member without its state only where those that have it are full of others that they have', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount }) => {
        const view = viewOf(members, partitionCount);
        const target = balance(view);
        const cold = view.partitions.filter((p) => view.owner(p) !== target.get(p) && !view.isCaughtUp(target.get(p)!, p));
        for (const partition of cold) {
          const ready = view.members.filter((member) => member !== view.owner(partition) && view.isCaughtUp(member, partition));
          for (const member of ready) expect(cold.map((other) => target.get(other))).not.toContain(member);
        }
      }),
    );
  });

  test('lets somebody serve who is ready while the one that shall own a partition restores it', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount, standbys }) => {
        const view = viewOf(members, partitionCount);
        const assigned = assign(members, partitionCount, { standbys });
        for (const partition of view.partitions) {
          const owner = ownerOf(assigned, partition)!;
          const ready = view.members.filter((member) => view.isKnown(member) && view.isCaughtUp(member, partition));
          if (view.isKnown(owner) && ready.length > 0) expect(ready).toContain(owner);
          const warming = assigned.filter(({ warmups }) => warmups.includes(partition));
          expect(warming.length).toBeLessThanOrEqual(1);
          expect(warming.map(({ memberId }) => memberId)).not.toContain(owner);
        }
      }),
    );
  });

  test('has as many standbys per partition as were asked for and there are others, none of them its owner', () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount, standbys }) => {
        const assigned = assign(members, partitionCount, { standbys });
        const known = members.filter(({ state }) => state !== undefined).map(({ memberId }) => memberId);
        for (let partition = 0; partition < partitionCount; partition++) {
          const owner = ownerOf(assigned, partition)!;
          const following = assigned.filter((member) => member.standbys.includes(partition)).map(({ memberId }) => memberId);
          expect(following).not.toContain(owner);
          expect(known).toEqual(expect.arrayContaining(following));
          expect(following.length).toBe(Math.min(standbys, Math.max(0, known.length - 1), known.filter((id) => id !== owner).length));
        }
      }),
    );
  });
});

/** A group whose members do what they are told: the state of each follows from what it was assigned. */
class Simulation {
  readonly #partitionCount: number;
  readonly #standbys: number;
  readonly #disks = new Map<string, { state: NonNullable<Member['state']>; isUp: boolean }>();
  #generationId = 0;
  #end = MUCH;

  constructor(partitionCount: number, standbys: number) {
    this.#partitionCount = partitionCount;
    this.#standbys = standbys;
  }

  /** A process with the disk of that name; it remembers nothing but what is on the disk. */
  start(name: string, host = name): this {
    const offsets = this.#disks.get(name)?.state.offsets ?? new Map<number, number>();
    this.#disks.set(name, { state: { generationId: -1, owned: new Map(), following: [], offsets, host }, isUp: true });
    return this;
  }

  stop(name: string): this {
    this.#disks.get(name)!.isUp = false;
    return this;
  }

  get names(): string[] {
    return [...this.#disks].filter(([, { isUp }]) => isUp).map(([name]) => name);
  }

  /** One rebalance. `caughtUp`: all that restore or follow have caught up before the next one. */
  rebalance(caughtUp = true): readonly Assigned[] {
    const members = this.names.map((memberId) => ({ memberId, state: this.#disks.get(memberId)!.state }));
    const assigned = assign(members, this.#partitionCount, { standbys: this.#standbys });
    this.#generationId++;
    this.#end += 100;
    for (const { memberId, partitions, standbys, warmups } of assigned) {
      const disk = this.#disks.get(memberId)!;
      const isAt = (p: number): boolean => this.#end - (disk.state.offsets.get(p) ?? 0) <= 1_000 || this.#generationId === 1;
      const served = caughtUp ? [...partitions, ...standbys, ...warmups] : partitions.filter(isAt);
      const fresh = served.map((p): [number, number] => [p, this.#end]);
      const following = [...new Set([...standbys, ...warmups])];
      const owned = new Map(partitions.map((p) => [p, disk.state.owned.get(p) ?? this.#generationId]));
      disk.state = {
        ...{ generationId: this.#generationId, owned, following, host: disk.state.host },
        offsets: new Map([...disk.state.offsets, ...fresh]),
      };
    }
    return assigned;
  }

  /** Rebalances until nothing is on its way any more. */
  settle(): readonly Assigned[] {
    for (let round = 0; round < 10; round++) {
      const assigned = this.rebalance();
      if (assigned.every(({ warmups }) => warmups.length === 0)) return this.rebalance();
    }
    throw new Error('does not settle');
  }
}

const shares = (assigned: readonly Assigned[]): Record<string, readonly number[]> =>
  Object.fromEntries(assigned.map(({ memberId, partitions }) => [memberId, partitions]));

describe('over the life of a group', () => {
  test('whatever came before, it settles balanced, and then nothing moves any more', () => {
    const steps = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), settle: fc.boolean() }), { maxLength: 12 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 13 }), fc.integer({ min: 0, max: 2 }), (toggles, partitionCount, standbys) => {
        const group = new Simulation(partitionCount, standbys).start('z');
        for (const { name, settle } of toggles) {
          if (group.names.includes(name)) group.stop(name);
          else group.start(name);
          group.rebalance(settle);
        }
        const settled = group.settle();
        const counts = settled.map(({ partitions }) => partitions.length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        const following = settled.map((member) => member.standbys.length);
        expect(Math.max(...following) - Math.min(...following)).toBeLessThanOrEqual(2);
        expect(group.rebalance()).toEqual(settled);
      }),
    );
  });

  test.each([
    [0, false],
    [0, true],
    [1, false],
    [1, true],
  ])(
    'in a rolling restart of three only those of the one that is away move, and they come back (%i standbys, others have caught up: %s)',
    (standbys, caughtUp) => {
      const group = new Simulation(12, standbys).start('a').start('b').start('c');
      const before = shares(group.settle());
      for (const name of ['a', 'b', 'c', 'b']) {
        const without = shares(group.stop(name).rebalance(caughtUp));
        for (const other of Object.keys(without)) expect(without[other]).toEqual(expect.arrayContaining([...before[other]!]));
        expect(shares(group.start(name).rebalance(caughtUp))).toEqual(before);
        expect(shares(group.settle())).toEqual(before);
      }
    },
  );

  test('after a restart of everybody each one gets what is on its disk, whoever comes first', () => {
    const group = new Simulation(10, 0).start('a').start('b').start('c');
    const before = shares(group.settle());
    for (const name of ['a', 'b', 'c']) group.stop(name);
    for (const name of ['c', 'a', 'b']) group.start(name).rebalance(false);
    expect(shares(group.settle())).toEqual(before);
  });

  test('a new member serves nothing before it has caught up, and its part after', () => {
    const group = new Simulation(4, 0).start('a');
    group.settle();
    group.start('b');
    expect(group.rebalance(false)).toMatchObject([
      { memberId: 'a', partitions: [0, 1, 2, 3], warmups: [] },
      { memberId: 'b', partitions: [], warmups: [0, 1] },
    ]);
    expect(group.rebalance(true)).toMatchObject([{ partitions: [0, 1, 2, 3] }, { warmups: [0, 1] }]);
    expect(shares(group.rebalance())).toEqual({ a: [2, 3], b: [0, 1] });
  });

  test('what a lost member owned goes to its standbys, and only what balances moves on from there, once it is warm', () => {
    const group = new Simulation(6, 1).start('a').start('b').start('c');
    const before = group.settle();
    const lost = before.find(({ memberId }) => memberId === 'a')!.partitions;
    const after = group.stop('a').rebalance(false);
    for (const partition of lost) {
      const standby = before.find((member) => member.standbys.includes(partition))!.memberId;
      expect(ownerOf(after, partition)).toBe(standby);
    }
    expect(group.settle().map(({ partitions }) => partitions.length)).toEqual([3, 3]);
  });

  test('standbys are on another host where there is one', () => {
    const group = new Simulation(8, 1).start('a1', 'a').start('a2', 'a').start('b1', 'b').start('b2', 'b');
    const settled = group.settle();
    for (let partition = 0; partition < 8; partition++) {
      const standby = settled.find((member) => member.standbys.includes(partition))!.memberId;
      expect(standby[0]).not.toBe(ownerOf(settled, partition)![0]);
    }
  });

  test("where partitions are released first, those that move are nobody's for one generation, and all others stay", () => {
    fc.assert(
      fc.property(groups, ({ members, partitionCount, standbys }) => {
        const view = viewOf(members, partitionCount);
        const atOnce = assign(members, partitionCount, { standbys });
        const released = assign(members, partitionCount, { standbys, releaseFirst: true });
        for (const partition of view.partitions) {
          const owner = view.owner(partition);
          const moves = owner !== undefined && ownerOf(atOnce, partition) !== owner;
          expect(ownerOf(released, partition)).toBe(moves ? undefined : ownerOf(atOnce, partition));
        }
      }),
    );
  });

  test('a build that says nothing gets its part at once, and nothing to follow', () => {
    const of = (value: number): ReadonlyMap<number, number> => new Map([0, 1, 2, 3].map((p) => [p, value]));
    const state = { generationId: 5, owned: of(5), following: [], host: 'h', offsets: of(MUCH) };
    const assigned = assign(
      [
        { memberId: 'new', state },
        { memberId: 'old', state: undefined },
      ],
      4,
      { standbys: 1 },
    );
    expect(assigned.map(({ memberId }) => memberId)).toEqual(['new', 'old']);
    expect(assigned[1]).toMatchObject({ standbys: [], warmups: [] });
    expect(assigned[0]!.warmups).toEqual([]);
    expect(assigned.map(({ partitions }) => partitions.length)).toEqual([2, 2]);
  });
});
