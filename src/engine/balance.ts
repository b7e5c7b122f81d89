import type { GroupView } from './group-view.ts';
import { Placement } from './placement.ts';

/**
 * Who shall own what: balanced within one, and of all such outcomes one that
 *
 *  1. moves the fewest partitions (a member gives up only what is over its quota, nobody swaps);
 *  2. gives as many as possible of those that move to a member whose disk has their state;
 *  3. lets the others go to where the least has to be replayed.
 */
export function balance(view: GroupView): ReadonlyMap<number, string> {
  const quotas = quotasOf(view);
  const owned = new Map(view.members.map((member) => [member, view.ownedBy(member)]));
  const excess = new Map(view.members.map((member) => [member, Math.max(0, owned.get(member)!.length - quotas.get(member)!)]));
  const placement = new Placement(new Map(view.members.map((member) => [member, quotas.get(member)! - owned.get(member)!.length])));
  const caughtUp = (partition: number): string[] => byLag(view, partition).filter((member) => view.isCaughtUp(member, partition));

  const orphans = view.partitions.filter((partition) => view.owner(partition) === undefined);
  const homeless = orphans.filter((partition) => !placement.place(partition, caughtUp));
  const shed = (member: string, partition: number): void => {
    excess.set(member, excess.get(member)! - 1);
    owned.set(
      member,
      owned.get(member)!.filter((other) => other !== partition),
    );
  };
  for (const member of view.members) {
    for (const partition of nearestFirst(view, owned.get(member)!, placement)) {
      if (excess.get(member)! > 0 && placement.place(partition, caughtUp)) shed(member, partition);
    }
    // Nobody is ready for the rest.
    for (const partition of nearestFirst(view, owned.get(member)!, placement).slice(0, excess.get(member))) {
      shed(member, partition);
      homeless.push(partition);
    }
  }

  const target = new Map(placement.memberOf);
  for (const [member, kept] of owned) for (const partition of kept) target.set(partition, member);
  const room = new Map(view.members.map((member) => [member, Math.max(0, placement.room(member))]));
  const pairs = homeless.flatMap((partition) => byLag(view, partition).map((member) => ({ partition, member })));
  pairs.sort((a, b) => view.lag(a.member, a.partition) - view.lag(b.member, b.partition) || a.partition - b.partition);
  for (const { partition, member } of pairs) {
    const left = room.get(member)!;
    if (target.has(partition) || left === 0) continue;
    target.set(partition, member);
    room.set(member, left - 1);
  }
  return target;
}

/** An equal part each; what does not divide goes to those who own most already, then to those with the most state on their disks. */
function quotasOf(view: GroupView): ReadonlyMap<string, number> {
  const least = Math.floor(view.partitions.length / view.members.length);
  const over = view.partitions.length % view.members.length;
  const owned = new Map(view.members.map((member) => [member, view.ownedBy(member).length]));
  const held = new Map(
    view.members.map((member) => [member, view.partitions.filter((partition) => view.isCaughtUp(member, partition)).length]),
  );
  const ranked = view.members.toSorted((a, b) => owned.get(b)! - owned.get(a)! || held.get(b)! - held.get(a)!);
  return new Map(ranked.map((member, rank) => [member, rank < over ? least + 1 : least]));
}

function byLag(view: GroupView, partition: number): string[] {
  return view.members.toSorted((a, b) => view.lag(a, partition) - view.lag(b, partition));
}

/**
 * In which order a member gives up what it has too much of: first what somebody with room is ready for, and of that what came last: it was taken in for
 * one that is back. Then that of which somebody with room would have to replay the least.
 */
function nearestFirst(view: GroupView, partitions: readonly number[], placement: Placement): number[] {
  const takers = view.members.filter((member) => placement.room(member) > 0);
  const distance = new Map(
    partitions.map((partition) => {
      const isReady = takers.some((member) => view.isCaughtUp(member, partition));
      return [partition, isReady ? 0 : Math.min(...takers.map((member) => view.lag(member, partition)))];
    }),
  );
  return partitions.toSorted((a, b) => distance.get(a)! - distance.get(b)! || view.ownedSince(b) - view.ownedSince(a) || a - b);
}
