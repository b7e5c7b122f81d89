import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Event } from '../../src/core/event.ts';
import type { Program } from '../../src/core/program.ts';
import { DEFAULT_FETCH_BYTES } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { benchBroker } from './broker.ts';
import { measureCatchUp } from './catch-up.ts';
import { coreEvents, runCore } from './journeys-core.ts';
import { journeyEvents } from './journeys-events.ts';
import { JOURNEYS_OF_A_GROUP, writeTopology, type Extras } from './journeys-topology.ts';
import { LullSide } from './lull.ts';
import { profileTable, readProfile, summarise } from './profile.ts';
import { startProfiler } from './profiler.ts';
import { machineLine, median, ratio, table } from './table.ts';
import { createEventsTopic, writeEvents } from './topic-writer.ts';

const HELP = `Journeys: what an event that concerns two journeys costs with many journeys loaded, as a ratio to the same run's cost with ten.

  npm run bench -- journeys [--only core|broker] [--rounds 5] [--events 100000] [--broker-events 400000] [--markdown FILE]

--only           the core alone, or the whole processor catching up on a real broker (default: both)
--cases          some of them: loaded, lived, dormant-1, ... (default: all; on the broker loaded and lived)
--journeys       how many are loaded (default: 200)
--users          people (default: 5000; on the broker ten times as many)
--rounds         each of ten, many, many, ten (default: 5); on the broker --broker-rounds (default: 3)
--profile        of the core: where the time goes with many (stderr), and a .cpuprofile
--workers, --bootstrap, --fetch-bytes, --limit-s   as for w1 (workers: default 1)

The topologies are generated as folders and compiled as any. Target: 1.30x at most. Prints a JSON line for each round on stdout, and a table on stderr.
`;

const TARGET = 1.3;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** What is compared with ten journeys, on what events. */
interface Case {
  readonly name: string;
  readonly what: string;
  readonly target: number | null;
  readonly groups: number;
  /** Of how many groups the events are; the others' journeys are loaded, and nothing comes of them. */
  readonly eventGroups: number;
  readonly extras?: Extras;
}

interface Options {
  readonly users: number;
  readonly events: number;
  readonly rounds: number;
  readonly signal: AbortSignal;
}

interface Ratio {
  readonly of: Case;
  readonly ratios: readonly number[];
}

function casesOf(journeys: number): readonly Case[] {
  const groups = Math.round(journeys / JOURNEYS_OF_A_GROUP);
  const beside = (name: string, what: string, extras: Extras): Case => ({ name, what, target: null, groups: 1, eventGroups: 1, extras });
  return [
    { name: 'loaded', what: `${journeys} journeys, the same events`, target: TARGET, groups, eventGroups: 1 },
    { name: 'lived', what: `${journeys} journeys, people take part in all of them`, target: null, groups, eventGroups: groups },
    beside('dormant-1', '10 journeys and a dormant one', { dormant: 1 }),
    beside('dormant-10', '10 journeys and 10 dormant ones', { dormant: 10 }),
    beside('inactive-10', '10 journeys and 10 inactive ones without `after`', { inactive: 10 }),
    beside('session_ended-10', '10 journeys and 10 on the end of a session', { sessionEnded: 10 }),
    beside('session_ended-100', '10 journeys and 100 on the end of a session', { sessionEnded: 100 }),
  ];
}

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      cases: { type: 'string' },
      journeys: { type: 'string', default: '200' },
      users: { type: 'string', default: '5000' },
      rounds: { type: 'string', default: '5' },
      events: { type: 'string', default: '100000' },
      'broker-events': { type: 'string', default: '400000' },
      'broker-rounds': { type: 'string', default: '3' },
      profile: { type: 'boolean', default: false },
      workers: { type: 'string', default: '1' },
      bootstrap: { type: 'string' },
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
  const { only } = values;
  if (only !== undefined && only !== 'core' && only !== 'broker') throw new Error(`--only ${only}: core or broker`);
  const wanted = values.cases?.split(',');
  const cases = casesOf(Number(values.journeys)).filter(({ name }) => wanted?.includes(name) !== false);
  if (cases.length === 0)
    throw new Error(
      `--cases ${values.cases!}: there are ${casesOf(0)
        .map(({ name }) => name)
        .join(', ')}`,
    );
  const rows: [string, readonly Ratio[]][] = [];
  const users = Number(values.users);
  if (only !== 'broker') {
    const options = { users, events: Number(values.events), rounds: Number(values.rounds), signal };
    if (values.profile) await profileCore(cases[0]!, options);
    rows.push(['the core alone', await measureCore(cases, options)]);
  }
  if (only !== 'core') {
    const broker = await benchBroker(values.bootstrap, say, signal);
    const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
    try {
      const options = { users: 10 * users, events: Number(values['broker-events']), rounds: Number(values['broker-rounds']), signal };
      const composition = { bootstrap: broker.bootstrap, workers: Number(values.workers), fetchBytes: Number(values['fetch-bytes']) };
      const limitMs = Number(values['limit-s']) * 1000;
      rows.push([
        'the processor',
        await measureProcessor(wanted === undefined ? cases.slice(0, 2) : cases, { ...options, ...composition, log, limitMs }),
      ]);
    } finally {
      await log.close();
      await broker.stop();
    }
  }
  const text = report(rows);
  process.stderr.write(`\n${text}`);
  if (values.markdown !== undefined) await writeFile(values.markdown, text);
}

const SMALL: Case = { name: 'ten', what: '10 journeys', target: null, groups: 1, eventGroups: 1 };

async function compiled({ groups, extras }: Case): Promise<Program> {
  const folder = writeTopology(groups, extras);
  try {
    const topology = compileTopology(folder, { app: 'bench' });
    if (!topology.ok) throw new Error(topology.errors.map(({ file, line, message }) => `${file}:${line}: ${message}`).join('\n'));
    return topology.program;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function eventsOf({ eventGroups }: Case, { users, events }: Pick<Options, 'users' | 'events'>): readonly Event[] {
  return coreEvents(journeyEvents({ seed: 'journeys', users, events, groups: eventGroups }));
}

/** In turns within one process, all of it compiled before: the same optimised code runs both. */
async function measureCore(cases: readonly Case[], options: Options): Promise<readonly Ratio[]> {
  const small = await compiled(SMALL);
  const smallEvents = eventsOf(SMALL, options);
  runCore(small, smallEvents);
  const measured: Ratio[] = [];
  for (const of of cases) {
    const program = await compiled(of);
    const events = of.eventGroups === 1 ? smallEvents : eventsOf(of, options);
    runCore(program, events);
    const ratios: number[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      options.signal.throwIfAborted();
      const [first, many, manyAgain, last] = [
        runCore(small, smallEvents),
        runCore(program, events),
        runCore(program, events),
        runCore(small, smallEvents),
      ];
      const [ten, all] = [first.nsPerEvent + last.nsPerEvent, many.nsPerEvent + manyAgain.nsPerEvent];
      ratios.push(all / ten);
      const { commands, matchesPerUser } = many;
      print({
        of: 'core',
        case: of.name,
        round,
        tenNs: ten / 2,
        ns: all / 2,
        ratio: Number((all / ten).toFixed(3)),
        commands,
        matchesPerUser,
      });
    }
    measured.push({ of, ratios });
  }
  return measured;
}

async function profileCore(of: Case, options: Options): Promise<void> {
  const [program, events] = [await compiled(of), eventsOf(of, options)];
  runCore(program, events);
  const file = join(await mkdtemp(join(tmpdir(), 'lull-profile-')), 'core.cpuprofile');
  const stop = await startProfiler(file);
  for (let round = 0; round < options.rounds; round++) runCore(program, events);
  await stop();
  process.stderr.write(`\n${of.what}\n${profileTable(summarise([readProfile(file)]))}\n${file}\n\n`);
}

interface ProcessorOptions extends Options {
  readonly log: Log;
  readonly bootstrap: string;
  readonly workers: number;
  readonly fetchBytes: number;
  readonly limitMs: number;
}

const PARTITIONS = 4;

/** Each run from nothing, over a topic that was written before. */
async function measureProcessor(cases: readonly Case[], options: ProcessorOptions): Promise<readonly Ratio[]> {
  const { log, rounds } = options;
  const topics = new Map<number, string>();
  const folders = new Map<Case, string>([SMALL, ...cases].map((of) => [of, writeTopology(of.groups, of.extras)]));
  try {
    for (const { eventGroups } of [SMALL, ...cases])
      if (!topics.has(eventGroups)) topics.set(eventGroups, await recorded(eventGroups, options));
    const cost = (of: Case): Promise<number> => catchUp(topics.get(of.eventGroups)!, folders.get(of)!, options);
    const measured = cases.map((of) => ({ of, ratios: [] as number[] }));
    for (let round = 1; round <= rounds; round++)
      for (const { of, ratios } of measured) {
        const [first, many, manyAgain, last] = [await cost(SMALL), await cost(of), await cost(of), await cost(SMALL)];
        const ofRound = (many + manyAgain) / (first + last);
        ratios.push(ofRound);
        const runs = { tenCpuSPerMillion: [first, last], cpuSPerMillion: [many, manyAgain] };
        print({ of: 'processor', case: of.name, round, ...runs, ratio: Number(ofRound.toFixed(3)) });
      }
    return measured;
  } finally {
    await log.admin.deleteTopics([...topics.values()]);
    for (const folder of folders.values()) await rm(folder, { recursive: true });
  }
}

async function recorded(groups: number, { log, users, events, signal }: ProcessorOptions): Promise<string> {
  const topic = `bench-journeys-${randomUUID().slice(0, 8)}`;
  await createEventsTopic(log, topic, PARTITIONS);
  const onProgress = (written: number): void => say(`${written} of ${events} written`);
  const all = journeyEvents({ seed: 'journeys', users, events, groups });
  await writeEvents(log, all, { topic, partitions: PARTITIONS, onProgress, signal });
  return topic;
}

/** CPU seconds per million events, without the start. */
async function catchUp(topic: string, topology: string, options: ProcessorOptions): Promise<number> {
  const { log, bootstrap, workers, fetchBytes, limitMs, signal } = options;
  const side = await LullSide.open({ log, bootstrap, topic, partitions: PARTITIONS, workers, fetchBytes, topology });
  try {
    await side.start();
    const { groupId, children } = side;
    const dispatchTopic = side.topics.dispatch;
    const figures = await measureCatchUp(log, { topic, dispatchTopic, groupId, children, expected: 0, limitMs, signal });
    return figures.cpuSPerMillion;
  } finally {
    await side.close();
  }
}

function report(parts: readonly [string, readonly Ratio[]][]): string {
  const rows = parts.flatMap(([part, measured]) =>
    measured.map(({ of, ratios }) => [
      part,
      of.what,
      ratio(median(ratios)),
      `${ratio(Math.min(...ratios))} to ${ratio(Math.max(...ratios))}`,
      of.target === null ? '' : `at most ${ratio(of.target)}`,
    ]),
  );
  const head = ['of', 'with', 'CPU to 10 journeys, median', 'rounds', 'target'];
  return `Journeys: CPU per event, to that with 10 journeys in the same round; each round is ten, many, many, ten. ${machineLine()}\n\n${table(head, rows)}`;
}

function print(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ run: 'journeys', ...line })}\n`);
}
