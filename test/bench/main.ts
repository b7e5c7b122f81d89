/** `npm run bench -- [NAME] [options]`: measurements, JSON lines on stdout, progress on stderr. Without a name: W1 in pairs with Kafka Streams. */
interface Bench {
  readonly run: (args: readonly string[], signal: AbortSignal) => Promise<void>;
}

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  pairs: () => import('./w1-pairs.ts'),
  w1: () => import('./w1.ts'),
  w2: () => import('./w2.ts'),
  growth: () => import('./growth.ts'),
  journeys: () => import('./journeys.ts'),
  ingest: () => import('./ingest.ts'),
  'coming-back': () => import('./coming-back.ts'),
  'fan-out': () => import('./fan-out.ts'),
  'new-dates': () => import('./new-dates.ts'),
};

const given = process.argv.slice(2);
const [name, ...args] = given[0] === undefined || /^--(?!help$)/.test(given[0]) ? ['pairs', ...given] : given;
const bench = BENCHES[name!];
if (bench === undefined) {
  process.stderr.write(
    `Usage: npm run bench -- [NAME] [options]\nNAME is one of: ${Object.keys(BENCHES).join(', ')} (default: pairs); each has --help\n`,
  );
  process.exit(name === '--help' || name === '-h' ? 0 : 2);
}
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort(new Error(`ended by ${signal}`)));
try {
  await (await bench()).run(args, stopping.signal);
  process.exit();
} catch (error) {
  const reason: unknown = stopping.signal.aborted ? stopping.signal.reason : error;
  process.stderr.write(`bench ${name}: ${reason instanceof Error ? reason.message : String(reason)}\n`);
  process.exit(1);
}
