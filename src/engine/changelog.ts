import type { Log, LogRecords } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { CHECKPOINT_KEY, decodeCheckpoint, encodeCheckpoint, META_TABLE } from './checkpoint.ts';
import { FatalError } from './errors.ts';
import type { EngineObserver } from './observer.ts';
import { POSITION_KEY } from './position.ts';
import type { Clock, Row, StageTask } from './stage.ts';

/** Half of the changelog's `delete.retention.ms` (7 days): behind that, a tombstone that the store has not seen may be gone. */
export const MAX_STORE_AGE_MS = 3.5 * 24 * 3_600_000;

/** One partition's changelog, and the local store that follows it: in a restore up to an end, in a standby for ever. */
export interface ChangelogInput {
  readonly log: Log;
  readonly store: PartitionStore;
  /** For the derived rows. */
  readonly stageTask: Pick<StageTask, 'restored'>;
  readonly partition: number;
  readonly changelogTopic: string;
  readonly rowTable: string;
  readonly stateVersion: number;
  readonly clock: Clock;
  readonly observer: EngineObserver;
  /** Told of each offset that the store has reached; 0 when it was wiped. */
  readonly onStored: (changelogOffset: number) => void;
}

/** Where the changelog begins and ends (its high watermark) now. */
export async function changelogBounds(input: ChangelogInput): Promise<{ readonly start: number; readonly end: number }> {
  const bounds = (await input.log.admin.offsets(input.changelogTopic)).get(input.partition);
  if (bounds === undefined) throw new FatalError(`${input.changelogTopic}-${input.partition} does not exist; run "lull topics create"`);
  return bounds;
}

/** Where the store on disk ends, or undefined after wiping one that cannot be used. */
export async function usableOffset(input: ChangelogInput, start: number, end: number): Promise<number | undefined> {
  const value = await input.store.get(META_TABLE, CHECKPOINT_KEY);
  if (value === null) return undefined;
  const checkpoint = decodeCheckpoint(value);
  const reason =
    checkpoint === undefined
      ? 'its checkpoint cannot be read'
      : checkpoint.stateVersion !== input.stateVersion
        ? `it has state version ${checkpoint.stateVersion}, this build ${input.stateVersion}`
        : checkpoint.changelogOffset > end || checkpoint.changelogOffset < start
          ? `it ends at ${checkpoint.changelogOffset}, the changelog spans ${start} to ${end}`
          : input.clock.nowMs() - checkpoint.writtenAtMs > MAX_STORE_AGE_MS
            ? 'it was last written too long ago'
            : undefined;
  if (reason === undefined) return checkpoint?.changelogOffset;
  input.observer.note('warn', `partition ${input.partition}: the local store is wiped and restored: ${reason}`);
  await wipe(input);
  return undefined;
}

export async function wipe(input: ChangelogInput): Promise<void> {
  await input.store.wipe();
  input.onStored(0);
}

/** Rows of one write. Decoding them is done in one go, and the partitions that run wait for it. */
const ROWS_PER_WRITE = 1_000;

/** One fetched batch, in atomic writes: each has rows, derived rows, the position row, and how far the store is then. */
export async function applyRows(input: ChangelogInput, records: LogRecords, nextOffset: number): Promise<void> {
  for (let from = 0; from < records.length || from === 0; from += ROWS_PER_WRITE) {
    const part = records.slice(from, from + ROWS_PER_WRITE);
    const isLast = from + ROWS_PER_WRITE >= records.length;
    await applyPart(input, part, isLast ? nextOffset : part.at(-1)!.offset + 1);
  }
}

async function applyPart(input: ChangelogInput, records: LogRecords, nextOffset: number): Promise<void> {
  const latest = new Map<string, Row>();
  let position: Buffer | null = null;
  for (const { key, value, offset } of records) {
    if (key === null) throw new FatalError(`${input.changelogTopic}-${input.partition}@${offset}: a row without a key; who wrote it?`);
    if (key.equals(POSITION_KEY)) position = value;
    else latest.set(key.toString('latin1'), { key, value });
  }
  const rows = [...latest.values()];
  const previous = await input.store.getMany(
    input.rowTable,
    rows.map((row) => row.key),
  );
  const checkpoint = { changelogOffset: nextOffset, stateVersion: input.stateVersion, writtenAtMs: input.clock.nowMs() };
  const ops: StoreOp[] = [
    ...rows.map((row) => ({ table: input.rowTable, key: row.key, value: row.value })),
    ...input.stageTask.restored(rows, previous),
    { table: META_TABLE, key: CHECKPOINT_KEY, value: encodeCheckpoint(checkpoint) },
  ];
  if (position !== null) ops.push({ table: META_TABLE, key: POSITION_KEY, value: position });
  await input.store.write(ops);
  input.onStored(nextOffset);
}
