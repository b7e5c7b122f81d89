/**
 * One processor that is measured, as `lull process` composes it, without a registry (schema id 1 is a product event) and without HTTP. Metrics are
 * kept, as in production. Arguments: bootstrap, input topic, prefix, state folder, bytes a fetch, and a `ChildOptions` as JSON. Prints
 * `first_ms=<epoch ms>` at its first batch and `restored=<JSON: what the observer was told>` for each partition; ends at SIGTERM.
 */
import { join } from 'node:path';
import { createCodec } from '../../src/avro/codec.ts';
import { engineObserver, processorObserver } from '../../src/cli/observers.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { Worker } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames } from '../../src/log/topics.ts';
import { createProcessorStage } from '../../src/processor/stage.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { Health } from '../../src/telemetry/health.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { waitForParent } from './parent.ts';
import { startProfiler } from './profiler.ts';

/** What of the composition differs between workloads. */
export interface ChildOptions {
  /** The input is a timeline of now, with ticks, and no recording. */
  readonly live?: boolean;
  /** Default: `topologies/w1`. */
  readonly topology?: string;
  readonly set?: Readonly<Record<string, string>>;
  /** Where to write a CPU profile of the main thread, from the first batch to the end. */
  readonly profile?: string;
}

const [bootstrap, topic, prefix, stateFolder, fetchMaxBytes, json = '{}'] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const options = JSON.parse(json) as ChildOptions;
const compiled = compileTopology(options.topology ?? join(import.meta.dirname, '../../topologies/w1'), {
  app: prefix,
  ...(options.set === undefined ? {} : { set: options.set }),
});
if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));

const stopping = new AbortController();
process.once('SIGTERM', () => {
  stopping.abort();
});
const logger = createLogger({ level: 'warn' });
const log = createKafkaLog({ brokers: bootstrap.split(','), clientId: prefix, logger });
const { metrics } = createMetrics({ prefix });
const stage = createProcessorStage({
  ...{ program: compiled.program, codec: createCodec(), log, observer: processorObserver(metrics, logger) },
  topics: { ...topicNames(prefix), timeline: topic },
  historical: options.live === true ? null : { allowedLatenessMs: 5_000, untilMs: null },
});
const store = await openRocksStore({ path: stateFolder, tables: [...stage.tables, META_TABLE] });
const observer = engineObserver(stage.name, metrics, logger, new Health());
await waitForParent();
let hasBegun = false;
let profiling: Promise<() => Promise<void>> | undefined;
await new Worker({
  ...{ stage, log, store, prefix, clock: systemClock, fetchMaxBytes: Number(fetchMaxBytes) },
  observer: {
    ...observer,
    lag(partition, records) {
      observer.lag(partition, records);
      if (hasBegun) return;
      hasBegun = true;
      process.stdout.write(`first_ms=${Date.now()}\n`);
      if (options.profile !== undefined) profiling = startProfiler(options.profile);
    },
    restored(...told) {
      observer.restored(...told);
      process.stdout.write(`restored=${JSON.stringify(told)}\n`);
    },
  },
}).run(stopping.signal);
await (
  await profiling
)?.();
await store.close();
await log.close();
// What still listens (our parent's pipe) must not hold us.
process.exit();
