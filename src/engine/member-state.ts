/**
 * What the members of a group tell each other about state, as `userData` of the group protocol: a member what it owned and has on its disk (to whoever assigns), and
 * the one that assigns which partitions a member shall follow without owning them. JSON with a version: a build that does not know the version, or says
 * nothing, is still given partitions, and is given nothing to follow.
 */
export interface MemberState {
  /** The generation that `owned` is of; -1 where this process has seen none. */
  readonly generationId: number;
  /** Partitions that it owned in that generation, and the generation since which it has. */
  readonly owned: ReadonlyMap<number, number>;
  /** Partitions that it follows without owning them. */
  readonly following: readonly number[];
  /** Per partition, the changelog offset that the store on its disk has: where a restore would begin. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Members of one host are lost together: a standby belongs on another. */
  readonly host: string;
}

/** Partitions that a member follows without owning them. */
export interface Following {
  /** For when their owner is lost. */
  readonly standbys: readonly number[];
  /** Those that shall be its own, once its store has caught up. */
  readonly warmups: readonly number[];
}

const VERSION = 1;
const NOTHING: Following = { standbys: [], warmups: [] };

export function encodeMemberState({ generationId, owned, following, offsets, host }: MemberState): Buffer {
  return Buffer.from(JSON.stringify({ version: VERSION, generationId, owned: [...owned], following, offsets: [...offsets], host }));
}

/** undefined for what another version wrote. */
export function decodeMemberState(userData: Buffer): MemberState | undefined {
  const { generationId, owned, following, offsets, host } = fields(userData);
  if (!isCount(generationId, -1) || !arePairs(owned) || !areCounts(following) || !arePairs(offsets) || typeof host !== 'string')
    return undefined;
  return { generationId, owned: new Map(owned), following, offsets: new Map(offsets), host };
}

export function encodeFollowing({ standbys, warmups }: Following): Buffer {
  return Buffer.from(JSON.stringify({ version: VERSION, standbys, warmups }));
}

/** Nothing to follow, where another version assigned. */
export function decodeFollowing(userData: Buffer): Following {
  const { standbys, warmups } = fields(userData);
  return areCounts(standbys) && areCounts(warmups) ? { standbys, warmups } : NOTHING;
}

function fields(userData: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(userData.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && parsed.version === VERSION) return { ...parsed };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return {};
}

function isCount(value: unknown, least = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => isCount(one));
}

function arePairs(value: unknown): value is [number, number][] {
  return Array.isArray(value) && value.every((pair) => areCounts(pair) && pair.length === 2);
}
