/**
 * One `lull ingest` that is measured, as the command composes it, without HTTP, and with the schemas in memory instead of a registry. Arguments: bootstrap, the foreign topic,
 * prefix, state folder, the timeline's partitions. Prints `first_ms=<epoch ms>` at its first batch; ends at SIGTERM.
 */
import { join } from 'node:path';
import { createCodec } from '../../src/avro/codec.ts';
import { createGenericDecoder } from '../../src/avro/generic-decoder.ts';
import type { SchemaRegistry } from '../../src/avro/registry.ts';
import { engineObserver, ingestObserver } from '../../src/cli/observers.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { Worker } from '../../src/engine/worker.ts';
import { createIngestStage } from '../../src/ingest/stage.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames } from '../../src/log/topics.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { Health } from '../../src/telemetry/health.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { schemaById, schemaOf } from './ingest-records.ts';
import { waitForParent } from './parent.ts';

const [bootstrap, topic, prefix, stateFolder, partitions] = process.argv.slice(2) as [string, string, string, string, string];
const folder = join(import.meta.dirname, '../faults/topologies/sources');
const compiled = compileTopology(folder, { app: prefix, set: { orders: topic } });
if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
const source = compiled.sources[0]!;

const stopping = new AbortController();
process.once('SIGTERM', () => {
  stopping.abort();
});
const logger = createLogger({ level: 'warn' });
const log = createKafkaLog({ brokers: bootstrap.split(','), clientId: prefix, logger });
const { metrics } = createMetrics({ prefix });
const unused = (): Promise<never> => Promise.reject(new Error('there is no registry here'));
const registry: SchemaRegistry = {
  ...{ url: 'memory', lookup: unused, register: unused, setCompatibility: unused },
  schemaById: (id) => Promise.resolve(schemaById(id)),
  schemaOf: () => Promise.resolve(schemaOf()),
};
const { timeline, items, deadLetters, ingestState } = topicNames(prefix);
const stage = createIngestStage({
  ...{ source, decoder: createGenericDecoder({ registry }), codec: createCodec(), observer: ingestObserver(metrics, logger) },
  ...{
    topics: { timeline, items, deadLetters, state: ingestState(source.name) },
    timelinePartitions: Number(partitions),
    hasAppendTime: false,
  },
});
const store = await openRocksStore({ path: stateFolder, tables: [...stage.tables, META_TABLE] });
const observer = engineObserver(stage.name, metrics, logger, new Health());
await waitForParent();
let hasBegun = false;
await new Worker({
  ...{ stage, log, store, prefix, clock: systemClock },
  observer: {
    ...observer,
    lag(partition, records) {
      observer.lag(partition, records);
      if (hasBegun) return;
      hasBegun = true;
      process.stdout.write(`first_ms=${Date.now()}\n`);
    },
  },
}).run(stopping.signal);
await store.close();
await log.close();
// What still listens (our parent's pipe) must not hold us.
process.exit();
