/**
 * One processor, run as `lull process` runs a worker (store folder, place in the group, standbys), without a registry. Its argument is a `MemberOptions`
 * as JSON. Prints its log, as JSON lines; ends at SIGTERM.
 */
import { join } from 'node:path';
import { destination } from 'pino';
import { createCodec } from '../../src/avro/codec.ts';
import { loadConfig } from '../../src/cli/config.ts';
import { processorObserver } from '../../src/cli/observers.ts';
import { runStage } from '../../src/cli/run-stage.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames } from '../../src/log/topics.ts';
import { createProcessorStage } from '../../src/processor/stage.ts';
import { Health } from '../../src/telemetry/health.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { waitForParent } from './parent.ts';

export interface MemberOptions {
  readonly bootstrap: string;
  readonly prefix: string;
  readonly stateFolder: string;
  readonly standbys: number;
  readonly sessionTimeoutMs: number;
}

const options = JSON.parse(process.argv[2]!) as MemberOptions;
const { config } = loadConfig({ flags: { ...options, logLevel: 'debug' }, env: {} });
const compiled = compileTopology(join(import.meta.dirname, '../../topologies/w1'), { app: config.prefix });
if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
const stopping = new AbortController();
process.once('SIGTERM', () => {
  stopping.abort();
});
const logger = createLogger({ level: config.logLevel, to: destination({ fd: 1, sync: true }) });
const log = createKafkaLog({ brokers: [options.bootstrap], clientId: config.prefix, logger });
const topics = topicNames(config.prefix);
const metrics = createMetrics({ prefix: config.prefix });
const codec = createCodec();
const stage = createProcessorStage({
  ...{ program: compiled.program, codec, log, topics, observer: processorObserver(metrics.metrics, logger) },
});
const partitions = (await log.admin.partitions(topics.timeline)) ?? 0;
await waitForParent();
await runStage({ config, log, codec, partitions, logger, metrics, health: new Health(), close: () => log.close() }, stage, stopping.signal);
await log.close();
// What still listens (our parent's pipe) must not hold us.
process.exit();
