import { setTimeout as sleep } from 'node:timers/promises';
import type { Processor } from '../deployment.ts';
import { ServiceGaps } from '../gaps.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';

/** One processor stays; every two seconds another joins or leaves, gracefully or not, for a minute. Every partition gets on all the while. */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const steady = deployment.start(await deployment.stateFolder(), QUICK_GROUP);
  const folders = [await deployment.stateFolder(), await deployment.stateFolder(), await deployment.stateFolder()];
  await load.burst(300);
  await untilRecovered(deployment);
  load.start(150);
  const gaps = new ServiceGaps(deployment);
  faults.cleanup(() => gaps.stop());
  gaps.start();

  const before = await committed(deployment);
  const guests: (Processor | undefined)[] = folders.map(() => undefined);
  const seconds = full ? 60 : 20;
  let [joins, leaves] = [0, 0];
  for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs;) {
    const i = random.int(0, folders.length - 1);
    const guest = guests[i];
    if (guest === undefined) {
      guests[i] = deployment.start(folders[i]!, QUICK_GROUP);
      joins++;
    } else {
      await (random.chance(0.5) ? guest.stop() : guest.kill());
      guests[i] = undefined;
      leaves++;
    }
    await sleep(2_000);
  }
  const after = await committed(deployment);
  const stuck = [...after].filter(([partition, offset]) => offset <= (before.get(partition) ?? 0)).map(([partition]) => partition);
  if (stuck.length > 0)
    throw new OracleError('O5', `no progress on partition ${stuck.join(', ')} during ${seconds} s of joining and leaving`);
  const recoveryMs = [await untilRecovered(deployment)];
  const longestGapMs = Math.max(...(await gaps.stop()));
  note(
    `${joins} joined, ${leaves} left; caught up ${recoveryMs[0]} ms after the last; a partition stood still for ${longestGapMs} ms at most`,
  );
  await load.stop();
  const judgement = await verdict([steady, ...guests.filter((guest) => guest !== undefined)]);
  return { recoveryMs, counts: { joins, leaves, 'ms longest gap of a partition': longestGapMs, ...judgement } };
}

function committed({ log, group, topics }: Parameters<typeof untilRecovered>[0]): Promise<ReadonlyMap<number, number>> {
  return log.admin.groupOffsets(group, topics.timeline);
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 10, name: 'storm', quick: false, needs: { brokers: 1 }, run },
    fault: 'members join and leave every two seconds for a minute',
    promise: 'every partition makes progress; nothing lost, nothing twice',
  },
];
