import type { GroupMember, MemberShare } from './port.ts';

/** Partitions in turn over the members in the order of their ids: what a group does whose members have no better idea. */
export function inTurn(members: readonly GroupMember[], partitionCount: number): readonly MemberShare[] {
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  const ids = members.map(({ memberId }) => memberId).sort();
  return ids.map((memberId, turn) => ({
    memberId,
    partitions: partitions.filter((partition) => partition % ids.length === turn),
    userData: Buffer.alloc(0),
  }));
}
