import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createCodec } from '../../src/avro/codec.ts';
import type { SendCommand } from '../../src/core/output.ts';
import { groupIdOf } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log, LogRecord } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans } from '../../src/log/topics.ts';
import { ProcessUsage } from './process-usage.ts';
import { compare, readReference } from './w1-reference.ts';

const HELP = `Workload W1: catch-up over a recorded topic, compared command by command with a reference.

  npm run bench -- w1 --bootstrap HOST:PORT --topic NAME --reference FILE [--fetch-bytes N] [--limit-s N]

--topic      ProductEvents framed with schema id 1, record time = event time, at most 5 s out of order
--reference  lines: commandId TAB userId TAB value (JSON with rule, at, sessionStart, sessionEvents, cartCents)

Prints one JSON line. The clock runs from the first batch that the processor reads until every expected command is visible to a
read_committed reader and the group's offsets are at the end. CPU and memory are the processor's, children included, without start-up.
Exit code 1 when the output is not exact.
`;

const POLL_MS = 50;

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bootstrap: { type: 'string' },
      topic: { type: 'string' },
      reference: { type: 'string' },
      'fetch-bytes': { type: 'string', default: String(1024 * 1024) },
      'limit-s': { type: 'string', default: '900' },
      help: { type: 'boolean', default: false },
    },
  });
  const { bootstrap, topic, reference } = values;
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (bootstrap === undefined || topic === undefined || reference === undefined)
    throw new Error(`--bootstrap, --topic and --reference are needed\n\n${HELP}`);
  if (!existsSync(reference)) throw new Error(`--reference ${reference}: there is no such file`);
  const expected = readReference(reference);
  const log = createKafkaLog({ brokers: bootstrap.split(','), clientId: 'lull-bench' });
  const prefix = `w1-${randomUUID().slice(0, 8)}`;
  const stateFolder = await mkdtemp(join(tmpdir(), 'lull-w1-'));
  const topics = await createTopics(log, prefix, topic);
  try {
    const child = startChild([bootstrap, topic, prefix, stateFolder, values['fetch-bytes']]);
    try {
      const measured = await measure(log, { prefix, topic, expected: expected.size, child, limitMs: Number(values['limit-s']) * 1000 });
      const comparison = compare(await readCommands(log, topicNames(prefix).dispatch), expected);
      process.stdout.write(`${JSON.stringify({ run: 'w1', ...measured, ...comparison })}\n`);
      process.exitCode = comparison.exact ? 0 : 1;
    } finally {
      await child.stop();
    }
  } finally {
    await log.admin.deleteTopics(topics);
    await log.close();
    await rm(stateFolder, { recursive: true, force: true });
  }
}

async function createTopics(log: Log, prefix: string, topic: string): Promise<string[]> {
  const partitions = await log.admin.partitions(topic);
  if (partitions === undefined) throw new Error(`--topic ${topic}: there is no such topic`);
  const { state, dispatch, decisions, deadLetters } = topicNames(prefix);
  const needed = [state, dispatch, decisions, deadLetters];
  const plans = topicPlans(prefix).filter((plan) => needed.includes(plan.topic));
  await log.admin.createTopics(plans.map((plan) => specOf(plan, partitions, 1)));
  return needed;
}

interface Child {
  readonly usage: ProcessUsage;
  /** Epoch milliseconds of the first batch; undefined until then. */
  readonly firstMs: () => number | undefined;
  readonly exited: () => boolean;
  readonly stop: () => Promise<void>;
}

function startChild(args: readonly string[]): Child & { readonly cpuAtFirst: () => number } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'w1-child.ts'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const usage = new ProcessUsage(child.pid ?? -1);
  let [firstMs, cpuAtFirst, exited] = [undefined as number | undefined, 0, false];
  const gone = new Promise<void>((resolve) => {
    child.on('exit', () => {
      exited = true;
      resolve();
    });
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const match = /^first_ms=(\d+)$/.exec(line);
    if (match === null) return;
    cpuAtFirst = usage.cpuSeconds();
    firstMs = Number(match[1]);
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await gone;
    clearTimeout(killer);
  };
  return { usage, firstMs: () => firstMs, cpuAtFirst: () => cpuAtFirst, exited: () => exited, stop };
}

interface Figures {
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerS: number;
  readonly lastHalfEventsPerS: number;
  readonly cpuSPerMillion: number;
  readonly peakRssMiB: number;
}

async function measure(
  log: Log,
  run: {
    readonly prefix: string;
    readonly topic: string;
    readonly expected: number;
    readonly child: ReturnType<typeof startChild>;
    readonly limitMs: number;
  },
): Promise<Figures> {
  const { child, topic, prefix } = run;
  const events = sum([...(await log.admin.offsets(topic)).values()].map(({ end }) => end));
  const visible = await countVisible(log, topicNames(prefix).dispatch);
  const began = Date.now();
  let half: { readonly atMs: number; readonly events: number } | undefined;
  let offsetsAtMs: number | undefined;
  let reportedMs = began;
  try {
    for (;;) {
      await sleep(POLL_MS);
      if (child.exited()) throw new Error('the processor ended before the input did');
      child.usage.sampleRss();
      const committed = sum([...(await log.admin.groupOffsets(groupIdOf(prefix, 'processor'), topic)).values()]);
      const nowMs = Date.now();
      if (half === undefined && committed >= events / 2) half = { atMs: nowMs, events: committed };
      if (committed >= events) offsetsAtMs ??= nowMs;
      if (nowMs - reportedMs > 2_000) {
        reportedMs = nowMs;
        process.stderr.write(`${committed} of ${events} committed after ${((nowMs - began) / 1000).toFixed(0)} s\n`);
      }
      const all = visible.count() >= run.expected;
      // Everything is read and still commands are missing: give them 20 s, then say so.
      const hasGivenUp = offsetsAtMs !== undefined && nowMs - offsetsAtMs > 20_000;
      if (nowMs - began > run.limitMs)
        throw new Error(`${committed} of ${events} committed when the limit of ${run.limitMs / 1000} s was reached`);
      if (offsetsAtMs === undefined || !(all || hasGivenUp)) continue;
      const endMs = hasGivenUp ? offsetsAtMs : Math.max(offsetsAtMs, visible.lastMs());
      const cpuS = child.usage.cpuSeconds() - child.cpuAtFirst();
      const seconds = (endMs - (child.firstMs() ?? began)) / 1000;
      const lastHalfS = (endMs - (half?.atMs ?? began)) / 1000;
      return {
        events,
        seconds: round(seconds, 2),
        eventsPerS: Math.round(events / seconds),
        lastHalfEventsPerS: Math.round((events - (half?.events ?? 0)) / lastHalfS),
        cpuSPerMillion: round((cpuS * 1e6) / events, 2),
        peakRssMiB: child.usage.peakRssMiB,
      };
    }
  } finally {
    await visible.stop();
  }
}

/** Counts what a read_committed reader sees of a topic, while it grows. */
async function countVisible(log: Log, topic: string): Promise<{ count: () => number; lastMs: () => number; stop: () => Promise<void> }> {
  const stopping = new AbortController();
  let [count, lastMs] = [0, 0];
  const partitions = [...(await log.admin.offsets(topic)).keys()];
  const loops = partitions.map(async (partition) => {
    const reader = log.reader({ topic, partition, offset: 0 });
    try {
      while (!stopping.signal.aborted) {
        const { records } = await reader.fetch({ signal: stopping.signal });
        count += records.length;
        if (records.length > 0) lastMs = Date.now();
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    } finally {
      await reader.close();
    }
  });
  const all = Promise.all(loops);
  all.catch(() => undefined);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await all;
  };
  return { count: () => count, lastMs: () => lastMs, stop };
}

async function readCommands(log: Log, topic: string): Promise<SendCommand[]> {
  const codec = createCodec();
  const commands: SendCommand[] = [];
  for (const [partition, { end }] of await log.admin.offsets(topic)) {
    const reader = log.reader({ topic, partition, offset: 0 });
    while (reader.position < end) commands.push(...(await decode(codec, (await reader.fetch()).records)));
    await reader.close();
  }
  return commands;
}

async function decode(codec: ReturnType<typeof createCodec>, records: readonly LogRecord[]): Promise<SendCommand[]> {
  await codec.prepare(records.map(({ value }) => value));
  return records.map(({ value, offset }) => {
    const decoded = value === null ? null : codec.decode(value);
    if (decoded?.record !== 'lull.v1.SendCommand') throw new Error(`dispatch@${offset}: not a send command`);
    return decoded.value;
  });
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const round = (n: number, digits: number): number => Number(n.toFixed(digits));
