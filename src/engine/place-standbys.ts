import type { GroupView } from './group-view.ts';
import { Placement } from './placement.ts';

/**
 * For each partition `count` members that do not own it, as far as there are so many: on other hosts than the owner's where that is possible, those that
 * follow it already first, then those that have its state, and the same number for each member where that is possible. Warm-ups count: they follow too.
 */
export function placeStandbys(
  view: GroupView,
  owners: ReadonlyMap<number, string>,
  warmups: ReadonlyMap<number, string>,
  count: number,
): ReadonlyMap<number, ReadonlySet<string>> {
  const members = view.members.filter((member) => view.isKnown(member));
  const followers = new Map(view.partitions.map((partition) => [partition, new Set<string>()]));
  const load = new Map(members.map((member) => [member, 0]));
  const follow = (partition: number, member: string): void => {
    followers.get(partition)!.add(member);
    load.set(member, load.get(member)! + 1);
  };
  if (count > 0) for (const [partition, member] of warmups) follow(partition, member);

  const allowed = (partition: number): readonly string[] => {
    const owner = owners.get(partition)!;
    const others = members.filter((member) => member !== owner && !followers.get(partition)!.has(member));
    const elsewhere = others.filter((member) => !view.areTogether(member, owner));
    return (elsewhere.length > 0 ? elsewhere : others).toSorted((a, b) => view.lag(a, partition) - view.lag(b, partition));
  };
  const following = (partition: number): string[] => allowed(partition).filter((member) => view.isFollowing(member, partition));
  const ready = (partition: number): string[] => allowed(partition).filter((member) => view.isCaughtUp(member, partition));

  const rounds = Math.min(count, members.length - 1);
  const quotas = quotasOf(view, members, view.partitions.length * rounds);
  for (let round = 1; round <= rounds; round++) {
    const placement = new Placement(new Map(members.map((member) => [member, quotas.get(member)! - load.get(member)!])));
    let open = view.partitions.filter((partition) => followers.get(partition)!.size < round);
    for (const candidates of [following, ready, allowed]) open = open.filter((partition) => !placement.place(partition, candidates));
    for (const [partition, member] of placement.memberOf) follow(partition, member);
    // Whoever had room owns these.
    for (const partition of open) {
      const [member] = allowed(partition).toSorted((a, b) => load.get(a)! - load.get(b)!);
      if (member !== undefined) follow(partition, member);
    }
  }
  return followers;
}

/** An equal part each; what does not divide goes to those who follow most already. */
function quotasOf(view: GroupView, members: readonly string[], places: number): ReadonlyMap<string, number> {
  const least = Math.floor(places / members.length);
  const held = new Map(
    members.map((member) => [member, view.partitions.filter((partition) => view.isFollowing(member, partition)).length]),
  );
  const ranked = members.toSorted((a, b) => held.get(b)! - held.get(a)!);
  return new Map(ranked.map((member, rank) => [member, rank < places % members.length ? least + 1 : least]));
}
