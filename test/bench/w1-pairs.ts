import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { DEFAULT_FETCH_BYTES } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';
import { benchBroker } from './broker.ts';
import { observedOf, readReference, type Observed } from './commands.ts';
import { measureFloor } from './floor.ts';
import { buildPeer, type BuiltPeer } from './kstreams/side.ts';
import { machineLine, median, ratio, table } from './table.ts';
import { createEventsTopic, writeEvents, writeFlush } from './topic-writer.ts';
import { W1_FLUSH_MS, w1Events } from './w1-events.ts';
import { computeReference } from './w1-reference.ts';
import { measureLull, measurePeer, type W1Run, type W1Setting } from './w1-sides.ts';

const HELP = `Workload W1 on Kafka Streams and on Lull, in turns: what catching up with a recorded topic costs, exact output on either side.

  npm run bench -- [pairs] [--events 2000000] [--pairs 5] [--workers 2] [--markdown FILE]

--events, --users, --seed   what is generated (default: 2000000 events of 100000 users)
--topic, --reference        a topic and its reference that exist, instead of generating
--pairs                     how often each side runs (default: 5)
--workers                   processes of Lull; Kafka Streams has two threads in one (default: 2)
--markdown FILE             writes the table, with date and machine
--bootstrap HOST:PORT       a broker (default: LULL_BOOTSTRAP, else one of its own is started)
--fetch-bytes, --limit-s    as for w1

Prints a JSON line for each run on stdout, progress and the table on stderr. Needs Java 17 or newer with javac, and Maven at the first time.
Exit code 1 when some output was not exact.
`;

interface Pair {
  readonly kstreams: W1Run;
  readonly lull: W1Run;
  readonly floor: { readonly eventsPerS: number; readonly cpuSPerMillion: number };
}

const PARTITIONS = 4;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bootstrap: { type: 'string' },
      topic: { type: 'string' },
      reference: { type: 'string' },
      events: { type: 'string', default: '2000000' },
      users: { type: 'string', default: '100000' },
      seed: { type: 'string', default: 'w1' },
      pairs: { type: 'string', default: '5' },
      workers: { type: 'string', default: '2' },
      markdown: { type: 'string' },
      'fetch-bytes': { type: 'string', default: String(DEFAULT_FETCH_BYTES) },
      'limit-s': { type: 'string', default: '900' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if ((values.topic === undefined) !== (values.reference === undefined)) throw new Error('--topic and --reference go together');
  const peer = await buildPeer(say, signal);
  const broker = await benchBroker(values.bootstrap, say, signal);
  const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
  const generated = values.topic === undefined ? `bench-w1-${randomUUID().slice(0, 8)}` : undefined;
  const topic = values.topic ?? generated!;
  try {
    const expected =
      values.reference === undefined
        ? await generate(log, topic, { seed: values.seed, users: Number(values.users), events: Number(values.events) }, signal)
        : readReference(values.reference);
    const partitions = await log.admin.partitions(topic);
    if (partitions === undefined) throw new Error(`--topic ${topic}: there is no such topic`);
    const setting: W1Setting = {
      ...{ log, bootstrap: broker.bootstrap, topic, partitions, expected, signal },
      ...{ workers: Number(values.workers), fetchBytes: Number(values['fetch-bytes']), limitMs: Number(values['limit-s']) * 1000 },
    };
    const pairs: Pair[] = [];
    for (let pair = 1; pair <= Number(values.pairs); pair++) {
      pairs.push(await measurePair(setting, peer, `pair ${pair} of ${values.pairs}`));
    }
    const text = report(pairs, setting);
    process.stderr.write(`\n${text}`);
    if (values.markdown !== undefined) await writeFile(values.markdown, text);
    process.exitCode = pairs.every(({ kstreams, lull }) => kstreams.exact && lull.exact) ? 0 : 1;
  } finally {
    if (generated !== undefined) await log.admin.deleteTopics([generated]);
    await log.close();
    await broker.stop();
    await peer.close();
  }
}

async function generate(
  log: Log,
  topic: string,
  options: { readonly seed: string; readonly users: number; readonly events: number },
  signal: AbortSignal,
): Promise<Map<string, Observed>> {
  say(`generating ${options.events} events of ${options.users} users`);
  await createEventsTopic(log, topic, PARTITIONS);
  const onProgress = (written: number): void => say(`${written} of ${options.events} written`);
  await writeEvents(log, w1Events(options), { topic, partitions: PARTITIONS, onProgress, signal });
  await writeFlush(log, topic, PARTITIONS, W1_FLUSH_MS);
  say('computing the reference');
  const reference = await computeReference(log, topic);
  say(`${reference.length} commands are expected`);
  return new Map(reference.map((command) => [observedOf(command).id, observedOf(command)]));
}

async function measurePair(setting: W1Setting, peer: BuiltPeer, name: string): Promise<Pair> {
  const { topic, partitions, workers, bootstrap, fetchBytes } = setting;
  const kstreams = await measurePeer(setting, peer);
  print({ run: 'pairs', pair: name, ...kstreams });
  const lull = await measureLull(setting);
  print({ run: 'pairs', pair: name, ...lull });
  const floor = await measureFloor({ bootstrap, topic, partitions, workers, fetchBytes });
  print({ run: 'pairs', pair: name, side: 'floor', ...floor });
  say(
    `${name}: Lull to Kafka Streams: CPU ${ratio(lull.cpuSPerMillion / kstreams.cpuSPerMillion)}, events/s ${ratio(lull.eventsPerS / kstreams.eventsPerS)}`,
  );
  return { kstreams, lull, floor };
}

function report(pairs: readonly Pair[], { expected, workers }: W1Setting): string {
  const cells = ({ eventsPerS, lastHalfEventsPerS, cpuSPerMillion, peakRssMiB, peakPssMiB, exact }: W1Run): (string | number)[] => [
    `${eventsPerS.toLocaleString('en-US')} (${lastHalfEventsPerS.toLocaleString('en-US')})`,
    cpuSPerMillion,
    `${peakRssMiB} / ${peakPssMiB}`,
    exact ? 'yes' : 'NO',
  ];
  const columns = ['events/s (last half)', 'CPU-s per million', 'peak RSS / PSS MiB', 'exact'];
  const head = [
    'pair',
    ...columns.map((name) => `Kafka Streams: ${name}`),
    ...columns.map((name) => `Lull: ${name}`),
    'floor: CPU-s per million',
  ];
  const rows = pairs.map(({ kstreams, lull, floor }, i) => [i + 1, ...cells(kstreams), ...cells(lull), floor.cpuSPerMillion]);
  const of = (ratioOf: (pair: Pair) => number): string => ratio(median(pairs.map(ratioOf)));
  const targets = [
    ['events/s', of(({ lull, kstreams }) => lull.eventsPerS / kstreams.eventsPerS), 'at least 2x'],
    ['CPU-s per million', of(({ lull, kstreams }) => lull.cpuSPerMillion / kstreams.cpuSPerMillion), 'at most 0.5x'],
    ['peak RSS, summed over processes', of(({ lull, kstreams }) => lull.peakRssMiB / kstreams.peakRssMiB), 'at most 0.6x'],
    ['peak PSS (shared pages once)', of(({ lull, kstreams }) => lull.peakPssMiB / kstreams.peakPssMiB), 'at most 0.6x'],
    ['CPU to the floor (fetch and decode alone)', of(({ lull, floor }) => lull.cpuSPerMillion / floor.cpuSPerMillion), 'at most 2.5x'],
  ];
  const events = pairs[0]?.lull.events ?? 0;
  return [
    `W1: ${events.toLocaleString('en-US')} records, ${expected.size.toLocaleString('en-US')} expected commands; Kafka Streams 4.1.0 (exactly_once_v2, commits every 100 ms, 2 threads, 1 GiB heap) and Lull (${workers} processes) in turns. ${machineLine()}\n\n`,
    table(head, rows),
    '\n',
    table(['Lull to Kafka Streams', 'median of ratios', 'target'], targets),
  ].join('');
}

function print(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
