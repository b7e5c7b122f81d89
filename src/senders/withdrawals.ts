import type { Log } from '../log/port.ts';
import type { PartitionStore } from '../store/port.ts';
import { readEntry, type Entry } from './batch.ts';
import type { Withdrawn } from './command-row.ts';
import { collapseHash } from './row-index.ts';

/**
 * What a later record says of an earlier command: that it is revoked, or superseded by a newer one for the same user, device and collapse key. Both overtake:
 * whoever is about to call asks here first.
 *
 * Two sources, for two moments. Within a batch, all of it counts before its first call: kept in memory. At a start, everything up to the end captured then counts
 * before the first call: the backlog may be any size, so it goes to a table of the local store. What is in there are facts about the log; it is neither in
 * the changelog nor harmed by a crash, and goes once the position has passed all of it.
 */
export const AHEAD_TABLE = 'ahead';

/** The command, as its headers tell. */
export interface Waiting {
  readonly commandId: string;
  readonly offset: number;
  readonly userId: string;
  readonly collapseKey: string | null;
}

export class Withdrawals {
  readonly #store: PartitionStore;
  readonly #channel: string;
  /** Of the batch in work: key of the table -> offset. */
  #batch: ReadonlyMap<string, number> = new Map();
  /** The table is of no interest once the position is behind this. */
  #scannedTo = 0;

  constructor(store: PartitionStore, channel: string) {
    this.#store = store;
    this.#channel = channel;
  }

  /** Reads headers from the position up to the end as it is now. Values stay undecoded. */
  async scan(log: Log, topic: string, from: number, signal: AbortSignal): Promise<void> {
    const reader = log.reader({ topic, partition: this.#store.partition, offset: from });
    try {
      let end: number | undefined;
      do {
        // With nothing to read, the start is not to wait for something.
        const batch = await reader.fetch({ signal, ...(end === undefined && { maxWaitMs: 0 }) });
        // What is committed now. An open transaction is not waited for: it comes later, like every record behind this.
        end ??= batch.lastStableOffset;
        const ahead = keysOf(batch.records.map((record) => readEntry(record, this.#channel)));
        await this.#store.write(
          [...ahead].map(([key, offset]) => ({ table: AHEAD_TABLE, key: tableKey(key), value: offsetValue(offset) })),
        );
      } while (reader.position < end);
      this.#scannedTo = end;
    } finally {
      await reader.close();
    }
  }

  /** From now on the batch's own records count. */
  begin(entries: readonly Entry[]): void {
    this.#batch = keysOf(entries);
  }

  /** Why this command must not go to this device any more, if so. `position` is the task's. */
  async of(command: Waiting, deviceId: string, position: number): Promise<Withdrawn | null> {
    const revoked = `r${command.commandId}`;
    const newer = command.collapseKey === null ? undefined : collapseName(command.userId, deviceId, command.collapseKey);
    const later = (offset: number | undefined): boolean => offset !== undefined && offset > command.offset;
    if (later(this.#batch.get(revoked))) return 'revoked';
    if (newer !== undefined && later(this.#batch.get(newer))) return 'superseded';
    if (position >= this.#scannedTo) return null;
    const names = newer === undefined ? [revoked] : [revoked, newer];
    const [revocation, newest] = await this.#store.getMany(AHEAD_TABLE, names.map(tableKey));
    if (later(offsetOf(revocation))) return 'revoked';
    return later(offsetOf(newest)) ? 'superseded' : null;
  }

  /** Empties the table once the position has passed everything that was scanned. */
  async tidy(position: number): Promise<void> {
    if (this.#scannedTo === 0 || position < this.#scannedTo) return;
    this.#scannedTo = 0;
    for (;;) {
      const rows = await this.#store.scan(AHEAD_TABLE, { limit: 1_000 });
      if (rows.length === 0) return;
      await this.#store.write(rows.map(({ key }) => ({ table: AHEAD_TABLE, key, value: null })));
    }
  }
}

/** Latest offset of each revoked command, and of each (user, device, collapse key). */
function keysOf(entries: readonly Entry[]): ReadonlyMap<string, number> {
  const keys = new Map<string, number>();
  for (const entry of entries) {
    if (entry.kind === 'revocation') keys.set(`r${entry.header.commandId}`, entry.record.offset);
    if (entry.kind !== 'command' || entry.header.collapseKey === null) continue;
    for (const deviceId of entry.header.deviceIds)
      keys.set(collapseName(entry.userId, deviceId, entry.header.collapseKey), entry.record.offset);
  }
  return keys;
}

function collapseName(userId: string, deviceId: string, collapseKey: string): string {
  return `c${collapseHash(userId, deviceId, collapseKey).toString('latin1')}`;
}

const tableKey = (name: string): Buffer => Buffer.from(name, name.startsWith('c') ? 'latin1' : 'utf8');

function offsetValue(offset: number): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigUInt64BE(BigInt(offset));
  return value;
}

function offsetOf(value: Buffer | null | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value.readBigUInt64BE(0));
}
