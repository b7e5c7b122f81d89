import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import type { Program } from '../../src/core/program.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { groupIdOf, Worker } from '../../src/engine/worker.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Log, OutRecord } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans, type TopicNames } from '../../src/log/topics.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { PublishedTopologies } from '../../src/processor/published.ts';
import { createProcessorStage } from '../../src/processor/stage.ts';
import { TIMER_TABLE } from '../../src/processor/timer-index.ts';
import { USER_TABLE } from '../../src/processor/users.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { DAY, journeyOf, programOf, sendOf } from '../core/support.ts';
import { withBenchLog } from './broker.ts';
import { machineLine } from './table.ts';

const HELP = `How long a partition pauses when a topology comes into force that has a new journey on a date: it goes through all of its users, and tells the journey of those who have the date.

  npm run bench -- new-dates [--users 200000] [--runs 3] [--bootstrap HOST:PORT]

--users       of one partition (default: 200000)
--runs        of each share of users who have the date: none, one in ten, all (default: 3)
--bootstrap   a broker (default: LULL_BOOTSTRAP, else one of its own is started)

The stage runs in this process, with RocksDB. Prints a JSON line for each run. Times are of this process: from the record's being read to the last commit.
`;

const SHARES = [0, 0.1, 1] as const;
const IN_FORCE = 'is in force';
const DONE = 'dates that users had before count';
const say = (line: string): void => void process.stderr.write(`${line}\n`);

function version(hash: string, dated: string | null): Program {
  const pattern = { kind: 'date', attribute: dated ?? '', offsetMs: 0, atMinutes: null, yearly: false } as const;
  const journeys = dated === null ? [] : [journeyOf({ name: 'renewal', pattern, steps: [sendOf({ name: 'note' })] })];
  return programOf({ hash, name: 'bench', journeys });
}

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: { type: 'string', default: '200000' },
      runs: { type: 'string', default: '3' },
      bootstrap: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  await withBenchLog(values.bootstrap, say, signal, async (log) => {
    for (let run = 1; run <= Number(values.runs); run++)
      for (const share of SHARES) {
        const users = Number(values.users);
        const ms = await new NewDates(log, users, share).measure(signal);
        const usersPerS = Math.round((users / ms) * 1000);
        process.stdout.write(`${JSON.stringify({ run, users, share, ms, usersPerS, machine: machineLine() })}\n`);
      }
  });
}

class NewDates {
  readonly #log: Log;
  readonly #users: number;
  readonly #share: number;
  readonly #prefix = `bench-${randomUUID().slice(0, 8)}`;
  readonly #topics: TopicNames = topicNames(this.#prefix);
  readonly #codec: Codec = createCodec();

  constructor(log: Log, users: number, share: number) {
    this.#log = log;
    this.#users = users;
    this.#share = share;
  }

  /** The pause, in milliseconds. */
  async measure(signal: AbortSignal): Promise<number> {
    const folder = await mkdtemp(join(tmpdir(), 'lull-bench-'));
    const plans = topicPlans(this.#prefix);
    await this.#log.admin.createTopics(plans.map((plan) => specOf(plan, 1, 1)));
    const seen = new Map<string, number>();
    const programs = new Map([version('before', null), version('after', 'renewsAt')].map((program) => [program.hash, program]));
    const topologies = await PublishedTopologies.open({
      ...{ log: this.#log, topic: this.#topics.topologies },
      compile: (hash) => ({ program: programs.get(hash)!, upstream: null }),
      note(_level, message) {
        for (const text of [IN_FORCE, DONE]) if (message.includes(text)) seen.set(text, performance.now());
      },
    });
    topologies.follow();
    await topologies.publish('before', 'before');
    const store = await openRocksStore({ path: folder, tables: [META_TABLE, USER_TABLE, TIMER_TABLE] });
    const stopping = new AbortController();
    const stage = createProcessorStage({
      ...{ topologies, codec: this.#codec, log: this.#log, topics: this.#topics, observer: silentProcessorObserver },
    });
    const engine = { log: this.#log, store, prefix: this.#prefix, clock: systemClock, observer: silentObserver };
    const running = new Worker({ stage, ...engine }).run(stopping.signal);
    running.catch(() => undefined);
    const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
      while (!(await holds())) {
        signal.throwIfAborted();
        await Promise.race([sleep(20), running]);
      }
    };
    try {
      await this.#profiles();
      await until(() => this.#isRead());
      seen.clear();
      await topologies.publish('after', 'after');
      await until(() => seen.has(DONE));
      return Math.round(seen.get(DONE)! - seen.get(IN_FORCE)!);
    } finally {
      stopping.abort();
      await running.catch(() => undefined);
      await topologies.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
      await this.#log.admin.deleteTopics(plans.map(({ topic }) => topic));
    }
  }

  async #profiles(): Promise<void> {
    const now = Date.now();
    const profile = (user: number) => {
      const isDated = (user + 1) * this.#share >= Math.floor(user * this.#share) + 1;
      const known = { firstName: `Ada the ${user}th`, country: 'DE', plan: 'trial', language: 'de' };
      return {
        ...{ eventId: `profile-${user}`, userId: `user-${user}`, type: '$profile', occurredAt: now, sentAt: null, imported: false },
        properties: isDated ? { ...known, renewsAt: now + 30 * DAY } : known,
      };
    };
    for (let from = 0; from < this.#users; from += 10_000) {
      const users = Array.from({ length: Math.min(10_000, this.#users - from) }, (_, i) => from + i);
      await this.#log.append(users.map((user) => this.#record(`user-${user}`, this.#codec.encode('lull.v1.ProductEvent', profile(user)))));
    }
  }

  #record(userId: string, value: Buffer): OutRecord {
    const key = Buffer.from(userId);
    return { topic: this.#topics.timeline, partition: partitionFor(key, 1), key, value };
  }

  async #isRead(): Promise<boolean> {
    const { timeline } = this.#topics;
    const { end } = (await this.#log.admin.offsets(timeline)).get(0)!;
    return (await this.#log.admin.groupOffsets(groupIdOf(this.#prefix, 'processor'), timeline)).get(0) === end;
  }
}
