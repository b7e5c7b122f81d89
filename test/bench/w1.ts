import { existsSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_FETCH_BYTES } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { readReference } from './commands.ts';
import { buildPeer } from './kstreams/side.ts';
import { profileTable, readProfile, summarise } from './profile.ts';
import { measureLull, measurePeer, type W1Run, type W1Setting } from './w1-sides.ts';

const HELP = `Workload W1: catch-up over a recorded topic, compared command by command with a reference. One run.

  npm run bench -- w1 --bootstrap HOST:PORT --topic NAME --reference FILE [--workers 2] [--profile [--profile-folder DIR]]

--topic         ProductEvents framed with schema id 1, record time = event time, at most 5 s out of order
--reference     lines: commandId TAB userId TAB value (JSON with rule, at, sessionStart, sessionEvents, cartCents)
--side          lull (default) or kstreams
--workers       processes of Lull, each a member of the group (default: 2)
--profile       writes a .cpuprofile of each worker's main thread, and prints where the time went (stderr)
--node-flags    flags for the workers' Node, separated by spaces
--fetch-bytes   bytes that a fetch asks for (default: 2097152)
--limit-s       gives up after so long (default: 900)

Prints one JSON line. The clock runs from the first batch that a worker reads until every expected command is visible to a
read_committed reader and the group's offsets are at the end. CPU and memory are the workers' together, each without its start-up.
Exit code 1 when the output is not exact.
`;

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bootstrap: { type: 'string' },
      topic: { type: 'string' },
      reference: { type: 'string' },
      side: { type: 'string', default: 'lull' },
      workers: { type: 'string', default: '2' },
      profile: { type: 'boolean', default: false },
      'profile-folder': { type: 'string' },
      'node-flags': { type: 'string', default: '' },
      'fetch-bytes': { type: 'string', default: String(DEFAULT_FETCH_BYTES) },
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
  if (!['lull', 'kstreams'].includes(values.side)) throw new Error(`--side ${values.side}: lull or kstreams`);
  const workers = Number(values.workers);
  if (!(workers >= 1)) throw new Error(`--workers ${values.workers}: at least 1`);
  const expected = readReference(reference);
  const log = createKafkaLog({ brokers: bootstrap.split(','), clientId: 'lull-bench' });
  try {
    const partitions = await log.admin.partitions(topic);
    if (partitions === undefined) throw new Error(`--topic ${topic}: there is no such topic`);
    const profileFolder = values.profile ? await folderFor(values['profile-folder']) : undefined;
    const setting: W1Setting = {
      ...{ log, bootstrap, topic, partitions, expected, workers, profileFolder, signal },
      ...{ fetchBytes: Number(values['fetch-bytes']), limitMs: Number(values['limit-s']) * 1000 },
      nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== ''),
    };
    const run = values.side === 'kstreams' ? await runPeer(setting) : await measureLull(setting, values.profile ? printProfile : undefined);
    process.stdout.write(`${JSON.stringify({ run: 'w1', ...(run.side === 'lull' ? { workers } : {}), ...run })}\n`);
    process.exitCode = run.exact ? 0 : 1;
  } finally {
    await log.close();
  }
}

async function runPeer(setting: W1Setting): Promise<W1Run> {
  const peer = await buildPeer((line) => process.stderr.write(`${line}\n`), setting.signal);
  try {
    return await measurePeer(setting, peer);
  } finally {
    await peer.close();
  }
}

async function folderFor(given: string | undefined): Promise<string> {
  if (given === undefined) return mkdtemp(join(tmpdir(), 'lull-profile-'));
  await mkdir(given, { recursive: true });
  return given;
}

function printProfile(files: readonly string[], threads: readonly ReadonlyMap<string, number>[]): void {
  const names = new Set(threads.flatMap((byName) => [...byName.keys()]));
  const perThread = [...names].map((name) => [name, threads.reduce((total, byName) => total + (byName.get(name) ?? 0), 0)] as const);
  const rows = perThread.sort(([, a], [, b]) => b - a).map(([name, seconds]) => `| ${seconds.toFixed(2)} | ${name} |\n`);
  // A worker that the group gave nothing has no profile.
  const written = files.filter((file) => existsSync(file));
  process.stderr.write(
    `\n${profileTable(summarise(written.map(readProfile)))}\n| CPU s | threads, start-up included |\n| ---: | --- |\n${rows.join('')}\n`,
  );
  process.stderr.write(written.map((file) => `${file}\n`).join(''));
}
