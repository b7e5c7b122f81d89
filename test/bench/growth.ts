import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Restored } from '../../src/engine/observer.ts';
import { DEFAULT_FETCH_BYTES } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Log } from '../../src/log/port.ts';
import { benchBroker } from './broker.ts';
import { growthCases, topologyOf, type GrowthCase } from './growth-cases.ts';
import { LullSide } from './lull.ts';
import { ProcessUsage } from './process-usage.ts';
import { machineLine, median, ratio, table } from './table.ts';
import { createEventsTopic, writeEvents } from './topic-writer.ts';
import type { BenchEvent } from './w1-events.ts';

const HELP = `Growth: what an event costs when one thing is made large, as a ratio to the small case of the same run; and how fast a state is restored.

  npm run bench -- growth [--events 500000] [--factor 1] [--rounds 1] [--only users,timers] [--markdown FILE]

--events      measured events of each case, after its users were loaded (default: 500000)
--factor      scales users and timers; 1 means 100,000 growing to 2,000,000 (default: 1)
--rounds      how often all cases run; the medians count (default: 1)
--only        some cases, and what they are compared with
--workers, --bootstrap, --fetch-bytes, --limit-s   as for w1

Prints a JSON line for each case on stdout, and a table on stderr.
`;

interface Measured {
  readonly case: string;
  readonly cpuSPerMillion: number;
  readonly eventsPerS: number;
  readonly peakRssMiB: number;
  readonly restore?: Restore;
}

interface Restore {
  readonly rows: number;
  readonly mib: number;
  readonly seconds: number;
  readonly rowsPerS: number;
  readonly mibPerS: number;
}

interface Setting {
  readonly log: Log;
  readonly bootstrap: string;
  readonly workers: number;
  readonly fetchBytes: number;
  readonly limitMs: number;
  readonly measured: number;
  readonly signal: AbortSignal;
}

const PARTITIONS = 4;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bootstrap: { type: 'string' },
      events: { type: 'string', default: '500000' },
      factor: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '1' },
      only: { type: 'string' },
      workers: { type: 'string', default: '2' },
      markdown: { type: 'string' },
      'fetch-bytes': { type: 'string', default: String(DEFAULT_FETCH_BYTES) },
      'limit-s': { type: 'string', default: '1800' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const cases = chosen(growthCases({ events: Number(values.events), factor: Number(values.factor) }), values.only);
  const broker = await benchBroker(values.bootstrap, say, signal);
  const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
  const setting: Setting = {
    ...{ log, bootstrap: broker.bootstrap, signal, workers: Number(values.workers), measured: Number(values.events) },
    ...{ fetchBytes: Number(values['fetch-bytes']), limitMs: Number(values['limit-s']) * 1000 },
  };
  const runs: Measured[] = [];
  try {
    for (let round = 1; round <= Number(values.rounds); round++)
      for (const growthCase of cases) {
        const measured = await measure(setting, growthCase);
        runs.push(measured);
        process.stdout.write(`${JSON.stringify({ run: 'growth', round, ...measured })}\n`);
      }
  } finally {
    await log.close();
    await broker.stop();
  }
  const text = report(cases, runs, setting);
  process.stderr.write(`\n${text}`);
  if (values.markdown !== undefined) await writeFile(values.markdown, text);
}

function chosen(cases: readonly GrowthCase[], only: string | undefined): readonly GrowthCase[] {
  if (only === undefined) return cases;
  const names = only.split(',');
  const wanted = cases.filter(({ name }) => names.includes(name));
  const unknown = names.filter((name) => !cases.some((growthCase) => growthCase.name === name));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: the cases are ${cases.map(({ name }) => name).join(', ')}`);
  return cases.filter(({ name }) => names.includes(name) || wanted.some(({ comparedWith }) => comparedWith === name));
}

async function measure(setting: Setting, growthCase: GrowthCase): Promise<Measured> {
  const { log, bootstrap, workers, fetchBytes, signal } = setting;
  const topic = `bench-growth-${randomUUID().slice(0, 8)}`;
  const topology = topologyOf(growthCase);
  try {
    await createEventsTopic(log, topic, PARTITIONS);
    say(`${growthCase.name}: generating`);
    const onProgress = (written: number): void => say(`${growthCase.name}: ${written} written`);
    const preloaded = new Map<number, number>();
    await writeEvents(log, counted(growthCase, preloaded), { topic, partitions: PARTITIONS, onProgress, signal });
    const side = await LullSide.open({
      ...{ log, bootstrap, topic, partitions: PARTITIONS, workers, fetchBytes },
      ...(topology === undefined ? {} : { topology }),
    });
    try {
      await side.start();
      const figures = await measureBehindPreload(setting, growthCase, side, { topic, preloaded });
      if (growthCase.restore !== true) return figures;
      return { ...figures, restore: await measureRestore(setting, side) };
    } finally {
      await side.close();
    }
  } finally {
    await log.admin.deleteTopics([topic]);
    if (topology !== undefined) await rm(topology, { recursive: true });
  }
}

/** The case's events; how many of them are loaded before, by partition, goes to `preloaded`. */
function* counted({ events, preload }: GrowthCase, preloaded: Map<number, number>): Generator<BenchEvent> {
  let count = 0;
  for (const event of events()) {
    if (count++ < preload) {
      const partition = partitionFor(Buffer.from(event.userId), PARTITIONS);
      preloaded.set(partition, (preloaded.get(partition) ?? 0) + 1);
    }
    yield event;
  }
}

/** CPU and time from the moment that what was loaded before is committed in every partition, until all is. */
async function measureBehindPreload(
  setting: Setting,
  { name, preload }: GrowthCase,
  side: LullSide,
  { topic, preloaded }: { readonly topic: string; readonly preloaded: ReadonlyMap<number, number> },
): Promise<Measured> {
  const { log, measured, limitMs, signal } = setting;
  const { children } = side;
  const usage = new ProcessUsage(...children.map(({ pid }) => pid));
  const began = Date.now();
  let from: { readonly atMs: number; readonly cpuS: number; readonly events: number } | undefined;
  for (let reportedMs = began; ;) {
    await sleep(100, undefined, { signal });
    if (children.some(({ hasExited }) => hasExited)) throw new Error(`${name}: a worker ended before the input did`);
    usage.sampleRss();
    const offsets = await log.admin.groupOffsets(side.groupId, topic);
    const committed = [...offsets.values()].reduce((sum, offset) => sum + offset, 0);
    const isLoaded = [...preloaded].every(([partition, count]) => (offsets.get(partition) ?? 0) >= count);
    const atMs = Date.now();
    if (atMs - began > limitMs) throw new Error(`${name}: ${committed} of ${preload + measured} committed after ${limitMs / 1000} s`);
    if (isLoaded) from ??= { atMs, cpuS: usage.cpuSeconds(), events: committed };
    if (atMs - reportedMs > 2_000) {
      reportedMs = atMs;
      say(`${name}: ${committed} of ${preload + measured} committed`);
    }
    if (committed < preload + measured || from === undefined) continue;
    const events = committed - from.events;
    return {
      case: name,
      cpuSPerMillion: Number((((usage.cpuSeconds() - from.cpuS) * 1e6) / events).toFixed(2)),
      eventsPerS: Math.round((events * 1000) / (atMs - from.atMs)),
      peakRssMiB: usage.peakRssMiB,
    };
  }
}

/** The same group on empty disks: all partitions at once, as after the loss of every machine. */
async function measureRestore({ limitMs, signal }: Setting, side: LullSide): Promise<Restore> {
  say('restoring all partitions from the changelog');
  await side.stop();
  await side.forgetState();
  await side.start();
  const began = Date.now();
  for (;;) {
    await sleep(50, undefined, { signal });
    if (Date.now() - began > limitMs) throw new Error(`not restored after ${limitMs / 1000} s`);
    const restored = side.children.flatMap(({ lines }) => lines.flatMap(restoredOf));
    // A partition may have moved in the meantime: what counts is that each has been restored.
    if (new Set(restored.map(({ partition }) => partition)).size < PARTITIONS) continue;
    const rows = restored.reduce((sum, partition) => sum + partition.rows, 0);
    const seconds = Math.max(...restored.map((partition) => partition.seconds));
    const mib = restored.reduce((sum, partition) => sum + partition.bytes, 0) / 1024 ** 2;
    return {
      rows,
      mib: Math.round(mib),
      seconds: Number(seconds.toFixed(2)),
      rowsPerS: Math.round(rows / seconds),
      mibPerS: Number((mib / seconds).toFixed(1)),
    };
  }
}

/** `restored=[partition, {rows, bytes, seconds}]` */
function restoredOf(line: string): (Restored & { readonly partition: number })[] {
  if (!line.startsWith('restored=')) return [];
  const [partition, restored] = JSON.parse(line.slice('restored='.length)) as [number, Restored];
  return [{ partition, ...restored }];
}

function report(cases: readonly GrowthCase[], runs: readonly Measured[], { workers, measured }: Setting): string {
  const medianOf = (name: string, figure: (run: Measured) => number): number => median(runs.filter((run) => run.case === name).map(figure));
  const cpu = (name: string): number => medianOf(name, ({ cpuSPerMillion }) => cpuSPerMillion);
  const rows = cases.map(({ name, what, comparedWith, target }) => [
    what,
    Number(cpu(name).toFixed(1)),
    comparedWith === null ? '-' : `${ratio(cpu(name) / cpu(comparedWith))} of ${comparedWith}`,
    target === null ? '-' : `at most ${target}x`,
    medianOf(name, ({ eventsPerS }) => eventsPerS),
    medianOf(name, ({ peakRssMiB }) => peakRssMiB),
  ]);
  const restores = runs.flatMap(({ restore }) => (restore === undefined ? [] : [restore]));
  return [
    `Growth: ${measured.toLocaleString('en-US')} events of W1's mix, behind what loaded the users; Lull, ${workers} processes. ${machineLine()}\n\n`,
    table(['case', 'CPU-s per million', 'CPU ratio', 'target', 'events/s', 'peak RSS MiB'], rows),
    ...restores.map(
      ({ rows: count, mib, seconds, rowsPerS, mibPerS }) =>
        `\nRestore on empty disks, all partitions at once: ${count.toLocaleString('en-US')} rows, ${mib} MiB of keys and values in ${seconds} s: ${rowsPerS.toLocaleString('en-US')} rows/s, ${mibPerS} MiB/s.\n`,
    ),
  ].join('');
}
