import { rm } from 'node:fs/promises';
import { judgeDisk } from '../disk.ts';
import type { Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';

/** Rows of so many bytes make a restore of several fetches. */
const PROFILE_BYTES = 100_000;
/** For a fail-point that is not reached: there was less to restore than it takes. */
const REACHED_WITHIN_MS = 30_000;

/**
 * Dies in the middle of a restore, again and again, each time with a little more on the disk; and between the commit and the store write, so that the log has what the
 * disk has not. After each death the disk is held against the changelog: it may have less of it, but nothing else.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults, { partitions: 2, load: { poison: 0 } });
  const folder = await deployment.stateFolder();
  const start = (failpoints = ''): Processor => deployment.start(folder, { ...QUICK_GROUP, LULL_FAILPOINTS: failpoints });
  const dies = async (failpoint: string): Promise<void> => {
    const processor = start(failpoint);
    const tooLong = setTimeout(() => processor.signal('SIGTERM'), REACHED_WITHIN_MS);
    const ended = await processor.exited;
    clearTimeout(tooLong);
    if (ended !== 'SIGKILL') throw new Error(`${failpoint} was not reached; the processor ended with ${ended}`);
    const { users } = await judgeDisk(deployment, folder);
    note(`${failpoint}: ${users} users on the disk`);
  };

  const first = start();
  await load.burst(200);
  await deployment.say(
    ...Array.from({ length: full ? 240 : 120 }, (_, i) => ({
      ...{ userId: `large-${i}`, type: '$profile', properties: { motto: 'x'.repeat(PROFILE_BYTES) } },
    })),
  );
  await untilRecovered(deployment);
  await first.stop();

  const recoveryMs: number[] = [];
  const rounds = full ? 4 : 1;
  let deaths = 0;
  for (let round = 0; round < rounds; round++) {
    await rm(folder, { recursive: true });
    // Each goes on where the last one died.
    for (const failpoint of ['while-restoring@1=kill', `while-restoring@${random.int(1, 2)}=kill`]) {
      await dies(failpoint);
      deaths++;
    }
    await load.burst(60);
    await dies('after-commit@1=kill');
    await load.burst(60);
    await dies(`after-commit@${random.int(1, 2)}=kill`);
    deaths += 2;
    const processor = start();
    recoveryMs.push(await untilRecovered(deployment));
    if ((await processor.stop()) !== 0) throw new OracleError('O5', 'the processor did not stop');
  }
  const judgement = await verdict([start()]);
  const { users, timers } = await judgeDisk(deployment, folder);
  return { recoveryMs, counts: { deaths, users, timers, ...judgement } };
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 15, name: 'restore', quick: true, needs: { brokers: 1 }, run },
    fault: 'dies in the middle of a restore, and between commit and store write',
    promise: 'nothing lost, nothing twice; the disk follows the changelog',
  },
];
