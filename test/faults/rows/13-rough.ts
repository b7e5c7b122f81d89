import { setTimeout as sleep } from 'node:timers/promises';
import { POSITION_KEY } from '../../../src/engine/position.ts';
import { readCommitted } from '../../setup/read-committed.ts';
import { Deployment, type Said } from '../deployment.ts';
import { judge } from '../oracles.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { QUICK_GROUP } from '../shop.ts';

const TOPOLOGY = 'test/faults/topologies/rough';
/** From the last of those who wait: long enough to stop the processor before the first is due. */
const WAIT_S = 20;
const GIANT_BYTES = 240_000;
/** What a tick fires at most, and what one transaction may hold: 10,000 changes, and what the last tick of it adds. */
const MAX_TIMERS = 1_000;
const MAX_ROWS = 10_000 + 2 * MAX_TIMERS;
/** Of records that are said at once. */
const CHUNK = 5_000;

/**
 * Three kinds of bad neighbours: people for whom every rule throws, somebody whose row is nearly as large as one may be and who never rests, and a crowd whose timers are all
 * due at one moment, which comes while the processor is down. Whatever they cost, everybody gets what they must, in transactions that do not grow with the crowd.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note, cluster } = faults;
  const deployment = new Deployment({
    ...{ bootstrap: cluster.bootstrap, direct: cluster.direct, replicationFactor: cluster.replicationFactor },
    ...{ registryUrl: faults.registryUrl, topology: TOPOLOGY, params: [`wait=${WAIT_S}s`] },
  });
  faults.cleanup(() => deployment.close());
  await deployment.create();
  const folder = await deployment.stateFolder();
  const start = (): ReturnType<typeof deployment.start> => deployment.start(folder, QUICK_GROUP);
  const crowd = full ? 100_000 : 10_000;
  let processor = start();

  const measured = (userId: string, of: number): Said => ({ userId, type: 'measured', properties: { n: random.int(1, 9), of } });
  await deployment.say({ userId: 'giant', type: '$profile', properties: { motto: 'x'.repeat(GIANT_BYTES) } });
  for (let i = 0; i < (full ? 300 : 100); i++) {
    await deployment.say(measured('giant', 1), measured(`thrower-${i % 20}`, 0), measured(`neighbour-${i % 50}`, 2));
  }
  note(`those who throw, and the giant: done after ${await untilRecovered(deployment)} ms`);
  // Down before the first of them is due; what it has not read by then, it finds when all are.
  for (let at = 0; at < crowd; at += CHUNK) {
    await deployment.say(
      ...Array.from({ length: CHUNK }, (_, i) => ({ userId: `crowd-${at + i}`, type: 'waited', properties: { n: at + i } })),
    );
    // One that is long due must not be fired, and so it is stopped in the middle of reading.
    if (at === 0) await processor.stop();
  }
  await sleep((WAIT_S + 2) * 1_000);
  processor = start();
  // After the crowd in the log, and before it in time: nobody waits for a whole crowd to be served.
  await deployment.say(...Array.from({ length: 50 }, (_, i) => measured(`latecomer-${i}`, 1)));
  const began = performance.now();
  await untilRecovered(deployment);
  await untilDecided(deployment, crowd);
  const stormMs = Math.round(performance.now() - began);
  note(`${crowd} timers, due at once, fired after ${stormMs} ms`);
  await processor.stop();
  const judgement = await judge(deployment);
  const transactions = await expectBounded(deployment);
  const rejected = judgement.decisions - judgement.commands;
  if (rejected === 0) throw new Error('no rule has thrown: there was nothing to get wrong');
  return { recoveryMs: [stormMs], counts: { ...transactions, ...judgement } };
}

/** Everybody in the crowd has a decision. */
async function untilDecided(deployment: Deployment, crowd: number): Promise<void> {
  const deadline = performance.now() + 300_000;
  for (;;) {
    // Markers count too: this is the least, and the judge says what is missing.
    const ends = [...(await deployment.log.admin.offsets(deployment.topics.decisions)).values()].reduce((sum, { end }) => sum + end, 0);
    if (ends >= crowd) return;
    if (performance.now() > deadline || deployment.alive === 0) throw new OracleError('O5', `${ends} of ${crowd} decided after 5 minutes`);
    await sleep(500);
  }
}

/** A transaction writes one position row, the last of its rows: what stands between two of them is one. */
async function expectBounded({ topics, direct }: Deployment): Promise<{ transactions: number; largest: number }> {
  const since = new Map<number, number>();
  let [transactions, largest] = [0, 0];
  for (const { partition, key } of (await readCommitted(topics.state, direct)).records) {
    if (key?.equals(POSITION_KEY) !== true) {
      since.set(partition, (since.get(partition) ?? 0) + 1);
      continue;
    }
    transactions++;
    largest = Math.max(largest, since.get(partition) ?? 0);
    since.set(partition, 0);
  }
  if (largest > MAX_ROWS) throw new OracleError('O1', `a transaction has ${largest} rows, at most ${MAX_ROWS} may be in one`);
  return { transactions, largest };
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 13, name: 'rough', quick: false, needs: { brokers: 1 }, run },
    fault: 'rules that throw, a user with enormous state, 100,000 timers due at once',
    promise: 'others unaffected; several bounded transactions',
  },
];
