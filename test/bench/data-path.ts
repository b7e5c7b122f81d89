/**
 * What the engine's data path costs by itself, in CPU time of the process per unit: reading a fetch, a record batch's checksum, encoding a
 * commit's records, and its write to RocksDB. Sizes are those of W1; of several rounds the best is printed. No broker: `node test/bench/data-path.ts`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filterBatches } from '../../src/log/kafka/committed.ts';
import { crc32c } from '../../src/log/kafka/crc32c.ts';
import { encodeBatch } from '../../src/log/kafka/encode-batch.ts';
import { encodeProduce } from '../../src/log/kafka/produce.ts';
import { batchesOf } from '../../src/log/kafka/record-batch.ts';
import { splitIntoBatches } from '../../src/log/kafka/split.ts';
import type { OutRecord } from '../../src/log/port.ts';
import type { StoreOp } from '../../src/store/port.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';

const ROUNDS = 5;
const FETCH_RECORDS = 8_500;
/** What clients put into one batch of 16 KiB. */
const BATCH_RECORDS = 130;
const ROWS = 1_900;
const RECORDS = 430;
const TIMERS_ARMED = 1_450;
const TIMERS_GONE = 1_190;
const PRODUCER = { producerId: '1', producerEpoch: 0 };

const record = (topic: string, user: number, bytes: number): OutRecord => ({
  topic,
  partition: 0,
  key: Buffer.from(`user-${user % 15_000}`),
  value: Buffer.alloc(bytes, user),
});

function fetched(): Buffer {
  const batches: Buffer[] = [];
  for (let at = 0; at < FETCH_RECORDS; at += BATCH_RECORDS) {
    const batch = encodeBatch(
      Array.from({ length: BATCH_RECORDS }, (_, i) => record('in', at + i, 97)),
      PRODUCER,
      0,
      false,
      0,
    );
    batch.writeBigInt64BE(BigInt(at), 0);
    batches.push(batch);
  }
  return Buffer.concat(batches);
}

/** One commit's operations. Each commit deletes timers that the one before has armed. */
function storeOps(commit: number): StoreOp[] {
  const timer = (of: number, i: number): Buffer => Buffer.from(`${String(of).padStart(8, '0')} user-${(i * 7_919) % 15_000} cart reminder`);
  return [
    ...Array.from({ length: ROWS }, (_, i) => record('', (commit * 977 + i) * 7_919, 469)).map((row) => ({
      ...{ table: 'user', key: row.key!, value: row.value },
    })),
    ...Array.from({ length: TIMERS_GONE }, (_, i) => ({ table: 'timer', key: timer(commit - 1, i), value: null })),
    ...Array.from({ length: TIMERS_ARMED }, (_, i) => ({ table: 'timer', key: timer(commit, i), value: Buffer.from([0, 9]) })),
  ];
}

async function cpuMs(work: () => unknown): Promise<number> {
  const begin = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1_000;
}

const fetch = fetched();
const commit = [
  ...Array.from({ length: ROWS }, (_, i) => record('state', i, 469)),
  ...Array.from({ length: RECORDS }, (_, i) => ({ ...record('dispatch', i, 357), headers: { channel: Buffer.from('webpush') } })),
];
const folder = await mkdtemp(join(tmpdir(), 'lull-data-path-'));
const store = await openRocksStore({ path: folder, tables: ['user', 'timer'] });
try {
  const partition = await store.open(0);
  const times = 30;
  const rounds: Record<'read' | 'checksum' | 'encode' | 'write', number>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const ops = Array.from({ length: times }, (_, i) => storeOps(round * times + i));
    const repeat = (work: () => unknown) => async (): Promise<void> => {
      for (let i = 0; i < times; i++) await work();
    };
    const read = await cpuMs(repeat(() => filterBatches(batchesOf(fetch), 0, [])));
    const checksum = await cpuMs(repeat(() => crc32c(fetch)));
    const encode = await cpuMs(
      repeat(() => {
        const partitions = splitIntoBatches(commit);
        const encoded = partitions.flatMap(({ topic, batches }) =>
          batches.map((records) => ({ topic, partition: 0, batch: encodeBatch(records, PRODUCER, 0, true, 0) })),
        );
        encodeProduce('id', encoded, 1_000);
      }),
    );
    const write = await cpuMs(repeat(() => partition.write(ops.pop()!)));
    rounds.push({ read, checksum, encode, write });
  }
  const bestMs = (name: keyof (typeof rounds)[number]): number => Math.min(...rounds.map((round) => round[name])) / times;
  const result = {
    readNsPerRecord: Math.round((bestMs('read') * 1e6) / FETCH_RECORDS),
    crc32cMbPerS: Math.round(fetch.length / 1e3 / bestMs('checksum')),
    encodeNsPerRecord: Math.round((bestMs('encode') * 1e6) / commit.length),
    storeNsPerOp: Math.round((bestMs('write') * 1e6) / (ROWS + TIMERS_ARMED + TIMERS_GONE)),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await store.close();
  await rm(folder, { recursive: true, force: true });
}
