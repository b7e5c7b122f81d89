import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { WORKER_ENVIRONMENT, WORKER_NODE_FLAGS } from '../../src/cli/workers/node-flags.ts';
import { groupIdOf } from '../../src/engine/worker.ts';
import { ingestStageName } from '../../src/ingest/stage.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log, OutRecord } from '../../src/log/port.ts';
import { ingestPlans, specOf, topicNames, topicPlans } from '../../src/log/topics.ts';
import { benchBroker } from './broker.ts';
import { measureCatchUp, type CatchUpFigures } from './catch-up.ts';
import { Child, goTogether } from './child.ts';
import { orders, paidOf } from './ingest-records.ts';
import { machineLine, median, table } from './table.ts';
import { createEventsTopic } from './topic-writer.ts';

const HELP = `Ingest: records of a foreign topic to events on the timeline, on a real broker, with one worker and with two, in turns.

  npm run bench -- ingest [--records 500000] [--rounds 3] [--markdown FILE]

--records     orders in another program's Avro, nine in ten of which become events (default: 500000)
--rounds      each of one, two, two, one (default: 3)
--bootstrap HOST:PORT, --limit-s   as for w1

The clock runs from the first record that a worker reads until every event is visible to a read_committed reader of the timeline. Prints a JSON line for
each run on stdout, and a table on stderr.
`;

const PARTITIONS = 4;
const APPEND_BYTES = 4 * 16 * 1024;
const SOURCE = 'orders';
const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Setting {
  readonly log: Log;
  readonly bootstrap: string;
  readonly topic: string;
  readonly records: number;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      records: { type: 'string', default: '500000' },
      rounds: { type: 'string', default: '3' },
      bootstrap: { type: 'string' },
      markdown: { type: 'string' },
      'limit-s': { type: 'string', default: '900' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const broker = await benchBroker(values.bootstrap, say, signal);
  const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
  const topic = `bench-ingest-${randomUUID().slice(0, 8)}`;
  const runs = new Map<number, CatchUpFigures[]>([
    [1, []],
    [2, []],
  ]);
  try {
    const setting = {
      log,
      bootstrap: broker.bootstrap,
      topic,
      records: Number(values.records),
      limitMs: Number(values['limit-s']) * 1000,
      signal,
    };
    await write(setting);
    for (let round = 1; round <= Number(values.rounds); round++)
      for (const workers of [1, 2, 2, 1]) {
        const figures = await measure(setting, workers);
        runs.get(workers)!.push(figures);
        process.stdout.write(`${JSON.stringify({ run: 'ingest', round, workers, ...figures })}\n`);
      }
  } finally {
    await log.admin.deleteTopics([topic]);
    await log.close();
    await broker.stop();
  }
  const rows = [...runs].map(([workers, all]) => [
    workers,
    Math.round(median(all.map(({ eventsPerS }) => eventsPerS))),
    median(all.map(({ cpuSPerMillion }) => cpuSPerMillion)),
    median(all.map(({ peakRssMiB }) => peakRssMiB)),
  ]);
  const head = ['workers', 'records/s, median', 'CPU-s per million', 'peak RSS MiB'];
  const text = `Ingest: ${Number(values.records).toLocaleString('en-US')} foreign records, in turns. ${machineLine()}\n\n${table(head, rows)}`;
  process.stderr.write(`\n${text}`);
  if (values.markdown !== undefined) await writeFile(values.markdown, text);
}

async function write({ log, topic, records, signal }: Setting): Promise<void> {
  await createEventsTopic(log, topic, PARTITIONS);
  let [pending, bytes] = [[] as OutRecord[], 0];
  for (const record of orders({ topic, partitions: PARTITIONS, count: records })) {
    pending.push(record);
    bytes += record.value!.length;
    if (bytes < APPEND_BYTES) continue;
    signal.throwIfAborted();
    await log.append(pending);
    [pending, bytes] = [[], 0];
  }
  await log.append(pending);
  say(`${records} written`);
}

/** From nothing: topics, groups and folders of its own. */
async function measure({ log, bootstrap, topic, records, limitMs, signal }: Setting, workers: number): Promise<CatchUpFigures> {
  const prefix = `bench-${randomUUID().slice(0, 8)}`;
  const names = topicNames(prefix);
  const plans = [...topicPlans(prefix), ...ingestPlans(prefix, [{ name: SOURCE, topic, partitions: PARTITIONS }])];
  const wanted = [names.timeline, names.deadLetters, names.ingestState(SOURCE)];
  // The events are of another year.
  const settings = { 'retention.ms': '-1' };
  await log.admin.createTopics(
    plans
      .filter((plan) => wanted.includes(plan.topic))
      .map((plan) => specOf(plan, PARTITIONS, 1))
      .map((spec) => (spec.topic === names.timeline ? { ...spec, config: { ...spec.config, ...settings } } : spec)),
  );
  const folder = await mkdtemp(join(tmpdir(), 'lull-bench-'));
  const children = Array.from({ length: workers }, (_, worker) => {
    const child = join(import.meta.dirname, 'ingest-child.ts');
    const args = [bootstrap, topic, prefix, join(folder, String(worker)), String(PARTITIONS)];
    return new Child(process.execPath, [...WORKER_NODE_FLAGS, child, ...args], WORKER_ENVIRONMENT);
  });
  try {
    await goTogether(children);
    const groupId = groupIdOf(prefix, ingestStageName(SOURCE));
    return await measureCatchUp(log, {
      topic,
      dispatchTopic: names.timeline,
      groupId,
      children,
      expected: paidOf(records),
      limitMs,
      signal,
    });
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    await log.admin.deleteTopics(wanted);
    await rm(folder, { recursive: true, force: true });
  }
}
