/**
 * The process that W1 measures: the real processor on historical input, as `lull process` composes it, without a registry (schema id 1 is a
 * product event). Prints `first_ms=<epoch ms>` at its first batch and ends at SIGTERM, so that the last commit can be waited for outside.
 */
import { join } from 'node:path';
import { createCodec } from '../../src/avro/codec.ts';
import { META_TABLE } from '../../src/engine/checkpoint.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { silentObserver } from '../../src/engine/observer.ts';
import { Worker } from '../../src/engine/worker.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames } from '../../src/log/topics.ts';
import { silentProcessorObserver } from '../../src/processor/observer.ts';
import { createProcessorStage } from '../../src/processor/stage.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { compileTopology } from '../../src/topology/compile.ts';

const [bootstrap, topic, prefix, stateFolder, fetchMaxBytes] = process.argv.slice(2) as [string, string, string, string, string];
const compiled = compileTopology(join(import.meta.dirname, '../../topologies/w1'), { app: prefix });
if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));

const stopping = new AbortController();
process.once('SIGTERM', () => {
  stopping.abort();
});
const log = createKafkaLog({ brokers: bootstrap.split(','), clientId: prefix });
const stage = createProcessorStage({
  ...{ program: compiled.program, codec: createCodec(), log, observer: silentProcessorObserver },
  topics: { ...topicNames(prefix), timeline: topic },
  historical: { allowedLatenessMs: 5_000, untilMs: null },
});
const store = await openRocksStore({ path: stateFolder, tables: [...stage.tables, META_TABLE] });
let hasBegun = false;
await new Worker({
  ...{ stage, log, store, prefix, clock: systemClock, fetchMaxBytes: Number(fetchMaxBytes) },
  observer: {
    ...silentObserver,
    lag() {
      if (hasBegun) return;
      hasBegun = true;
      process.stdout.write(`first_ms=${Date.now()}\n`);
    },
    note: (level, message) => {
      if (level !== 'info') process.stderr.write(`${message}\n`);
    },
  },
}).run(stopping.signal);
await store.close();
await log.close();
