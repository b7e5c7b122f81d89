import { join } from 'node:path';
import { nextDueMs } from '../../src/core/timers.ts';
import { CHECKPOINT_KEY, decodeCheckpoint, META_TABLE } from '../../src/engine/checkpoint.ts';
import { POSITION_KEY } from '../../src/engine/position.ts';
import { dueKey, parseDueKey, TIMER_TABLE } from '../../src/processor/timer-index.ts';
import { decodeUserState } from '../../src/processor/user-state-codec.ts';
import { USER_TABLE } from '../../src/processor/users.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import type { PartitionStore } from '../../src/store/port.ts';
import { readCommitted } from '../setup/read-committed.ts';
import type { Deployment } from './deployment.ts';
import { OracleError } from './row.ts';

/** Where `lull process` keeps what it knows: RocksDB's files are in it. */
export function storeFolder({ prefix }: Deployment, stateFolder: string): string {
  return join(stateFolder, `${prefix}-processor`, 'worker-0');
}

/** What is on a disk: how much of it was held against the changelog. */
export interface OnDisk {
  readonly partitions: number;
  readonly users: number;
  readonly timers: number;
}

/**
 * O1 for the disk of a processor that does not run, killed or stopped: of every partition it has exactly what the changelog says up to the offset that the disk says it
 * has, and the timers that follow from that, whatever has become of the partition since.
 * @throws OracleError
 */
export async function judgeDisk(deployment: Deployment, stateFolder: string): Promise<OnDisk> {
  const { records: changelog } = await readCommitted(deployment.topics.state, deployment.direct);
  const store = await openRocksStore({ path: storeFolder(deployment, stateFolder), tables: [USER_TABLE, TIMER_TABLE, META_TABLE] });
  let total: OnDisk = { partitions: 0, users: 0, timers: 0 };
  try {
    for (const partition of await store.partitions()) {
      const rows = await store.open(partition);
      const checkpoint = decodeCheckpoint((await rows.get(META_TABLE, CHECKPOINT_KEY)) ?? Buffer.alloc(0));
      if (checkpoint === undefined) throw new OracleError('O1', `the disk has rows of partition ${partition}, and no checkpoint`);
      const until = checkpoint.changelogOffset;
      const want = new Map<string, Buffer>();
      for (const { partition: of, offset, key, value } of changelog) {
        if (of !== partition || offset >= until || key === null || key.equals(POSITION_KEY)) continue;
        if (value === null) want.delete(key.toString());
        else want.set(key.toString(), value);
      }
      const users = new Map((await all(rows, USER_TABLE)).map(({ key, value }) => [key.toString(), value]));
      const where = `the disk's partition ${partition}, at ${until} of the changelog`;
      compare(`${where}: row of`, hex(want), hex(users));
      const wantTimers = [...want].flatMap(([userId, row]) => {
        const dueMs = nextDueMs(decodeUserState(row, userId));
        return dueMs === null ? [] : [dueKey({ userId, dueMs }).toString('hex')];
      });
      const timers = (await all(rows, TIMER_TABLE)).map(({ key }) => dueKey(parseDueKey(key)).toString('hex'));
      compare(`${where}: timer`, new Map(wantTimers.map((timer) => [timer, ''])), new Map(timers.map((timer) => [timer, ''])));
      total = { partitions: total.partitions + 1, users: total.users + users.size, timers: total.timers + timers.length };
      await rows.close();
    }
  } finally {
    await store.close();
  }
  return total;
}

async function all(rows: PartitionStore, table: string): Promise<{ readonly key: Buffer; readonly value: Buffer }[]> {
  return rows.scan(table, { limit: Infinity });
}

function hex(rows: ReadonlyMap<string, Buffer>): ReadonlyMap<string, string> {
  return new Map([...rows].map(([key, value]) => [key, value.toString('base64')]));
}

function compare(what: string, want: ReadonlyMap<string, string>, have: ReadonlyMap<string, string>): void {
  const differing = [...new Set([...want.keys(), ...have.keys()])].filter((key) => want.get(key) !== have.get(key));
  const [first] = differing;
  if (first === undefined) return;
  const how = !have.has(first) ? 'is missing' : !want.has(first) ? 'should not be there' : 'is another than the changelog has';
  throw new OracleError('O1', `${what} ${first} ${how} (${differing.length} differ)`);
}
