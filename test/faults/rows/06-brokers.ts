import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from '../cluster.ts';
import type { Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { expectSaid, refusal } from '../refusal.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';
import { allAlive, cpuSeconds } from '../vitals.ts';

/** Longer than the session timeout (3 s), the transaction timeout (10 s) and the time that a call waits for a broker (15 s), one after the other. */
const OUTAGE_MS = 45_000;
/** What a process may use of a core while it waits for its brokers: attempts that are not spaced out use all of it. */
const WAITING_SHARE_OF_CORE = 0.2;

/**
 * The only broker goes and comes back: cleanly, killed, and for longer than every time limit that a processor has. Processors are started while it is
 * away, too: at a start nobody can tell an outage from a wrong address, so they end, with one line that says so, and leave nothing that is in the way of the
 * next start.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { cluster, full, random, note } = faults;
  const [broker] = cluster.brokers as readonly [Broker];
  const { deployment, load, verdict } = await openShop(faults);
  const folders = [await deployment.stateFolder(), await deployment.stateFolder(), await deployment.stateFolder()] as const;
  const processors: Processor[] = [deployment.start(folders[0], QUICK_GROUP), deployment.start(folders[1], QUICK_GROUP)];
  await load.burst(300);
  load.start(200);
  await untilRecovered(deployment);

  const recoveryMs: number[] = [];
  const recovered = async (what: string): Promise<void> => {
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    allAlive(processors, `after ${what}`);
    note(`${what}: caught up ${took} ms after the broker answered`);
  };
  for (let bounce = 0; bounce < (full ? 4 : 2); bounce++) {
    await sleep(random.int(500, 4_000));
    const clean = bounce % 2 === 0;
    await (clean ? broker.stop() : broker.kill());
    await broker.start();
    await recovered(clean ? 'clean bounce' : 'kill');
  }

  await sleep(random.int(500, 2_000));
  await broker.kill();
  const [before, began] = [await Promise.all(processors.map(cpuSeconds)), performance.now()];
  const early = await refusal(deployment.start(folders[2], QUICK_GROUP), 'no broker was there');
  expectSaid(early, 'no Kafka broker answers at', 'is it running, and is the address right?');
  await sleep(OUTAGE_MS - (performance.now() - began));
  allAlive(processors, 'while all brokers were down');
  const seconds = (performance.now() - began) / 1000;
  const shares = (await Promise.all(processors.map(cpuSeconds))).map((after, i) => (after - before[i]!) / seconds);
  note(`down for ${seconds.toFixed(0)} s: ${shares.map((share) => `${(share * 100).toFixed(1)} %`).join(', ')} of a core`);
  if (shares.some((share) => share > WAITING_SHARE_OF_CORE))
    throw new OracleError('O5', `waiting for a broker took ${shares.join(', ')} of a core`);
  await broker.start();
  processors.push(deployment.start(folders[2], QUICK_GROUP));
  await recovered('outage');
  await load.stop();
  const judgement = await verdict(processors);
  return { recoveryMs, counts: { bounces: recoveryMs.length, unsure: load.unsure, ...judgement } };
}

export const rows: readonly FaultRow[] = [
  {
    id: 6,
    name: 'brokers',
    fault: 'the broker bounced, clean and by SIGKILL; down for 45 s (longer than every timeout), a processor started meanwhile',
    promise: 'O1 O2 O5, nobody ends, waiting costs nothing',
    needs: { brokers: 1, own: true },
    quick: false,
    run,
  },
];
