import { setTimeout as sleep } from 'node:timers/promises';
import { FencedError } from '../../../src/log/errors.ts';
import type { Deployment, Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, openShop, QUICK_GROUP } from '../shop.ts';

/**
 * Somebody else takes a processor's transactional ids, writes what is not true, and loses them again: of two, the newest wins, and what the other had begun is never
 * seen. Third time within a minute: the processor says so and ends. A second process on the same disk ends at once.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const folder = await deployment.stateFolder();
  const first = deployment.start(folder, QUICK_GROUP);
  await load.burst(300);
  load.start(150);
  await untilRecovered(deployment);

  await refusesTheDisk(deployment, folder);
  const recoveryMs: number[] = [];
  for (let round = 0; round < 2; round++) {
    await intrude(deployment, 0, untilFenced);
    recoveryMs.push(await untilRecovered(deployment));
    note(`intruder ${round + 1}: caught up after ${recoveryMs.at(-1)} ms`);
  }
  if (first.ended() !== undefined) throw new OracleError('O5', `the processor ended with ${first.ended()}:\n${lastLines(first)}`);
  let code: unknown;
  await intrude(deployment, 0, async () => (code = await first.exited));
  if (code === 0 || !first.stderr().includes('fenced 3 times within a minute'))
    throw new OracleError('O5', `fenced three times within a minute, and ended with ${String(code)}, saying:\n${lastLines(first)}`);
  const second = deployment.start(folder, QUICK_GROUP);
  recoveryMs.push(await untilRecovered(deployment));
  await load.stop();
  const judgement = await verdict([second]);
  return { recoveryMs, counts: { intruders: 3, ...judgement } };
}

async function refusesTheDisk(deployment: Deployment, folder: string): Promise<void> {
  const twin: Processor = deployment.start(folder, QUICK_GROUP);
  const code = await twin.exited;
  if (code === 0 || typeof code === 'string') throw new OracleError('O5', `a second process on the same disk ended with ${code}`);
}

/** Fences the task of a partition, begins a transaction with lies in it, and leaves it open until `end`. */
async function intrude(
  { log, prefix, topics }: Deployment,
  partition: number,
  end: (lieAgain: () => Promise<unknown>) => Promise<unknown>,
): Promise<void> {
  const writer = log.transactionalWriter({ transactionalId: `${prefix}-processor-${topics.timeline}-${partition}` });
  try {
    await writer.fence();
    const transaction = await writer.begin();
    const lie = { partition, key: Buffer.from('nobody'), value: Buffer.from('a lie') };
    await transaction.send([topics.dispatch, topics.state, topics.decisions].map((topic) => ({ topic, ...lie })));
    await end(() => transaction.send([{ topic: topics.dispatch, ...lie }]));
  } finally {
    await writer.close();
  }
}

/** The task, assigned as before, fences again: from then on whatever the intruder writes is refused. */
async function untilFenced(lieAgain: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + 8_000;
  while (performance.now() < deadline) {
    try {
      await lieAgain();
    } catch (error) {
      if (error instanceof FencedError) return;
      throw error;
    }
    await sleep(100);
  }
  throw new OracleError('O5', 'the processor did not take its transactional id back within 8 s');
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 4, name: 'twice', quick: false, needs: { brokers: 1 }, run },
    fault: 'another writer takes the same transactional ids; a second process starts on the same disk',
    promise: 'the newest wins and the other is never seen; the third time within a minute, and on one disk, a clear end',
  },
];
