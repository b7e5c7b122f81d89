import { FatalLogError } from '../errors.ts';
import { inTurn } from '../in-turn.ts';
import type { Assign, Generation } from '../port.ts';

export interface GroupMember {
  readonly memberId: string;
  readonly topic: string;
  readonly partitionCount: number;
  readonly userData: () => Buffer;
  readonly assign: Assign | undefined;
  readonly onGeneration: (generation: Generation) => void;
}

interface Group {
  readonly members: Map<string, GroupMember>;
  readonly offsets: Map<string, Map<number, number>>;
  generationId: number;
}

/** Group coordination: every join, leave or eviction is a new generation for all members (eager). The first member of a topic assigns. */
export class MemoryGroups {
  readonly #groups = new Map<string, Group>();
  #members = 0;

  /** The id of a predecessor that is still a member, whose place is taken over; else a fresh one. */
  knownOrNew(groupId: string, memberId: string | undefined): string {
    if (memberId !== undefined && this.has(groupId, memberId)) return memberId;
    return `member-${String(++this.#members).padStart(4, '0')}`;
  }

  join(groupId: string, member: GroupMember): void {
    this.#group(groupId).members.set(member.memberId, member);
    this.#rebalance(groupId);
  }

  remove(groupId: string, memberId: string): void {
    if (this.#group(groupId).members.delete(memberId)) this.#rebalance(groupId);
  }

  rejoin(groupId: string, memberId: string): void {
    if (this.has(groupId, memberId)) this.#rebalance(groupId);
  }

  has(groupId: string, memberId: string): boolean {
    return this.#group(groupId).members.has(memberId);
  }

  offsets(groupId: string, topic: string): ReadonlyMap<number, number> {
    return new Map(this.#group(groupId).offsets.get(topic));
  }

  commit(groupId: string, topic: string, offsets: Iterable<readonly [number, number]>): void {
    const group = this.#group(groupId);
    let held = group.offsets.get(topic);
    if (held === undefined) group.offsets.set(topic, (held = new Map<number, number>()));
    for (const [partition, offset] of offsets) held.set(partition, offset);
  }

  requireEmpty(groupId: string): void {
    const count = this.#group(groupId).members.size;
    if (count > 0) throw new FatalLogError(`group ${groupId} has ${count} members: stop them before its offsets are set`);
  }

  #rebalance(groupId: string): void {
    const group = this.#group(groupId);
    const generationId = ++group.generationId;
    const members = [...group.members.values()].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
    for (const [, peers] of Map.groupBy(members, ({ topic }) => topic)) {
      const { assign = inTurn, partitionCount } = peers[0]!;
      const said = peers.map(({ memberId, userData }) => ({ memberId, userData: userData() }));
      const shares = new Map(assign(said, partitionCount).map((share) => [share.memberId, share]));
      for (const { memberId, onGeneration } of peers) {
        const share = shares.get(memberId);
        const partitions = [...(share?.partitions ?? [])].sort((a, b) => a - b);
        onGeneration({ generationId, memberId, partitions, userData: share?.userData ?? Buffer.alloc(0) });
      }
    }
  }

  #group(groupId: string): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) this.#groups.set(groupId, (group = { members: new Map(), offsets: new Map(), generationId: 0 }));
    return group;
  }
}
