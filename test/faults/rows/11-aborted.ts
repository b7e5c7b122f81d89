import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel, type Producer, type TopicMessages, type Transaction } from 'kafkajs';
import type { OutRecord } from '../../../src/log/port.ts';
import type { Processor } from '../deployment.ts';
import { SHOP_SETTLES_MS, type Load } from '../load.ts';
import { untilRecovered } from '../recovery.ts';
import type { FaultResult, FaultRow, FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';

/** For a few records that nobody may see. */
const QUIET_MS = 30_000;
/** One fetch has a part of a transaction, some, or all of them. */
const FETCH_SIZES = ['1KiB', '16KiB', '1MiB'] as const;

/**
 * Product services that write to the timeline in transactions, two at once on the same partitions, and abort many of them; what is aborted would change what
 * people get. First everything lies there when the processor starts, then it reads while they write; each time the log ends in an aborted transaction, that
 * is in records that nobody may see and in markers. The producers are another client's, the judge is Kafka's own.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults, { load: { poison: 0.005 } });
  const folder = await deployment.stateFolder();
  const kafka = new Kafka({ brokers: deployment.direct.split(','), logLevel: logLevel.NOTHING, retry: { initialRetryTime: 5 } });
  const services = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const producer = kafka.producer({ transactionalId: `${deployment.prefix}-${name}`, maxInFlightRequests: 1, idempotent: true });
      await producer.connect();
      faults.cleanup(() => producer.disconnect());
      return new Service(producer, load, faults);
    }),
  );
  /** They take turns as the seed says, so that their records stand between each other's. */
  const write = async (turns: number): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) {
      await random.pick(services).turn();
      if (random.chance(0.2)) await load.burst(random.int(1, 5));
    }
    for (const service of random.sample(services, services.length)) await service.abort();
  };

  const recoveryMs: number[] = [];
  let processor: Processor | undefined;
  const rounds = full ? 6 : 2;
  for (let round = 0; round < rounds; round++) {
    const fetch = random.pick(FETCH_SIZES);
    // In every other round all of it lies there first.
    const lies = round % 2 === 0;
    if (lies) await write(full ? 120 : 50);
    processor = deployment.start(folder, { ...QUICK_GROUP, LULL_FETCH_MAX_BYTES: fetch });
    if (!lies) await write(full ? 120 : 50);
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    note(`round ${round + 1} of ${rounds}, ${lies ? 'all there first' : 'while it reads'}, ${fetch} a fetch: at the end after ${took} ms`);
    if (round < rounds - 1) await processor.stop();
  }
  // When all is quiet and no tick comes any more: nothing but markers, and what they say was never there.
  await untilRecovered(deployment);
  await sleep(SHOP_SETTLES_MS);
  for (const service of services) await service.abort();
  const took = await untilRecovered(deployment, QUIET_MS);
  recoveryMs.push(took);
  note(`a tail of markers: at its end after ${took} ms`);
  const judgement = await verdict([processor!]);
  const [aborted, committed] = [sum(services.map((service) => service.aborted)), sum(services.map((service) => service.committed))];
  if (aborted === 0 || committed === 0) throw new Error(`${aborted} transactions were aborted and ${committed} committed: no test`);
  return { recoveryMs, counts: { aborted, committed, ...judgement } };
}

/** A service that writes what people do in its shop, a few records at a time, in transactions that stay open over some of its turns. */
class Service {
  /** Transactions that wrote something. */
  aborted = 0;
  committed = 0;
  readonly #producer: Producer;
  readonly #load: Load;
  readonly #random: FaultRun['random'];
  #open: Transaction | undefined;

  constructor(producer: Producer, load: Load, { random }: FaultRun) {
    this.#producer = producer;
    this.#load = load;
    this.#random = random;
  }

  async turn(): Promise<void> {
    if (this.#open !== undefined && this.#random.chance(0.3)) {
      if (this.#random.chance(0.5)) await this.abort();
      else await this.#commit();
      return;
    }
    await this.#write();
  }

  /** In any case with something in it. */
  async abort(): Promise<void> {
    if (this.#open === undefined) await this.#write();
    await this.#open!.abort();
    this.#open = undefined;
    this.aborted++;
  }

  async #commit(): Promise<void> {
    await this.#open!.commit();
    this.#open = undefined;
    this.committed++;
  }

  async #write(): Promise<void> {
    this.#open ??= await this.#producer.transaction();
    await this.#open.sendBatch({ topicMessages: topicMessages(this.#load.draw(this.#random.int(4, 16))) });
  }
}

function topicMessages(records: readonly OutRecord[]): TopicMessages[] {
  return [...Map.groupBy(records, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    messages: of.map(({ partition, key, value }) => ({ partition, key, value })),
  }));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 11, name: 'aborted', quick: true, needs: { brokers: 1 }, run },
    fault: 'two producers abort transactions in one fetch; the log ends in markers',
    promise: 'aborted input is skipped, offsets are right',
  },
];
