import type { Processor } from '../deployment.ts';
import { ServiceGaps } from '../gaps.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { logLines, openShop, QUICK_GROUP, untilReady } from '../shop.ts';

/** One processor becomes three, each is restarted on its disk, and one is left: all under load. */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults, { partitions: 6 });
  const folders = [await deployment.stateFolder(), await deployment.stateFolder(), await deployment.stateFolder()];
  const start = (i: number): Processor => deployment.start(folders[i]!, QUICK_GROUP);
  const processors = [start(0)];
  const recoveryMs: number[] = [];
  const recovered = async (what: string): Promise<void> => {
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    note(`${what}: caught up after ${took} ms`);
  };

  await load.burst(600);
  await untilRecovered(deployment);
  processors[0] = await restarted(processors[0]!, () => start(0));
  await recovered('one, restarted on its disk');
  const kept = restoredRows(processors[0]);
  // It stopped gracefully: everything that it committed is in its store.
  if (kept > 0)
    throw new OracleError('O5', `a processor that stopped gracefully restored ${kept} rows from the changelog though its disk was kept`);

  load.start(full ? 400 : 150);
  processors.push(start(1), start(2));
  await Promise.all(processors.map(untilReady));
  await recovered('three');
  const gaps = new ServiceGaps(deployment);
  faults.cleanup(() => gaps.stop());
  gaps.start();
  let moved = 0;
  for (let round = 0; round < (full ? 2 : 1); round++) {
    for (const [i, processor] of processors.entries()) {
      processors[i] = await restarted(processor, () => start(i));
      await untilReady(processors[i]);
      await recovered(`round ${round + 1}, the ${i + 1}. of three restarted and ready`);
      moved += restoredRows(processors[i]);
    }
  }
  const longestGapMs = Math.max(...(await gaps.stop()));
  for (const processor of processors.splice(1)) await processor.stop();
  await recovered('one again');
  await load.stop();
  const judgement = await verdict(processors);
  return {
    recoveryMs,
    counts: { 'rows that restarted ones had missed': moved, 'ms longest gap of a partition': longestGapMs, ...judgement },
  };
}

async function restarted(processor: Processor, start: () => Processor): Promise<Processor> {
  const code = await processor.stop();
  if (code !== 0) throw new Error(`a processor that was asked to stop ended with ${code}`);
  return start();
}

function restoredRows(processor: Processor): number {
  const restores = logLines(processor).filter(({ msg }) => msg === 'restored');
  return restores.reduce((sum, { rows }) => sum + Number(rows ?? 0), 0);
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 2, name: 'rolling', quick: false, needs: { brokers: 1 }, run },
    fault: 'one processor becomes three, each is restarted on its disk under load, one is left',
    promise: 'nothing lost, nothing twice; a kept disk is not restored again',
  },
];
