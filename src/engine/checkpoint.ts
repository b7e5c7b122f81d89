/** The engine's own table in every store. */
export const META_TABLE = 'meta';

/** How far the local store has followed the changelog. Written with every store write; never in the changelog. */
export interface Checkpoint {
  /** The changelog offset to restore from. */
  readonly changelogOffset: number;
  readonly stateVersion: number;
  /** Wall clock of the write: a store that slept through compaction's delete retention may miss tombstones. */
  readonly writtenAtMs: number;
}

export const CHECKPOINT_KEY = Buffer.from('checkpoint');

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  return Buffer.from(JSON.stringify(checkpoint));
}

/** undefined where it cannot be read: the store is a cache, so the caller wipes it. */
export function decodeCheckpoint(value: Buffer): Checkpoint | undefined {
  try {
    const parsed = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    const { changelogOffset, stateVersion, writtenAtMs } = parsed;
    if (typeof changelogOffset !== 'number' || typeof stateVersion !== 'number' || typeof writtenAtMs !== 'number') return undefined;
    return { changelogOffset, stateVersion, writtenAtMs };
  } catch {
    return undefined;
  }
}
