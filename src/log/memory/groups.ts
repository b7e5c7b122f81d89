import { FatalLogError } from '../errors.ts';
import type { Generation } from '../port.ts';

export interface GroupMember {
  readonly memberId: string;
  readonly topic: string;
  readonly partitionCount: number;
  readonly onGeneration: (generation: Generation) => void;
}

interface Group {
  readonly members: Map<string, GroupMember>;
  readonly offsets: Map<string, Map<number, number>>;
  generationId: number;
}

/** Group coordination: every join, leave or eviction is a new generation for all members (eager), partitions dealt in turn. */
export class MemoryGroups {
  readonly #groups = new Map<string, Group>();
  #members = 0;

  newMemberId(): string {
    return `member-${String(++this.#members).padStart(4, '0')}`;
  }

  join(groupId: string, member: GroupMember): void {
    this.#group(groupId).members.set(member.memberId, member);
    this.#rebalance(groupId);
  }

  remove(groupId: string, memberId: string): void {
    if (this.#group(groupId).members.delete(memberId)) this.#rebalance(groupId);
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
    for (const member of members) {
      const peers = members.filter(({ topic }) => topic === member.topic);
      const mine = peers.indexOf(member);
      const partitions = Array.from({ length: member.partitionCount }, (_, p) => p).filter((p) => p % peers.length === mine);
      member.onGeneration({ generationId, memberId: member.memberId, partitions });
    }
  }

  #group(groupId: string): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) this.#groups.set(groupId, (group = { members: new Map(), offsets: new Map(), generationId: 0 }));
    return group;
  }
}
