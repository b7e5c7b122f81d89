import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Config } from '../../cli/config.ts';
import { CommandError } from '../../cli/errors.ts';
import { openRuntime } from '../../cli/runtime.ts';
import { loadTopology } from '../../cli/topology.ts';
import type { Program } from '../../core/program.ts';
import { groupIdOf } from '../../engine/worker.ts';
import { topicNames } from '../../log/topics.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { serveTelemetry } from '../../telemetry/server.ts';
import { openFirefox, requireFirefox } from '../page/firefox.ts';
import { servePage } from '../page/server.ts';
import type { ShopOptions } from '../shop/shop.ts';
import { mostWatchable } from '../shop/watchable.ts';
import { startStack } from '../stack/stack.ts';
import { drain } from '../tally/drain.ts';
import { Follower } from '../tally/follow.ts';
import { Tally } from '../tally/tally.ts';
import { Closers } from './closers.ts';
import { SHORT_PARAMS, type DemoOptions } from './options.ts';
import { receivingAs } from './receiving.ts';
import { senderStages, startLocalPush } from './push.ts';
import { startStages } from './stages.ts';
import { journeyLines, progressLine, summaryOf, type Summary } from './summary.ts';
import { createTopics } from './topics.ts';
import { openShop } from './traffic.ts';

export interface DemoContext {
  /** As given; what is not given is the demo's own. */
  readonly config: Config;
  readonly isPrefixGiven: boolean;
  /** Stops it gracefully. */
  readonly signal: AbortSignal;
  /** One line for people. */
  readonly say: (line: string) => void;
}

/** Beyond what patterns wait for: closing sessions, senders' retries, a machine that is busy with other things. */
const DRAIN_MS = 90_000;
const PROGRESS_MS = 5_000;
const TOPOLOGY = path.join(import.meta.dirname, '../../../topologies/shop');
const ABOUT =
  'The shoppers are simulated, and their phones are push services on this machine. Kafka, the schema registry, RocksDB, the processor, the stage of items and the senders are the real ones.';

/**
 * Everything at once, on this machine: broker, registry, topics, schemas, a processor, the items, senders, local push services, a shop, and a page to watch it
 * on. All of it is closed again, whatever happens.
 * @returns the summary where `forMs` was given and the end was reached, else null
 */
export async function runDemo(options: DemoOptions, context: DemoContext): Promise<Summary | null> {
  // A mistake in a param, or a browser that is not there, is said before anything is started.
  topology(context.config.prefix, options);
  if (options.browser) requireFirefox();
  const closers = new Closers();
  try {
    return await run(options, context, closers);
  } catch (error) {
    // What was waited for when somebody stopped it throws the signal's reason, or has it as its cause: a stop as any other, not a failure.
    const { aborted } = context.signal;
    const reason: unknown = context.signal.reason;
    if (aborted && (error === reason || (error instanceof Error && error.cause === reason))) return stopped(context.say);
    throw error;
  } finally {
    await closers.close();
  }
}

function topology(prefix: string, { set }: DemoOptions, shopUrl = 'http://127.0.0.1'): Program {
  return loadTopology(TOPOLOGY, prefix, [...SHORT_PARAMS, `shopUrl=${shopUrl.replace(/\/$/, '')}`, ...set]).program;
}

async function run(options: DemoOptions, context: DemoContext, closers: Closers): Promise<Summary | null> {
  const { signal, say } = context;
  const isStopped = (): boolean => signal.aborted;
  const stack = await startStack({ bootstrap: context.config.bootstrap, registryUrl: context.config.registry, onProgress: say, signal });
  closers.add(() => stack.stop());
  const config = await demoConfig(context, stack, closers);
  const deleteTopics = await createTopics(config);
  // A broker of somebody else is left as it was; our own goes as a whole.
  if (context.config.bootstrap !== undefined) closers.add(deleteTopics);

  const push = await startLocalPush((error) => say(`a device could not read a message: ${error.message}`));
  closers.add(() => push.close());
  const logger = createLogger({ level: config.logLevel }).child({ app: config.prefix });
  const runtime = await openRuntime(config, logger);
  closers.add(() => runtime.close());
  const { log, codec, metrics, health } = runtime;
  const telemetry = await serveTelemetry({ host: config.httpHost, port: config.httpPort, metrics, health });
  closers.add(() => telemetry.close());
  const topics = topicNames(config.prefix);
  const { promise: begun, resolve: begin } = Promise.withResolvers<undefined>();
  const tally = new Tally({ duplicates: () => push.duplicates() });
  const follower = await Follower.start({ log, codec, topics, tally, onFirstEvent: () => begin(undefined) });
  closers.add(() => follower.close());

  const first = topology(config.prefix, options);
  const shop: ShopOptions = {
    ...{ seed: options.seed, run: randomBytes(6).toString('hex'), shoppers: options.shoppers },
    ...{ gapMs: first.sessionGapMs, category: [...first.categories.keys()][0] ?? '' },
    addressOf: (_shopper, device) => push.addressOf(device),
  };
  const watched = mostWatchable({ ...shop, addressOf: () => '' });
  const page = await servePage({
    source: tally,
    port: options.port,
    gapMs: shop.gapMs,
    about: ABOUT,
    receiving: receivingAs(watched, shop.category, topics, runtime, push),
    links: [
      { label: 'Metrics', href: `${telemetry.url}/metrics` },
      { label: 'Readiness', href: `${telemetry.url}/readyz` },
    ],
  });
  closers.add(() => page.close());
  const program = topology(config.prefix, options, page.url);
  const stages = startStages(runtime, program, senderStages(runtime, push.providers));
  closers.add(() => stages.stop());

  const failure = Promise.race([stages.failure, follower.failure, stack.failure.then((error) => Promise.reject(error))]);
  await Promise.race([stages.ready(signal), failure]);
  if (isStopped()) return stopped(say);
  say(`Lull is running: ${page.url}`);
  if (options.browser) {
    const firefox = await openFirefox({ url: `${page.url}?prepared=1`, pushUrl: push.wsUrl });
    closers.add(() => firefox.stop());
  }

  const traffic = openShop(runtime, topics, shop, options.poison);
  closers.add(() => traffic.stop());
  const broken = Promise.race([failure, traffic.failure]);
  await Promise.race([begun, aborted(signal), broken]);
  const beganMs = Date.now();
  const progress = setInterval(() => say(progressLine(tally.figures(), Math.round((Date.now() - beganMs) / 1000))), PROGRESS_MS);
  closers.add(async () => clearInterval(progress));

  await Promise.race([options.forMs === null ? new Promise(() => undefined) : after(options.forMs, signal), aborted(signal), broken]);
  if (isStopped()) return stopped(say);
  await traffic.stop();
  say('The shop has closed. Waiting for what is still on its way.');
  const groups = [
    { groupId: groupIdOf(config.prefix, 'processor'), topic: topics.timeline },
    { groupId: groupIdOf(config.prefix, 'items'), topic: topics.items },
    ...push.providers.map(({ name }) => ({ groupId: groupIdOf(config.prefix, `sender-${name}`), topic: topics.dispatch })),
  ];
  const end = await Promise.race([
    drain({ admin: log.admin, topics, tally, follower, groups, gapMs: shop.gapMs, deadlineMs: DRAIN_MS, signal }),
    broken,
  ]);
  if (isStopped()) return stopped(say);
  if (end.missing.length > 0)
    throw new CommandError(['the pipeline did not come to its end:', ...end.missing.map((line) => `  ${line}`)].join('\n'));
  if (end.later > 0) say(`Not waited for, because they go on for longer than ${DRAIN_MS / 1000} s: sessions or patterns, ${end.later}.`);
  const figures = tally.figures();
  for (const line of journeyLines(figures)) say(`  ${line}`);
  return summaryOf(figures);
}

function stopped(say: (line: string) => void): null {
  say('Stopping.');
  return null;
}

/** What was given stays; the rest is made for one run on one machine. */
async function demoConfig(
  { config, isPrefixGiven }: DemoContext,
  stack: { readonly bootstrap: string; readonly registryUrl: string },
  closers: Closers,
): Promise<Config> {
  const stateFolder = await mkdtemp(path.join(tmpdir(), 'lull-dev-'));
  closers.add(() => rm(stateFolder, { recursive: true, force: true, maxRetries: 3 }));
  const isShared = config.bootstrap !== undefined && !isPrefixGiven;
  return Object.freeze({
    ...config,
    bootstrap: stack.bootstrap,
    registry: stack.registryUrl,
    prefix: isShared ? `lull-dev-${randomBytes(3).toString('hex')}` : config.prefix,
    partitions: 4,
    replicationFactor: 1,
    stateFolder,
  });
}

function after(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
