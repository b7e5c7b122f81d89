import { setTimeout as sleep } from 'node:timers/promises';
import { ApiKey } from '../../setup/tcp-proxy.ts';
import type { Broker } from '../cluster.ts';
import { coordinatorOf, untilInSync } from '../coordinators.ts';
import type { Deployment } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import type { FaultResult, FaultRow, FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';
import { allAlive, withinMs } from '../vitals.ts';

const REACHED_WITHIN_MS = 60_000;
const MOVES_WITHIN_MS = 30_000;

interface Way {
  readonly what: string;
  readonly of: 'transaction' | 'group';
  /** Returns when the broker is down. */
  readonly go: (broker: Broker, hasMoved: () => Promise<boolean>) => Promise<void>;
}

const WAYS: readonly Way[] = [
  { what: 'killed between output and offsets', of: 'transaction', go: (broker) => killedAt(broker, ApiKey.addOffsets) },
  { what: 'stopped between output and offsets', of: 'transaction', go: stoppedMeanwhile },
  { what: 'killed with the commit on its way', of: 'transaction', go: (broker) => killedAt(broker, ApiKey.endTxn) },
  { what: 'killed when it had committed, with the answer on its way', of: 'transaction', go: killedBeforeItsAnswer },
  { what: 'killed with the offsets on their way', of: 'group', go: (broker) => killedAt(broker, ApiKey.txnOffsetCommit) },
];

/**
 * Three brokers, everything kept three times. Again and again the one that coordinates a partition's transactions, or the group, goes in the middle of a
 * transaction. Another takes over from the log of transactions and commits or aborts: never one here and the other there.
 *
 * The broker is back, with all it missed, before the next one goes: with two of three down nothing can be written, and that is row 6.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { cluster, random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const processors = [
    deployment.start(await deployment.stateFolder(), QUICK_GROUP),
    deployment.start(await deployment.stateFolder(), QUICK_GROUP),
  ];
  await load.burst(300);
  load.start(150);
  await untilRecovered(deployment);

  const recoveryMs: number[] = [];
  const ways = full ? [...WAYS, ...WAYS] : random.sample(WAYS, 2);
  for (const { what, of, go } of ways) {
    await sleep(random.int(200, 2_000));
    const id = of === 'group' ? deployment.group : transactionalId(deployment, random.int(0, deployment.partitions - 1));
    const find = (): Promise<Broker | undefined> => coordinatorOf(cluster, of, id);
    const broker = (await find())!;
    await go(broker, async () => (await find()) !== broker);
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    allAlive(processors, `when broker ${broker.nodeId} was ${what}`);
    note(
      `the coordinator of ${id.slice(deployment.prefix.length + 1)}, broker ${broker.nodeId}, ${what}: caught up ${took} ms after it was gone`,
    );
    await broker.start();
    await untilInSync(cluster);
  }
  await load.stop();
  const judgement = await verdict(processors);
  return { recoveryMs, counts: { moves: recoveryMs.length, unsure: load.unsure, ...judgement } };
}

async function killedAt(broker: Broker, apiKey: number): Promise<void> {
  await reached(broker.proxy!.disturb(apiKey, 'hold'));
  await broker.kill();
  broker.proxy!.release(); // into nothing
}

async function killedBeforeItsAnswer(broker: Broker): Promise<void> {
  await reached(broker.proxy!.disturb(ApiKey.endTxn, 'lose-answer'));
  await broker.kill();
}

/** A broker that stops gives its offices away before it closes its connections: the request then finds it there and no coordinator any more. */
async function stoppedMeanwhile(broker: Broker, hasMoved: () => Promise<boolean>): Promise<void> {
  await reached(broker.proxy!.disturb(ApiKey.addOffsets, 'hold'));
  const stopped = broker.stop();
  for (const deadline = performance.now() + MOVES_WITHIN_MS; !(await hasMoved()) && performance.now() < deadline;) await sleep(20);
  broker.proxy!.release();
  await stopped;
}

async function reached(held: Promise<void>): Promise<void> {
  if (!(await withinMs(REACHED_WITHIN_MS, held))) throw new Error('no transaction came by: the row could not be done');
}

function transactionalId({ prefix, topics }: Deployment, partition: number): string {
  return `${prefix}-processor-${topics.timeline}-${partition}`;
}

export const rows: readonly FaultRow[] = [
  {
    id: 7,
    name: 'coordinator',
    fault: "of three brokers, a transaction's or the group's coordinator goes mid-transaction, killed and stopped",
    promise: 'O1 O2 O5: commit or abort, never both',
    needs: { brokers: 3, proxy: true },
    quick: false,
    run,
  },
];
