import { OffsetOutOfRangeError } from '../log/errors.ts';
import { applyRows, changelogBounds, usableOffset, wipe, type ChangelogInput } from './changelog.ts';
import { META_TABLE } from './checkpoint.ts';
import { FatalError } from './errors.ts';
import { failpoint } from './failpoint.ts';
import { decodePosition, POSITION_KEY, type PositionRow } from './position.ts';

/** Without a moved position for this long a restore fails, and says what holds it. */
const NO_PROGRESS_MS = 60_000;
const RESTORE_FETCH_BYTES = 4 * 1024 * 1024;

export interface RestoreInput extends ChangelogInput {
  readonly oldestStateVersion: number;
  readonly partitions: number;
  /** See `Stage`. Default false. */
  readonly inputMayGrow?: boolean;
  readonly signal: AbortSignal;
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
  const done = await replay(input, from ?? start, end).catch(async (error: unknown) => {
    // Compaction or retention moved the log's start since we looked: what is on disk no longer connects to it.
    if (!(error instanceof OffsetOutOfRangeError)) throw error;
    await wipe(input);
    return replay(input, (await changelogBounds(input)).start, end);
  });
  input.observer.restored(input.partition, { ...done, seconds: (input.clock.nowMs() - began) / 1000 });
  const value = await input.store.get(META_TABLE, POSITION_KEY);
  if (value === null) return undefined;
  return checked(input, decodePosition(value, `${input.changelogTopic}-${input.partition}`));
}

interface Replayed {
  readonly rows: number;
  /** Of keys and values. */
  readonly bytes: number;
}

async function replay(input: RestoreInput, from: number, end: number): Promise<Replayed> {
  const { log, clock, changelogTopic: topic, partition, observer, signal } = input;
  let [rows, bytes] = [0, 0];
  if (from >= end) return { rows, bytes };
  const reader = log.reader({ topic, partition, offset: from, maxBytes: RESTORE_FETCH_BYTES });
  const beganMs = clock.nowMs();
  let movedAtMs = beganMs;
  try {
    while (reader.position < end) {
      const before = reader.position;
      const batch = await reader.fetch({ signal, deadlineMs: NO_PROGRESS_MS });
      if (batch.nextOffset > before) movedAtMs = clock.nowMs();
      else if (clock.nowMs() - movedAtMs > NO_PROGRESS_MS) throw stuck(input, batch.nextOffset, end, batch.lastStableOffset);
      await applyRows(input, batch.records, batch.nextOffset);
      rows += batch.records.length;
      for (const { key, value } of batch.records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
      const seconds = (clock.nowMs() - beganMs) / 1000;
      observer.restoring(partition, { from, position: Math.min(batch.nextOffset, end), end, rows, bytes, seconds });
      failpoint('while-restoring');
    }
  } finally {
    await reader.close();
  }
  return { rows, bytes };
}

function stuck(input: RestoreInput, position: number, end: number, lastStableOffset: number): Error {
  const where = `${input.changelogTopic}-${input.partition}`;
  const cause =
    lastStableOffset <= position
      ? `an open transaction holds its last stable offset at ${lastStableOffset}; another producer writes to the changelog`
      : 'the broker returns nothing';
  return new Error(`${where}: restoring stopped at offset ${position} of ${end} for ${NO_PROGRESS_MS / 1000} s: ${cause}`);
}

function checked(input: RestoreInput, row: PositionRow): PositionRow {
  const where = `${input.changelogTopic}-${input.partition}`;
  if (row.stateVersion > input.stateVersion || row.stateVersion < input.oldestStateVersion) {
    const reads =
      input.oldestStateVersion === input.stateVersion
        ? `has ${input.stateVersion}`
        : `reads ${input.oldestStateVersion} to ${input.stateVersion}`;
    const orElse = row.stateVersion > input.stateVersion ? 'a newer one' : 'start over with another --prefix';
    throw new FatalError(
      `${where} was written with state version ${row.stateVersion}, this build ${reads}: run the build that wrote it, or ${orElse}`,
    );
  }
  const hasGrown = input.inputMayGrow === true && row.partitions < input.partitions;
  if (row.partitions !== input.partitions && !hasGrown) {
    throw new FatalError(
      `${where} was written with ${row.partitions} input partitions, now there are ${input.partitions}: the count is fixed for life, since users would move, ` +
        `and Kafka takes no partition back; start over with another --prefix`,
    );
  }
  return row;
}
