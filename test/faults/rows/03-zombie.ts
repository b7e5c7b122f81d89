import { setTimeout as sleep } from 'node:timers/promises';
import { untilRecovered } from '../recovery.ts';
import type { FaultResult, FaultRow, FaultRun } from '../row.ts';
import { lastLines, openShop, QUICK_GROUP } from '../shop.ts';

const POINTS = ['before-offsets', 'before-commit', 'after-commit'] as const;
const POLL_MS = 100;

/**
 * A processor stops dead between two steps of a commit (as under a paused machine), past its session timeout, while another takes its partitions over. Then
 * it goes on where it stood, believing that it owns them: its commit has to fail, and itself to come back as a member like any other.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const folders = [await deployment.stateFolder(), await deployment.stateFolder()] as const;
  const point = random.pick(POINTS);
  const zombie = deployment.start(folders[0], { ...QUICK_GROUP, LULL_FAILPOINTS: `${point}@${random.int(3, 12)}=stop` });
  await load.burst(300);
  load.start(full ? 400 : 150);
  await untilSaid(() => zombie.stderr().includes(`fail-point ${point}: stop`));
  const heir = deployment.start(folders[1], QUICK_GROUP);
  const recoveryMs = [await untilRecovered(deployment)];
  note(`frozen ${point}; the other one had taken over ${recoveryMs[0]} ms after its start`);
  zombie.thaw();
  recoveryMs.push(await untilRecovered(deployment));

  // Once more, at any moment, and longer than a transaction lasts.
  await sleep(random.int(500, 2_000));
  zombie.freeze();
  await sleep(full ? 15_000 : 5_000);
  recoveryMs.push(await untilRecovered(deployment));
  zombie.thaw();
  recoveryMs.push(await untilRecovered(deployment));
  await load.stop();
  if (zombie.ended() !== undefined)
    throw new Error(`the zombie ended with ${zombie.ended()}, instead of coming back:\n${lastLines(zombie)}`);
  const judgement = await verdict([zombie, heir]);
  return { recoveryMs, counts: { freezes: 2, ...judgement } };
}

async function untilSaid(isSaid: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isSaid()) {
    if (performance.now() > deadline) throw new Error('the fail-point was not reached within 60 s');
    await sleep(POLL_MS);
  }
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 3, name: 'zombie', quick: true, needs: { brokers: 1 }, run },
    fault: 'a processor stands still past its session timeout, in the middle of a commit, and goes on',
    promise: 'it commits nothing more of what it held, and comes back as a member',
  },
];
