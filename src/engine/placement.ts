/** Who may take a partition, best first. */
export type Candidates = (partition: number) => readonly string[];

/**
 * Partitions on members with limited room, one place per partition: matching by augmenting paths (Kuhn). Where somebody stands in the way who could
 * as well stand elsewhere, he moves. So as many partitions as can have one of their candidates do have one.
 */
export class Placement {
  readonly #room: ReadonlyMap<string, number>;
  readonly #taken = new Map<string, Set<number>>();
  readonly #memberOf = new Map<number, string>();

  constructor(room: ReadonlyMap<string, number>) {
    this.#room = room;
  }

  get memberOf(): ReadonlyMap<number, string> {
    return this.#memberOf;
  }

  /** Room that is left. */
  room(member: string): number {
    return (this.#room.get(member) ?? 0) - (this.#taken.get(member)?.size ?? 0);
  }

  /** False where all of its candidates are full of partitions that have no other place. */
  place(partition: number, candidates: Candidates): boolean {
    return this.#place(partition, candidates, new Set());
  }

  #place(partition: number, candidates: Candidates, asked: Set<string>): boolean {
    const free = candidates(partition).find((member) => this.room(member) > 0);
    if (free !== undefined) {
      this.#put(partition, free);
      return true;
    }
    for (const member of candidates(partition)) {
      if (asked.has(member)) continue;
      asked.add(member);
      for (const other of this.#taken.get(member) ?? []) {
        if (!this.#place(other, candidates, asked)) continue;
        this.#put(partition, member);
        return true;
      }
    }
    return false;
  }

  #put(partition: number, member: string): void {
    const before = this.#memberOf.get(partition);
    if (before !== undefined) this.#taken.get(before)?.delete(partition);
    this.#memberOf.set(partition, member);
    const taken = this.#taken.get(member);
    if (taken === undefined) this.#taken.set(member, new Set([partition]));
    else taken.add(partition);
  }
}
