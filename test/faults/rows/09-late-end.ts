import { setTimeout as sleep } from 'node:timers/promises';
import { ApiKey } from '../../setup/tcp-proxy.ts';
import type { Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, openShop, QUICK_GROUP } from '../shop.ts';
import { withinMs } from '../vitals.ts';

/** Where the next transaction is when the end of the one before it arrives: before this request of it is sent on. */
const MOMENTS = {
  'between output and offsets': ApiKey.txnOffsetCommit,
  'before its own end': ApiKey.endTxn,
  'before its output': ApiKey.produce,
  'before it is fenced': ApiKey.initProducerId,
} as const;
type Moment = keyof typeof MOMENTS;

/** Far above what a restart of the task takes. */
const REACHED_WITHIN_MS = 40_000;

/**
 * The request that commits a transaction is held on its way. The processor cannot know what has become of it, and goes on; then it arrives, in the middle of
 * what came next. Kafka takes it for the end of the transaction that is open then, if that has the same producer and epoch (KIP-890, which no client
 * for Node speaks), so what keeps it out is that after an unknown result no producer is used again.
 *
 * One partition: requests of one transactional id, in their order.
 */
async function run(faults: FaultRun, env: Readonly<Record<string, string>> = {}): Promise<FaultResult> {
  const { cluster, random, full, note } = faults;
  const proxy = cluster.brokers[0]!.proxy!;
  const { deployment, load, verdict } = await openShop(faults, { partitions: 1 });
  const folder = await deployment.stateFolder();
  const start = (): Processor => deployment.start(folder, { ...QUICK_GROUP, ...env });
  let processor = start();
  await load.burst(200);
  load.start(100);
  await untilRecovered(deployment);

  const recoveryMs: number[] = [];
  const rounds = full ? 12 : 4;
  const moments = Object.keys(MOMENTS) as Moment[];
  let broken = '';
  for (let round = 0; round < rounds; round++) {
    const moment = moments[round % moments.length]!;
    await sleep(random.int(50, 700));
    // What goes on is the same process at once, the same process when it has waited in vain, or the next one.
    const how = !full || round % 3 === 0 ? 'loses the connection' : round % 3 === 1 ? 'waits in vain' : 'is killed';
    await proxy.disturb(ApiKey.endTxn, how === 'loses the connection' ? 'hold-and-break' : 'hold');
    const reached = proxy.disturb(MOMENTS[moment], 'hold');
    if (how === 'is killed') {
      await processor.kill();
      processor = start();
    }
    if (!(await withinMs(REACHED_WITHIN_MS, Promise.race([reached, processor.exited]))))
      broken ||= `the processor did not come ${moment} of the next transaction within ${REACHED_WITHIN_MS / 1000} s`;
    // Both are on their way now. The late one is let go first; which of them the broker hears first is up to it, as in any network.
    proxy.releaseFirst();
    await sleep(random.int(20, 200));
    proxy.release();
    // Who ends here breaks a promise; what the log says of it comes first.
    const ended = await Promise.race([processor.exited, untilRecovered(deployment)]);
    if (processor.ended() !== undefined) {
      broken ||= `a processor ended with ${ended} when the end of a transaction came ${moment} of the next: ${lastLines(processor, 2)}`;
      processor = start();
      continue;
    }
    recoveryMs.push(Number(ended));
    note(`the client ${how}, the end comes ${moment}: caught up in ${ended} ms`);
  }
  await load.stop();
  const judgement = await verdict([processor]);
  if (broken !== '') throw new OracleError('O5', broken);
  return { recoveryMs, counts: { held: rounds, ...judgement } };
}

export const rows: readonly FaultRow[] = [
  {
    id: 9,
    name: 'late-end',
    fault: 'EndTxn held on its way, the client goes on, then it arrives in the next transaction',
    promise: 'O1 O2',
    needs: { brokers: 1, proxy: true },
    quick: true,
    run,
  },
];
