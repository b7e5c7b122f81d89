/**
 * The floor under W1's cost: fetches some partitions with Lull's reader, decodes every record with Lull's codec, and does nothing with it. The next fetch overlaps
 * the batch, as in a task. Arguments: bootstrap, topic, partitions (comma-separated), bytes a fetch. Prints `floor=<JSON>` and ends.
 */
import { createCodec } from '../../src/avro/codec.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { waitForParent } from './parent.ts';

export interface FloorFigures {
  readonly records: number;
  /** From the first batch on. */
  readonly cpuS: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

const [bootstrap, topic, partitions, fetchBytes] = process.argv.slice(2) as [string, string, string, string];
const log = createKafkaLog({ brokers: bootstrap.split(','), clientId: 'lull-floor' });
const codec = createCodec();
const ends = await log.admin.offsets(topic);
await waitForParent();
let [records, firstMs, cpuAtFirst] = [0, 0, process.cpuUsage()];
await Promise.all(partitions.split(',').map((partition) => readToEnd(Number(partition))));
const { user, system } = process.cpuUsage(cpuAtFirst);
const figures: FloorFigures = { records, cpuS: (user + system) / 1e6, firstMs, lastMs: Date.now() };
await log.close();
process.stdout.write(`floor=${JSON.stringify(figures)}\n`, () => process.exit());

async function readToEnd(partition: number): Promise<void> {
  const end = ends.get(partition)?.end ?? 0;
  const reader = log.reader({ topic, partition, offset: 0, maxBytes: Number(fetchBytes) });
  let next = reader.fetch();
  for (;;) {
    const batch = await next;
    if (firstMs === 0) [firstMs, cpuAtFirst] = [Date.now(), process.cpuUsage()];
    const isLast = batch.nextOffset >= end;
    if (!isLast) next = reader.fetch();
    await codec.prepare(batch.records.map(({ value }) => value));
    for (const { value } of batch.records) if (value !== null && codec.decode(value).record === 'lull.v1.ProductEvent') records++;
    if (isLast) break;
  }
  await reader.close();
}
