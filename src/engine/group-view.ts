import type { MemberState } from './member-state.ts';

export interface Member {
  readonly memberId: string;
  /** undefined for a build that says nothing, or says it in another version. */
  readonly state: MemberState | undefined;
}

/** What the members say, put together: who owns what, and how far each one's disk is behind. All orders are by partition and member id, so that every leader sees the same. */
export class GroupView {
  /** In the order of their ids. */
  readonly members: readonly string[];
  readonly partitions: readonly number[];
  readonly #states: ReadonlyMap<string, MemberState | undefined>;
  readonly #acceptableLag: number;
  readonly #owners = new Map<number, string>();
  readonly #ends: readonly number[];

  constructor(members: readonly Member[], partitionCount: number, acceptableLag: number) {
    this.members = members.map(({ memberId }) => memberId).sort();
    this.partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
    this.#states = new Map(members.map(({ memberId, state }) => [memberId, state]));
    this.#acceptableLag = acceptableLag;
    this.#ends = this.partitions.map((partition) => Math.max(0, ...this.members.map((member) => this.#offset(member, partition))));
    // Two may say that they own a partition, where one of them was away for a generation: the later one is right.
    const byGeneration = this.members.toSorted((a, b) => this.#generation(b) - this.#generation(a));
    for (const member of byGeneration) {
      for (const partition of this.#states.get(member)?.owned.keys() ?? []) {
        if (partition < partitionCount && !this.#owners.has(partition)) this.#owners.set(partition, member);
      }
    }
  }

  /** Whether the member can be given something to follow. */
  isKnown(member: string): boolean {
    return this.#states.get(member) !== undefined;
  }

  /** Who serves the partition: its owner of the last generation, if that one is still there and does not restore it yet while somebody else is ready. */
  owner(partition: number): string | undefined {
    const owner = this.#owners.get(partition);
    return owner !== undefined && this.isCaughtUp(owner, partition) ? owner : undefined;
  }

  /** The generation in which the partition came to its owner; 0 where there is none. */
  ownedSince(partition: number): number {
    const owner = this.owner(partition);
    return owner === undefined ? 0 : (this.#states.get(owner)?.owned.get(partition) ?? 0);
  }

  ownedBy(member: string): readonly number[] {
    return this.partitions.filter((partition) => this.owner(partition) === member);
  }

  isFollowing(member: string, partition: number): boolean {
    return this.#states.get(member)?.following.includes(partition) ?? false;
  }

  /** Changelog offsets that the member would have to replay: against the most advanced of all members. */
  lag(member: string, partition: number): number {
    return this.#ends[partition]! - this.#offset(member, partition);
  }

  /** Near enough that taking the partition over is a matter of a moment. */
  isCaughtUp(member: string, partition: number): boolean {
    return this.lag(member, partition) <= this.#acceptableLag;
  }

  areTogether(one: string, other: string): boolean {
    return this.#states.get(one)?.host === this.#states.get(other)?.host;
  }

  #offset(member: string, partition: number): number {
    return this.#states.get(member)?.offsets.get(partition) ?? 0;
  }

  #generation(member: string): number {
    return this.#states.get(member)?.generationId ?? -1;
  }
}
