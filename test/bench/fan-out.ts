import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import { silentItemsObserver } from '../../src/items/observer.ts';
import { createItemsStage } from '../../src/items/stage.ts';
import { END_TABLE, INTEREST_TABLE } from '../../src/items/tables.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Log, OutRecord } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans, type TopicNames } from '../../src/log/topics.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { withBenchLog } from './broker.ts';
import { machineLine, median } from './table.ts';

const HELP = `How fast a change of an item is told to those who are interested, and how long another item of the same partition waits for that meanwhile.

  npm run bench -- fan-out [--users 100000] [--runs 5] [--partitions 4] [--bootstrap HOST:PORT]

--users       how many are interested in the item (default: 100000); in the other, one
--runs        changes that are measured, one after the other, after one that is not (default: 5)
--bootstrap   a broker (default: LULL_BOOTSTRAP, else one of its own is started)

The stage runs in this process, with RocksDB. Prints a JSON line for each run, and one for all. Times are of the broker's clock: from the append of a change to the append of the
last event that it became, and of the other item's only one.
`;

interface Run {
  readonly run: number;
  readonly users: number;
  readonly toldMs: number;
  readonly usersPerS: number;
  readonly firstMs: number;
  readonly otherItemMs: number;
  readonly cpuS: number;
}

const DAY_MS = 86_400_000;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: { type: 'string', default: '100000' },
      runs: { type: 'string', default: '5' },
      partitions: { type: 'string', default: '4' },
      bootstrap: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  await withBenchLog(values.bootstrap, say, signal, async (log) => {
    const bench = new FanOutBench(log, Number(values.users), Number(values.partitions));
    const runs = await bench.measure(Number(values.runs), signal);
    const of = (name: 'usersPerS' | 'toldMs' | 'firstMs' | 'otherItemMs' | 'cpuS'): number => median(runs.map((one) => one[name]));
    const all = {
      usersPerS: of('usersPerS'),
      toldMs: of('toldMs'),
      firstMs: of('firstMs'),
      otherItemMs: of('otherItemMs'),
      cpuS: of('cpuS'),
    };
    process.stdout.write(`${JSON.stringify({ median: all, users: Number(values.users), machine: machineLine() })}\n`);
  });
}

class FanOutBench {
  readonly #log: Log;
  readonly #users: number;
  readonly #partitions: number;
  readonly #prefix = `bench-${randomUUID().slice(0, 8)}`;
  readonly #topics: TopicNames = topicNames(this.#prefix);
  readonly #codec: Codec = createCodec();

  constructor(log: Log, users: number, partitions: number) {
    this.#log = log;
    this.#users = users;
    this.#partitions = partitions;
  }

  async measure(count: number, signal: AbortSignal): Promise<readonly Run[]> {
    const folder = await mkdtemp(join(tmpdir(), 'lull-bench-'));
    const plans = topicPlans(this.#prefix);
    const { items, itemsState: state, timeline, deadLetters } = this.#topics;
    await this.#log.admin.createTopics(plans.map((plan) => specOf(plan, this.#partitions, 1)));
    const store = await openRocksStore({ path: folder, tables: [META_TABLE, INTEREST_TABLE, END_TABLE] });
    const stopping = new AbortController();
    let changes = 0;
    const observer = {
      ...silentItemsObserver,
      changed: () => {
        changes++;
      },
    };
    const stage = createItemsStage({ codec: this.#codec, topics: { items, state, timeline, deadLetters }, observer });
    const engine = { log: this.#log, store, prefix: this.#prefix, clock: systemClock, observer: silentObserver };
    const running = new Worker({ stage, ...engine }).run(stopping.signal);
    running.catch(() => undefined);
    try {
      const other = this.#neighbour();
      await this.#interests('lamp', this.#users);
      await this.#interests(other, 1);
      const runs: Run[] = [];
      // The first waits for the interest to be read, and for the code to be warm.
      for (let run = 0; run <= count; run++) {
        const before = changes;
        const cpu = process.cpuUsage();
        await this.#changes(`run-${run}`, ['lamp', other]);
        while (changes < before + 2) {
          signal.throwIfAborted();
          await Promise.race([sleep(20), running]);
        }
        const { user, system } = process.cpuUsage(cpu);
        const measured = { run, users: this.#users, ...(await this.#timesOf(`run-${run}`, other)), cpuS: (user + system) / 1e6 };
        if (run === 0) continue;
        runs.push(measured);
        process.stdout.write(`${JSON.stringify(measured)}\n`);
      }
      return runs;
    } finally {
      stopping.abort();
      await running.catch(() => undefined);
      await store.close();
      await rm(folder, { recursive: true, force: true });
      await this.#log.admin.deleteTopics(plans.map(({ topic }) => topic));
    }
  }

  /** Another item of the lamp's partition. */
  #neighbour(): string {
    const home = partitionFor(Buffer.from('lamp'), this.#partitions);
    for (let i = 0; ; i++) if (partitionFor(Buffer.from(`vase-${i}`), this.#partitions) === home) return `vase-${i}`;
  }

  async #interests(itemId: string, count: number): Promise<void> {
    const until = Date.now() + DAY_MS;
    const interest = (user: number) => ({ itemId, change: 'price_changed', userId: `user-${user}`, until });
    for (let from = 0; from < count; from += 10_000) {
      const users = Array.from({ length: Math.min(10_000, count - from) }, (_, i) => from + i);
      await this.#log.append(users.map((user) => this.#record(itemId, this.#codec.encode('lull.v1.ItemInterest', interest(user)))));
    }
  }

  async #changes(eventId: string, itemIds: readonly string[]): Promise<void> {
    const properties = { price: 19.9, was: 24.9, name: 'a lamp of brass' };
    const change = (itemId: string) => ({ eventId, itemId, type: 'price_changed', occurredAt: Date.now(), properties });
    await this.#log.append(itemIds.map((itemId) => this.#record(itemId, this.#codec.encode('lull.v1.ItemChange', change(itemId)))));
  }

  #record(itemId: string, value: Buffer): OutRecord {
    const key = Buffer.from(itemId);
    return { topic: this.#topics.items, partition: partitionFor(key, this.#partitions), key, value };
  }

  /** From the log: what is there since the last look. */
  async #timesOf(eventId: string, other: string): Promise<Omit<Run, 'run' | 'users' | 'cpuS'>> {
    let [appendedMs, firstMs, lastMs, otherMs, told] = [0, Infinity, 0, 0, 0];
    for (const [partition, { start, end }] of await this.#log.admin.offsets(this.#topics.timeline)) {
      const reader = this.#log.reader({ topic: this.#topics.timeline, partition, offset: start });
      while (reader.position < end) {
        for (const { value, timestampMs } of (await reader.fetch()).records) {
          const decoded = this.#codec.decode(value!);
          const fanOut = decoded.record === 'lull.v1.Control' ? decoded.value.fanOut : null;
          if (fanOut?.eventId !== eventId) continue;
          appendedMs = fanOut.appendedAt;
          if (fanOut.itemId === other) {
            otherMs = timestampMs - appendedMs;
            continue;
          }
          told++;
          firstMs = Math.min(firstMs, timestampMs);
          lastMs = Math.max(lastMs, timestampMs);
        }
      }
      await reader.close();
    }
    if (told !== this.#users) throw new Error(`${told} of ${this.#users} were told`);
    const toldMs = lastMs - appendedMs;
    return { toldMs, usersPerS: Math.round((told / toldMs) * 1000), firstMs: firstMs - appendedMs, otherItemMs: otherMs };
  }
}
