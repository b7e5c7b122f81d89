import { OffsetOutOfRangeError } from '../log/errors.ts';
import type { Log, LogRecord } from '../log/port.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { CHECKPOINT_KEY, decodeCheckpoint, encodeCheckpoint, META_TABLE } from './checkpoint.ts';
import { FatalError } from './errors.ts';
import { failpoint } from './failpoint.ts';
import type { EngineObserver } from './observer.ts';
import { decodePosition, POSITION_KEY, type PositionRow } from './position.ts';
import type { Clock, Row, StageTask } from './stage.ts';

/** Half of the changelog's `delete.retention.ms` (7 days): behind that, a tombstone that the store has not seen may be gone. */
export const MAX_STORE_AGE_MS = 3.5 * 24 * 3_600_000;

/** Without a moved position for this long a restore fails, and says what holds it. */
const NO_PROGRESS_MS = 60_000;
const RESTORE_FETCH_BYTES = 4 * 1024 * 1024;

export interface RestoreInput {
  readonly log: Log;
  readonly store: PartitionStore;
  readonly stageTask: StageTask;
  readonly partition: number;
  readonly partitions: number;
  readonly changelogTopic: string;
  readonly rowTable: string;
  readonly stateVersion: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly observer: EngineObserver;
}

/**
 * Brings the local store up to the changelog. Call it only after fencing: the predecessor's transaction is then finished, and the high
 * watermark captured here covers everything that it committed. Positions are compared, records never counted (compaction and markers
 * leave holes). Returns the position row, or undefined where nothing was ever committed.
 */
export async function restore(input: RestoreInput): Promise<PositionRow | undefined> {
  const began = input.clock.nowMs();
  const { start, end } = await changelogBounds(input);
  const from = await usableOffset(input, start, end);
  const rows = await replay(input, from ?? start, end).catch(async (error: unknown) => {
    // Compaction or retention moved the log's start since we looked: what is on disk no longer connects to it.
    if (!(error instanceof OffsetOutOfRangeError)) throw error;
    await input.store.wipe();
    return replay(input, (await changelogBounds(input)).start, end);
  });
  input.observer.restored(input.partition, rows, (input.clock.nowMs() - began) / 1000);
  const value = await input.store.get(META_TABLE, POSITION_KEY);
  if (value === null) return undefined;
  return checked(input, decodePosition(value, `${input.changelogTopic}-${input.partition}`));
}

async function changelogBounds(input: RestoreInput): Promise<{ start: number; end: number }> {
  const bounds = (await input.log.admin.offsets(input.changelogTopic)).get(input.partition);
  if (bounds === undefined) throw new FatalError(`${input.changelogTopic}-${input.partition} does not exist; run "lull topics create"`);
  return bounds;
}

/** Where the store on disk ends, or undefined after wiping one that cannot be used. */
async function usableOffset(input: RestoreInput, start: number, end: number): Promise<number | undefined> {
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
  await input.store.wipe();
  return undefined;
}

async function replay(input: RestoreInput, from: number, end: number): Promise<number> {
  const { changelogTopic: topic, partition, observer } = input;
  if (from >= end) return 0;
  const reader = input.log.reader({ topic, partition, offset: from, maxBytes: RESTORE_FETCH_BYTES });
  let rows = 0;
  let movedAtMs = input.clock.nowMs();
  try {
    while (reader.position < end) {
      const before = reader.position;
      const batch = await reader.fetch({ signal: input.signal });
      if (batch.nextOffset > before) movedAtMs = input.clock.nowMs();
      else if (input.clock.nowMs() - movedAtMs > NO_PROGRESS_MS) throw stuck(input, batch.nextOffset, end, batch.lastStableOffset);
      await apply(input, batch.records, batch.nextOffset);
      rows += batch.records.length;
      observer.restoring({ topic, partition }, batch.nextOffset, end);
      failpoint('while-restoring');
    }
  } finally {
    await reader.close();
  }
  return rows;
}

function stuck(input: RestoreInput, position: number, end: number, lastStableOffset: number): Error {
  const where = `${input.changelogTopic}-${input.partition}`;
  const cause =
    lastStableOffset <= position
      ? `an open transaction holds its last stable offset at ${lastStableOffset}; another producer writes to the changelog`
      : 'the broker returns nothing';
  return new Error(`${where}: restoring stopped at offset ${position} of ${end} for ${NO_PROGRESS_MS / 1000} s: ${cause}`);
}

async function apply(input: RestoreInput, records: readonly LogRecord[], nextOffset: number): Promise<void> {
  const latest = new Map<string, Row>();
  let position: Buffer | null = null;
  for (const record of records) {
    if (record.key === null)
      throw new FatalError(`${input.changelogTopic}-${input.partition}@${record.offset}: a row without a key; who wrote it?`);
    if (record.key.equals(POSITION_KEY)) position = record.value;
    else latest.set(record.key.toString('latin1'), { key: record.key, value: record.value });
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
}

function checked(input: RestoreInput, row: PositionRow): PositionRow {
  const where = `${input.changelogTopic}-${input.partition}`;
  if (row.stateVersion !== input.stateVersion) {
    throw new FatalError(
      `${where} was written with state version ${row.stateVersion}, this build has ${input.stateVersion}: run the build that wrote it, or a migration`,
    );
  }
  if (row.partitions !== input.partitions) {
    throw new FatalError(
      `${where} was written with ${row.partitions} input partitions, now there are ${input.partitions}: the count is fixed for life, since keys would move`,
    );
  }
  return row;
}
