import { rm } from 'node:fs/promises';
import type { Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import type { FaultResult, FaultRow, FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';

/** Between each two steps of a commit, and in the middle of a restore. */
const POINTS = ['before-offsets', 'before-commit', 'after-commit', 'after-store'] as const;

/**
 * Two processors, killed in turn: mostly by themselves at a fail-point between two steps of a commit, at times from outside at any moment, and every third
 * comes back on an empty disk and is killed again while it restores. The one that is not killed takes over meanwhile.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const folders = [await deployment.stateFolder(), await deployment.stateFolder()] as const;
  const start = (i: number, env = {}): Processor => deployment.start(folders[i]!, { ...QUICK_GROUP, ...env });
  const doomed = (i: number): Processor => start(i, { LULL_FAILPOINTS: `${random.pick(POINTS)}@${random.int(1, 25)}=kill` });

  const processors = [doomed(0), start(1)];
  await load.burst(300);
  load.start(full ? 400 : 150);
  const rounds = full ? 12 : 3;
  const recoveryMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const i = round % 2;
    await processors[i]!.killedWithin(random.int(6_000, 9_000));
    if (round % 3 === 2) {
      await rm(folders[i]!, { recursive: true });
      // With nothing assigned to it, it would restore nothing.
      await start(i, { LULL_FAILPOINTS: `while-restoring@${random.int(1, 3)}=kill` }).killedWithin(10_000);
    }
    const last = round >= rounds - 2;
    processors[i] = last ? start(i) : doomed(i);
    // The other one may come to its point meanwhile, and so may this one: then it comes back without.
    const took = await untilRecovered(deployment, undefined, () => {
      if (processors[i]!.ended() === 'SIGKILL') processors[i] = start(i);
    });
    recoveryMs.push(took);
    note(`round ${round + 1} of ${rounds}: caught up ${took} ms after the restart`);
    if (!last && processors[1 - i]!.ended() === undefined) {
      // The other one is next: it gets its fail-point by a restart.
      await processors[1 - i]!.stop();
      processors[1 - i] = doomed(1 - i);
    } else if (!last) processors[1 - i] = doomed(1 - i);
  }
  await load.stop();
  for (const [i, processor] of processors.entries()) if (processor.ended() !== undefined) processors[i] = start(i);
  const judgement = await verdict(processors);
  return { recoveryMs, counts: { kills: rounds, ...judgement } };
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 1, name: 'kill', quick: true, needs: { brokers: 1 }, run },
    fault: 'kill -9 of processors, in turn, between the steps of a commit and of a restore',
    promise: 'nothing lost, nothing twice',
  },
];
