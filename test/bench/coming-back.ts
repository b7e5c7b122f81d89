import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createCodec } from '../../src/avro/codec.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';
import { benchBroker } from './broker.ts';
import { Group, type Member } from './coming-back-group.ts';
import { pace } from './pacer.ts';
import { ServiceGaps } from './service-gaps.ts';
import { machineLine, table } from './table.ts';
import { writeEvents } from './topic-writer.ts';
import { countVisible } from './visible.ts';
import { userIdOf, type BenchEvent } from './w1-events.ts';

const HELP = `Coming back: how long a partition is not served after a restart, a crash, the loss of a machine, and in a rolling restart.

  npm run bench -- coming-back [--rows 300000] [--rate 1000] [--partitions 6] [--session-ms 10000] [--markdown FILE] [--bootstrap HOST:PORT]

--rows         users, each with one row in the changelog (default: 300000)
--rate         events per second while processors come and go (default: 1000); one in ten is a ping, which is answered by a command
--only         some of: restarts, lost-0, lost-1, crash, rolling-0, rolling-1
--bootstrap    a broker (default: LULL_BOOTSTRAP, else one of its own is started)

A gap is the time without a visible commit of the partition, for a reader of its changelog in this process. Prints a JSON line for each case, and a table on
stderr. Exit code 1 when a ping was answered not at all or twice.
`;

interface Figures {
  readonly case: string;
  readonly [figure: string]: number | string;
}

interface Setting {
  readonly log: Log;
  readonly bootstrap: string;
  readonly rows: number;
  readonly rate: number;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  readonly signal: AbortSignal;
}

const CASES: Readonly<Record<string, (setting: Setting) => Promise<readonly Figures[]>>> = {
  restarts,
  'lost-0': (setting) => lostMachine(setting, 0),
  'lost-1': (setting) => lostMachine(setting, 1),
  crash,
  'rolling-0': (setting) => rollingRestart(setting, 0),
  'rolling-1': (setting) => rollingRestart(setting, 1),
};
const PATIENCE_MS = 30_000;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function run(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bootstrap: { type: 'string' },
      rows: { type: 'string', default: '300000' },
      rate: { type: 'string', default: '1000' },
      partitions: { type: 'string', default: '6' },
      'session-ms': { type: 'string', default: '10000' },
      only: { type: 'string', default: Object.keys(CASES).join(',') },
      markdown: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const names = values.only.split(',');
  const unknown = names.filter((name) => CASES[name] === undefined);
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: the cases are ${Object.keys(CASES).join(', ')}`);
  const broker = await benchBroker(values.bootstrap, say, signal);
  const log = createKafkaLog({ brokers: broker.bootstrap.split(','), clientId: 'lull-bench' });
  const setting: Setting = {
    ...{ log, bootstrap: broker.bootstrap, signal, rows: Number(values.rows), rate: Number(values.rate) },
    ...{ partitions: Number(values.partitions), sessionTimeoutMs: Number(values['session-ms']) },
  };
  const all: Figures[] = [];
  try {
    for (const name of names)
      for (const figures of await CASES[name]!(setting)) {
        all.push(figures);
        process.stdout.write(`${JSON.stringify({ run: 'coming-back', ...figures })}\n`);
      }
  } finally {
    await log.close();
    await broker.stop();
  }
  const text = report(all, setting);
  process.stderr.write(`\n${text}`);
  if (values.markdown !== undefined) await writeFile(values.markdown, text);
  process.exitCode = all.every(({ missing = 0, duplicates = 0 }) => missing === 0 && duplicates === 0) ? 0 : 1;
}

/** One processor, no load: on the disk that it had, and on an empty one. */
async function restarts(setting: Setting): Promise<readonly Figures[]> {
  return withGroup(setting, async (group) => {
    await group.start(['a'], 0);
    await group.settled(0);
    await read(setting, group);
    const figures: Figures[] = [];
    for (const [name, disk] of [
      ['same disk', 'a'],
      ['empty disk', 'b'],
    ] as const) {
      await group.stop('a');
      say(`restarts: ${name}`);
      await group.start([disk], 0);
      await group.settled(0);
      const member = group.members.get(disk)!;
      figures.push({ case: `restart, ${name}`, ...restoreFigures([member]), upAfterMs: member.runningSinceMs - member.startedMs });
    }
    return figures;
  });
}

/** Two processors under load; one is killed and never comes back. */
async function lostMachine(setting: Setting, standbys: number): Promise<readonly Figures[]> {
  return withGroup(setting, async (group) => {
    await group.start(['a', 'b'], standbys);
    await group.settled(standbys);
    await read(setting, group);
    return underLoad(setting, group, async (gaps) => {
      const [lost, kept] = [group.members.get('b')!.running, group.members.get('a')!.running];
      const before = restoredRows(group, 'b');
      say(`lost machine, ${standbys} standbys: killing the one that has ${lost.join(', ')}`);
      group.kill('b');
      const killedMs = Date.now();
      await group.until('the lost partitions are served', () => lost.every((p) => gaps.isServedAfter(p, killedMs)));
      await group.settled(0);
      return [
        {
          case: `lost machine, ${standbys} standbys`,
          ...gapFigures(lost.map((partition) => gaps.longest(partition, killedMs))),
          othersMaxMs: Math.max(...kept.map((partition) => gaps.longest(partition, killedMs))),
          restoredRows: restoredRows(group) - before,
        },
      ];
    });
  });
}

/** Two processors under load; one is killed, and started again at once on its disk. */
async function crash(setting: Setting): Promise<readonly Figures[]> {
  return withGroup(setting, async (group) => {
    await group.start(['a', 'b'], 0);
    await group.settled(0);
    await read(setting, group);
    return underLoad(setting, group, async (gaps) => {
      const [lost, kept] = [group.members.get('b')!.running, group.members.get('a')!.running];
      say(`crash: killing the one that has ${lost.join(', ')}, and starting it again`);
      group.kill('b');
      const killedMs = Date.now();
      await group.start(['b'], 0);
      await group.until('the partitions are served again', () => lost.every((p) => gaps.isServedAfter(p, killedMs)));
      await group.settled(0);
      return [
        {
          case: 'crash and restart, same disk',
          ...gapFigures(lost.map((partition) => gaps.longest(partition, killedMs))),
          othersMaxMs: Math.max(...kept.map((partition) => gaps.longest(partition, killedMs))),
          restoredRows: restoreFigures([group.members.get('b')!]).rows,
        },
      ];
    });
  });
}

/** Three processors under load, each stopped gracefully and started again on its disk, one after the other. */
async function rollingRestart(setting: Setting, standbys: number): Promise<readonly Figures[]> {
  return withGroup(setting, async (group) => {
    const names = ['a', 'b', 'c'];
    await group.start(names, standbys);
    await group.settled(standbys);
    await read(setting, group);
    return underLoad(setting, group, async (gaps) => {
      const share = (name: string): string =>
        group.members
          .get(name)!
          .running.toSorted((a, b) => a - b)
          .join(' ');
      const before = names.map(share);
      const beganMs = Date.now();
      let rows = 0;
      for (const name of names) {
        say(`rolling restart, ${standbys} standbys: ${name}, which has ${share(name)}`);
        const others = restoredRows(group, name);
        await group.stop(name);
        await group.start([name], standbys);
        await group.settled(standbys);
        // Long enough for the next rebalance not to be part of this one.
        await sleep(2_000, undefined, { signal: setting.signal });
        rows += restoredRows(group) - others;
      }
      const all = Array.from({ length: setting.partitions }, (_, partition) => gaps.longest(partition, beganMs));
      return [
        {
          case: `rolling restart of three, ${standbys} standbys`,
          ...gapFigures(all),
          restoredRows: rows,
          backWhereTheyWere: names.filter((name, i) => share(name) === before[i]).length === names.length ? 'yes' : 'no',
        },
      ];
    });
  });
}

/** A group whose input has every user once. */
async function withGroup(setting: Setting, use: (group: Group) => Promise<readonly Figures[]>): Promise<readonly Figures[]> {
  const { log, rows, partitions, signal } = setting;
  const group = await Group.open(log, setting);
  try {
    const onProgress = (written: number): void => say(`${written} of ${rows} users written`);
    await writeEvents(log, usersOnce(rows), { topic: group.topics.timeline, partitions, onProgress, signal });
    return await use(group);
  } finally {
    await group.close();
  }
}

function* usersOnce(users: number): Generator<BenchEvent> {
  for (let rank = 0; rank < users; rank++)
    yield { eventId: `user-${rank}`, userId: userIdOf(rank), type: 'app_opened', occurredAtMs: Date.now(), properties: {} };
}

/** Until all that is in the input has been processed. */
async function read({ log }: Setting, group: Group): Promise<void> {
  const { timeline } = group.topics;
  await group.until('the input is read', async () => {
    const [ends, committed] = [await log.admin.offsets(timeline), await log.admin.groupOffsets(group.groupId, timeline)];
    return [...ends].every(([partition, { end }]) => (committed.get(partition) ?? 0) >= end);
  });
}

/** Sends events meanwhile, and counts the answers to the pings among them. */
async function underLoad(
  setting: Setting,
  group: Group,
  use: (gaps: ServiceGaps) => Promise<readonly Figures[]>,
): Promise<readonly Figures[]> {
  const { log, rate, rows, partitions, signal } = setting;
  const codec = createCodec();
  const [sent, answered] = [new Set<string>(), new Set<string>()];
  let duplicates = 0;
  const commands = await countVisible(log, group.topics.dispatch, ({ value }) => {
    const decoded = codec.decode(value!);
    if (decoded.record !== 'lull.v1.SendCommand') return;
    const { eventId } = decoded.value.trigger;
    if (answered.has(eventId)) duplicates++;
    answered.add(eventId);
  });
  const gaps = await ServiceGaps.open(log, group.topics.state);
  const ending = new AbortController();
  const pacing = pace(log, {
    ...{ topic: group.topics.timeline, partitions, eventsPerS: rate, users: rows, pingEvery: 10, signal: ending.signal },
    onPing: (eventId) => void sent.add(eventId),
  });
  pacing.catch(() => undefined); // awaited below
  try {
    await sleep(3_000, undefined, { signal });
    const figures = await use(gaps);
    ending.abort();
    await pacing;
    const missing = (): number => [...sent].filter((eventId) => !answered.has(eventId)).length;
    for (const untilMs = Date.now() + PATIENCE_MS; missing() > 0 && Date.now() < untilMs;) await sleep(100, undefined, { signal });
    return figures.map((one) => ({ ...one, pings: sent.size, missing: missing(), duplicates }));
  } finally {
    ending.abort();
    await gaps.stop();
    await commands.stop();
  }
}

function gapFigures(gapsMs: readonly number[]): { gapMinMs: number; gapMaxMs: number } {
  return { gapMinMs: Math.min(...gapsMs), gapMaxMs: Math.max(...gapsMs) };
}

function restoreFigures(members: readonly Member[]): { rows: number; mb: number; rowsPerS: number; mbPerS: number } {
  const restored = members.flatMap((member) => member.restored);
  const rows = restored.reduce((sum, one) => sum + one.rows, 0);
  const mb = restored.reduce((sum, one) => sum + one.bytes, 0) / 1e6;
  // Partitions are restored side by side.
  const seconds = Math.max(0.001, ...restored.map((one) => one.seconds));
  return { rows, mb: Number(mb.toFixed(1)), rowsPerS: Math.round(rows / seconds), mbPerS: Number((mb / seconds).toFixed(1)) };
}

/** Of all members but one. */
function restoredRows(group: Group, except?: string): number {
  return restoreFigures([...group.members.values()].filter(({ name }) => name !== except)).rows;
}

function report(all: readonly Figures[], { rows, rate, partitions, sessionTimeoutMs }: Setting): string {
  const figures = [...new Set(all.flatMap((one) => Object.keys(one)))].filter((name) => name !== 'case');
  const head = `Coming back: ${rows.toLocaleString('en-US')} users on ${partitions} partitions, ${rate} events/s, session timeout ${sessionTimeoutMs} ms. ${machineLine()}\n\n`;
  return (
    head +
    table(
      ['case', ...figures],
      all.map((one) => [one.case, ...figures.map((name) => String(one[name] ?? '-'))]),
    )
  );
}
