import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createCodec } from '../../src/avro/codec.ts';
import { DEFAULT_FETCH_BYTES } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log, LogRecord } from '../../src/log/port.ts';
import { benchBroker } from './broker.ts';
import type { Child } from './child.ts';
import type { CommandJson } from './commands.ts';
import { buildPeer, PeerSide, type BuiltPeer } from './kstreams/side.ts';
import { LullSide } from './lull.ts';
import { pace } from './pacer.ts';
import { machineLine, median, ratio, table } from './table.ts';
import { countVisible } from './visible.ts';

const HELP = `Workload W2: live, on Kafka Streams and on Lull in turns. How long after an event was sent its command is visible to a read_committed reader.

  npm run bench -- w2 [--bootstrap HOST:PORT] [--pairs 3] [--seconds 60] [--rate 5000] [--workers 2] [--markdown FILE]

--rate        events per second; one in a hundred is a ping, which is answered at once (default: 5000)
--users       users, drawn evenly (default: 100000)
--seconds     what is measured (default: 60), after --warm-s (default: 20) of the same load
--pairs       how often each side runs (default: 3); --sides lull runs one side only
--workers     processes of Lull; Kafka Streams has two threads in one (default: 2)
--profile-folder DIR   a .cpuprofile of each of Lull's workers
--bootstrap   a broker (default: LULL_BOOTSTRAP, else one of its own is started)

Sender and reader are this process: one clock. Prints a JSON line for each run, and a table on stderr. Exit code 1 when a ping was answered not at all or twice.
`;

type SideName = 'kstreams' | 'lull';

interface Live {
  readonly side: SideName;
  readonly pings: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly exact: boolean;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuSPerMillion: number;
  readonly eventsPerS: number;
  readonly slowestAppendMs: number;
  readonly peakRssMiB: number;
}

interface Setting {
  readonly log: Log;
  readonly bootstrap: string;
  readonly workers: number;
  readonly eventsPerS: number;
  readonly users: number;
  readonly warmMs: number;
  readonly measuredMs: number;
  readonly profileFolder: string | undefined;
  readonly signal: AbortSignal;
}

const PARTITIONS = 4;
const PING_EVERY = 100;
const PATIENCE_MS = 60_000;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bootstrap: { type: 'string' },
      rate: { type: 'string', default: '5000' },
      users: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '60' },
      'warm-s': { type: 'string', default: '20' },
      pairs: { type: 'string', default: '3' },
      sides: { type: 'string', default: 'kstreams,lull' },
      workers: { type: 'string', default: '2' },
      'profile-folder': { type: 'string' },
      markdown: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const sides = (['kstreams', 'lull'] as const).filter((side) => values.sides.split(',').includes(side));
  const peer = sides.includes('kstreams') ? await buildPeer(say, signal) : undefined;
  const broker = await benchBroker(values.bootstrap, say, signal);
  const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
  const setting: Setting = {
    ...{ log, bootstrap: broker.bootstrap, signal, workers: Number(values.workers), eventsPerS: Number(values.rate) },
    ...{ users: Number(values.users), warmMs: Number(values['warm-s']) * 1000, measuredMs: Number(values.seconds) * 1000 },
    profileFolder: values['profile-folder'],
  };
  const runs: Live[] = [];
  try {
    for (let pair = 1; pair <= Number(values.pairs); pair++)
      for (const side of sides) {
        say(`pair ${pair} of ${values.pairs}: ${side}`);
        const live = side === 'lull' ? await measureLull(setting) : await measurePeer(setting, peer!);
        runs.push(live);
        process.stdout.write(`${JSON.stringify({ run: 'w2', pair, ...live })}\n`);
      }
  } finally {
    await log.close();
    await broker.stop();
    await peer?.close();
  }
  const text = report(runs, setting);
  process.stderr.write(`\n${text}`);
  if (values.markdown !== undefined) await writeFile(values.markdown, text);
  process.exitCode = runs.every(({ exact }) => exact) ? 0 : 1;
}

async function measurePeer(setting: Setting, peer: BuiltPeer): Promise<Live> {
  const { log, bootstrap } = setting;
  const topic = `live-${randomUUID().slice(0, 8)}`;
  const config = { 'message.timestamp.type': 'LogAppendTime' };
  await log.admin.createTopics([{ topic, partitions: PARTITIONS, replicationFactor: 1, config }]);
  const side = await PeerSide.open({ log, peer, bootstrap, topic, partitions: PARTITIONS });
  try {
    await side.start();
    const pingOf = ({ value }: LogRecord): string => {
      const { commandId } = JSON.parse(value!.toString('utf8')) as CommandJson;
      return commandId.slice('ping:'.length);
    };
    return await measure(setting, { side: 'kstreams', topic, dispatchTopic: side.dispatchTopic, children: side.children, pingOf });
  } finally {
    await side.close();
    await log.admin.deleteTopics([topic]);
  }
}

async function measureLull(setting: Setting): Promise<Live> {
  const { log, bootstrap, workers, profileFolder } = setting;
  const side = await LullSide.open({
    log,
    bootstrap,
    workers,
    profileFolder,
    partitions: PARTITIONS,
    fetchBytes: DEFAULT_FETCH_BYTES,
    live: true,
  });
  try {
    await side.start();
    const codec = createCodec();
    const pingOf = ({ value, offset }: LogRecord): string => {
      const decoded = codec.decode(value!);
      if (decoded.record !== 'lull.v1.SendCommand') throw new Error(`dispatch@${offset}: not a send command`);
      return decoded.value.trigger.eventId;
    };
    return await measure(setting, {
      ...{ side: 'lull', topic: side.topics.timeline, dispatchTopic: side.topics.dispatch, children: side.children, pingOf },
    });
  } finally {
    await side.close();
  }
}

interface Target {
  readonly side: SideName;
  readonly topic: string;
  readonly dispatchTopic: string;
  readonly children: readonly Child[];
  /** The event id of the ping that a command answers. */
  readonly pingOf: (record: LogRecord) => string;
}

async function measure(setting: Setting, { side, topic, dispatchTopic, children, pingOf }: Target): Promise<Live> {
  const { log, eventsPerS, users, warmMs, measuredMs, signal } = setting;
  /** Due time of each ping that is measured, and of each that is not. */
  const dueMs = new Map<string, number>();
  const visibleMs = new Map<string, number>();
  let duplicates = 0;
  const visible = await countVisible(log, dispatchTopic, (record) => {
    const ping = pingOf(record);
    if (visibleMs.has(ping)) duplicates++;
    visibleMs.set(ping, performance.now());
  });
  const ending = new AbortController();
  const beganMs = performance.now();
  const pacing = pace(log, {
    ...{ topic, partitions: PARTITIONS, eventsPerS, users, pingEvery: PING_EVERY, signal: ending.signal },
    onPing: (eventId, atMs) => void dueMs.set(eventId, atMs),
  });
  // Awaited below; a failure before that ends there as well.
  pacing.catch(() => undefined);
  try {
    const cpuOf = (): number => children.reduce((sum, { usage }) => sum + usage.cpuSeconds(), 0);
    const wait = async (ms: number): Promise<void> => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs) {
        await sleep(200, undefined, { signal });
        if (children.some(({ hasExited }) => hasExited)) throw new Error(`${side}: a process ended while it was measured`);
        for (const { usage } of children) usage.sampleRss();
      }
    };
    await wait(warmMs);
    const [fromMs, cpuBefore] = [performance.now(), cpuOf()];
    await wait(measuredMs);
    const [toMs, cpuS] = [performance.now(), cpuOf() - cpuBefore];
    ending.abort();
    const { sent, slowestAppendMs } = await pacing;
    const missing = (): number => dueMs.size - visibleMs.size;
    for (const untilMs = performance.now() + PATIENCE_MS; missing() > 0 && performance.now() < untilMs;)
      await sleep(50, undefined, { signal });
    const measured = [...dueMs].filter(([, atMs]) => atMs >= fromMs && atMs < toMs);
    const latencies = measured.map(([ping, atMs]) => (visibleMs.get(ping) ?? Infinity) - atMs).sort((a, b) => a - b);
    const at = (share: number): number =>
      Number((latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN).toFixed(1));
    return {
      side,
      pings: latencies.length,
      missing: missing(),
      duplicates,
      exact: missing() + duplicates === 0,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: at(1),
      cpuSPerMillion: Number(((cpuS * 1e9) / (eventsPerS * (toMs - fromMs))).toFixed(1)),
      eventsPerS: Math.round((sent * 1000) / (toMs - beganMs)),
      slowestAppendMs: Math.round(slowestAppendMs),
      peakRssMiB: children.reduce((sum, { usage }) => sum + usage.peakRssMiB, 0),
    };
  } finally {
    ending.abort();
    await visible.stop();
  }
}

function report(runs: readonly Live[], { eventsPerS, measuredMs, warmMs, workers }: Setting): string {
  const rows = runs.map(({ side, p50Ms, p99Ms, maxMs, pings, exact, cpuSPerMillion, peakRssMiB }) => [
    ...[side === 'lull' ? 'Lull' : 'Kafka Streams', p50Ms, p99Ms, maxMs, pings, exact ? 'yes' : 'NO', cpuSPerMillion, peakRssMiB],
  ]);
  const of = (side: SideName): readonly Live[] => runs.filter((live) => live.side === side);
  const [peers, lulls] = [of('kstreams'), of('lull')];
  const pairs = lulls.slice(0, peers.length).map((lull, i) => ({ lull, peer: peers[i]! }));
  const medianOf = (ratioOf: (pair: { readonly lull: Live; readonly peer: Live }) => number): string =>
    pairs.length === 0 ? '-' : ratio(median(pairs.map(ratioOf)));
  const ratios = [
    ['p50', medianOf(({ lull, peer }) => lull.p50Ms / peer.p50Ms), ''],
    ['p99', medianOf(({ lull, peer }) => lull.p99Ms / peer.p99Ms), 'at most 0.7x'],
    ['max', medianOf(({ lull, peer }) => lull.maxMs / peer.maxMs), ''],
    ['CPU', medianOf(({ lull, peer }) => lull.cpuSPerMillion / peer.cpuSPerMillion), ''],
  ];
  return [
    `W2: ${eventsPerS} events/s for ${measuredMs / 1000} s after ${warmMs / 1000} s of the same; Kafka Streams 4.1.0 (exactly_once_v2, commits every 100 ms, 2 threads, 1 GiB heap) and Lull (${workers} processes) in turns. Milliseconds from the moment a ping is due to be sent until its command is visible to a read_committed reader. ${machineLine()}\n\n`,
    table(['side', 'p50 ms', 'p99 ms', 'max ms', 'pings', 'answered once', 'CPU-s per million', 'peak RSS MiB'], rows),
    '\n',
    table(['Lull to Kafka Streams', 'median of ratios', 'target'], ratios),
  ].join('');
}
