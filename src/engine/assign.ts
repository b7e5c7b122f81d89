import type { Assign } from '../log/port.ts';
import { balance } from './balance.ts';
import { GroupView, type Member } from './group-view.ts';
import { decodeMemberState, encodeFollowing, type Following } from './member-state.ts';
import { placeStandbys } from './place-standbys.ts';

/** Changelog offsets that are replayed in the blink of an eye: no reason to keep a partition where it is. */
export const ACCEPTABLE_LAG = 10_000;

export interface AssignOptions {
  /** Members per partition that follow it without owning it, as far as there are others. */
  readonly standbys: number;
  /** A partition that moves is nobody's for a generation, so that its owner can close it first and ask for the next one. Default false. */
  readonly releaseFirst?: boolean;
  /** Default `ACCEPTABLE_LAG`. */
  readonly acceptableLag?: number;
}

export interface Assigned extends Following {
  readonly memberId: string;
  readonly partitions: readonly number[];
}

/**
 * Shares the partitions out, in three steps. Pure: the same members, saying the same, get the same, whoever of them is asked.
 *
 *  1. Balance: who shall own what (`balance.ts`).
 *  2. Warm-up: who shall own a partition and would have to restore it for long, follows it first. Until its store has caught up, somebody who is ready
 *     serves the partition: its owner, or a standby of an owner that was lost. So it is never down for the time of a restore if anybody has its state.
 *  3. Standbys (`place-standbys.ts`).
 *
 * Every partition is given to exactly one member; with `releaseFirst`, those that move are given to nobody this time.
 */
export function assign(members: readonly Member[], partitionCount: number, options: AssignOptions): readonly Assigned[] {
  const view = new GroupView(members, partitionCount, options.acceptableLag ?? ACCEPTABLE_LAG);
  const owners = new Map<number, string>();
  const warmups = new Map<number, string>();
  for (const [partition, member] of balance(view)) {
    const instead = view.isKnown(member) && !view.isCaughtUp(member, partition) ? readyFor(view, partition, owners) : undefined;
    owners.set(partition, instead ?? member);
    if (instead !== undefined) warmups.set(partition, member);
  }
  const standbys = placeStandbys(view, owners, warmups, options.standbys);
  if (options.releaseFirst === true)
    for (const partition of view.partitions) {
      const owner = view.owner(partition);
      if (owner !== undefined && owner !== owners.get(partition)) owners.delete(partition);
    }
  const of = (places: ReadonlyMap<number, string>, member: string): number[] =>
    view.partitions.filter((partition) => places.get(partition) === member);
  return view.members.map((memberId) => ({
    memberId,
    partitions: of(owners, memberId),
    standbys: view.partitions.filter((partition) => standbys.get(partition)?.has(memberId)),
    warmups: of(warmups, memberId),
  }));
}

/** For the group protocol. */
export function assignor(options: AssignOptions): Assign {
  return (members, partitionCount) =>
    assign(
      members.map(({ memberId, userData }) => ({ memberId, state: decodeMemberState(userData) })),
      partitionCount,
      options,
    ).map(({ memberId, partitions, ...following }) => ({ memberId, partitions, userData: encodeFollowing(following) }));
}

/** Who can serve the partition at once: its owner, else the one of those that have caught up who serves the least. */
function readyFor(view: GroupView, partition: number, owners: ReadonlyMap<number, string>): string | undefined {
  const ready = view.members.filter((member) => view.isKnown(member) && view.isCaughtUp(member, partition));
  const owner = view.owner(partition);
  if (owner !== undefined) return owner;
  const load = new Map(ready.map((member) => [member, [...owners.values()].filter((other) => other === member).length]));
  return ready.toSorted((a, b) => load.get(a)! - load.get(b)! || view.lag(a, partition) - view.lag(b, partition))[0];
}
