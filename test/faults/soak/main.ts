/**
 * `npm run faults -- soak --minutes 10 --seed N`: processors and senders under random faults at half load, judged at the end, with a plot of memory, descriptors and lag.
 *
 * Exit code 1 where a promise is broken (O1 to O5), or something grew (O6).
 */
import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../../../src/dev/stack/stack.ts';
import { OracleError, type FaultRow } from '../row.ts';
import { runRow } from '../run-row.ts';
import { flatness, isFlat, median } from './flat.ts';
import { soakPlot } from './plot.ts';
import { soak, type Seen } from './run.ts';

const USAGE = `Usage: npm run faults -- soak [--minutes N] [--seed N] [--rate N] [--svg FILE] [--samples FILE] [--logs FOLDER]
  --minutes  how long the load lasts; default 10
  --seed     faults and load come from it; default drawn, and printed
  --rate     events per second; default half of what is measured at the start
  --svg      writes the plot there, e.g. docs/soak.svg
  --samples  writes what was seen each second there, as JSON
  --logs     keeps what the processes say, a file each, in FOLDER`;

const { values } = parseArgs({
  // `soak` itself, behind `npm run faults --`.
  args: process.argv.slice(2).filter((arg, i) => i > 0 || arg !== 'soak'),
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    rate: { type: 'string' },
    svg: { type: 'string' },
    samples: { type: 'string' },
    logs: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const minutes = Number(values.minutes);
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  if (!(minutes > 0) || (rate !== undefined && !(rate > 0))) throw new Error('--minutes and --rate are numbers above 0');
  const seed = values.seed ?? String(randomInt(1_000_000));
  say(`soak, seed ${seed}, ${minutes} min`);
  if (values.logs !== undefined) {
    mkdirSync(values.logs, { recursive: true });
    process.env['LULL_FAULT_LOGS'] = values.logs;
  }
  const givingUp = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => givingUp.abort());
  const stack = await startStack({ onProgress: say });
  try {
    const { bootstrap, registryUrl } = stack;
    const row: FaultRow = {
      ...{ id: 26, name: 'soak', quick: false, needs: { brokers: 1, proxy: true } },
      fault: 'everything, at random, under load',
      promise: 'nothing lost, nothing twice, nothing grows',
      run: async (faults) => ({
        recoveryMs: [],
        counts: await soak(faults, { minutes, onSeen: (seen) => report(seen, seed), ...(rate === undefined ? {} : { perSecond: rate }) }),
      }),
    };
    const outcome = await runRow(row, { seed, full: true, bootstrap, registryUrl, note: say, signal: givingUp.signal });
    if (outcome.kind !== 'green') {
      say(outcome.kind === 'red' ? (outcome.error.stack ?? outcome.error.message) : outcome.kind);
      return 1;
    }
    say('O1 to O5 are green');
    process.stdout.write(`${JSON.stringify({ seed, minutes, ...outcome.result.counts })}\n`);
    return grew === undefined ? 0 : 1;
  } finally {
    await stack.stop();
  }
}

let grew: OracleError | undefined;

/** Said and drawn before the judges look: also of a soak that turns out red something is to be seen. */
function report(seen: Seen, seed: string): void {
  const { minutes, perSecond, capacityPerSecond, samples, faults } = seen;
  if (values.samples !== undefined) writeFileSync(values.samples, JSON.stringify(seen));
  if (values.svg !== undefined) {
    mkdirSync(dirname(values.svg), { recursive: true });
    const [cpu] = cpus();
    const machine = `${cpus().length} x ${cpu?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
    const lines = [
      `${new Date().toISOString().slice(0, 10)}, seed ${seed}: ${perSecond} events/s, of ${capacityPerSecond}/s that they took before; ${faults.length} faults; 4 partitions`,
      machine,
    ];
    const title = `Two processors and two senders, ${minutes} minutes under random faults`;
    writeFileSync(values.svg, soakPlot({ title, lines, samples, faults }));
  }
  const all = flatness(samples, perSecond);
  for (const each of all)
    say(
      `${isFlat(each) ? 'flat ' : 'GROWS'}  ${each.what}: ${each.before.toFixed(0)} -> ${each.after.toFixed(0)} (at most ${each.atMost.toFixed(0)})`,
    );
  const growing = all.filter((each) => !isFlat(each));
  if (growing.length > 0) grew = new OracleError('O6', growing.map(({ what }) => what).join(', '));
  if (all.length === 0) grew = new OracleError('O6', 'nobody lived long enough to be judged');
  say(grew === undefined ? 'O6 is green' : grew.message);
  for (const role of ['processor', 'sender'] as const) {
    const lags = samples.flatMap(({ lag }) => lag[role] ?? []);
    say(`lag of ${role}s: median ${median(lags) ?? '-'}, at most ${lags.reduce((most, lag) => Math.max(most, lag), 0)} records`);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  say(`soak: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
