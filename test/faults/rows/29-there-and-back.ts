import { setTimeout as sleep } from 'node:timers/promises';
import type { Processor } from '../deployment.ts';
import { judgeDisk } from '../disk.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, openShop, QUICK_GROUP } from '../shop.ts';

/** Longer than all that happens meanwhile, so that the write lands when its partition has come back. */
const WRITE_TAKES_S = 30;
const REACHED_WITHIN_MS = 60_000;
const POLL_MS = 100;

/**
 * A's commit is in the log, and its write to the disk takes half a minute. Meanwhile A is missed by the group, B takes its partitions over and writes to all of them, and
 * then B leaves, so that A gets them back: its second incarnation must not begin before the first one's write is done or refused, or old rows would lie on top of new
 * ones. While the write is on its way A's disk is not looked at; in the end it must be what the changelog says.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults, { load: { poison: 0 } });
  const [folderA, folderB] = [await deployment.stateFolder(), await deployment.stateFolder()];
  const rounds = full ? 3 : 1;
  const recoveryMs: number[] = [];
  let [lasted, onDisk] = [0, { users: 0, timers: 0 }];
  for (let round = 0; round < rounds; round++) {
    const a = deployment.start(folderA, { ...QUICK_GROUP, LULL_FAILPOINTS: `before-store@${random.int(3, 12)}=delay${WRITE_TAKES_S}` });
    await load.burst(150);
    load.start(120);
    await untilSaid(a, 'fail-point before-store');
    const began = performance.now();
    a.freeze();
    const b = deployment.start(folderB, QUICK_GROUP);
    const took = await untilRecovered(deployment);
    await sleep(random.int(1_000, 3_000));
    // Whose rows the slow write has, B writes again, and A never: on A's disk only a restore can bring them up to date.
    await load.stop();
    await untilRecovered(deployment);
    a.thaw();
    const code = await (random.chance(0.5) ? b.stop() : b.kill());
    note(`round ${round + 1} of ${rounds}: B had caught up after ${took} ms, and ended (${code})`);
    const left = WRITE_TAKES_S * 1000 - (performance.now() - began);
    if (left > 0) lasted++;
    await deployment.say(...Array.from({ length: 20 }, (_, i) => ({ userId: `newcomer-${round}-${i}`, type: 'app_opened' })));
    recoveryMs.push(await untilRecovered(deployment));
    if (a.ended() !== undefined) throw new OracleError('O5', `A has ended by itself:\n${lastLines(a)}`);
    // By now it is written, or was refused.
    await sleep(Math.max(0, began + WRITE_TAKES_S * 1000 + 2_000 - performance.now()));
    if ((await a.stop()) !== 0) throw new OracleError('O5', `A did not stop:\n${lastLines(a)}`);
    onDisk = await judgeDisk(deployment, folderA);
    await judgeDisk(deployment, folderB);
  }
  // From its disk, which it now uses: what is wrong on it, and was not seen, would show in what it makes of the next events.
  const last = deployment.start(folderA, QUICK_GROUP);
  await load.burst(150);
  const judgement = await verdict([last]);
  const { users, timers } = onDisk;
  return { recoveryMs, counts: { rounds, lasted, users, timers, ...judgement } };
}

async function untilSaid(processor: Processor, text: string): Promise<void> {
  const deadline = performance.now() + REACHED_WITHIN_MS;
  while (!processor.stderr().includes(text)) {
    if (processor.ended() !== undefined || performance.now() > deadline)
      throw new Error(`the processor did not say "${text}":\n${lastLines(processor)}`);
    await sleep(POLL_MS);
  }
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 29, name: 'there-and-back', quick: false, needs: { brokers: 1 }, run },
    fault: 'a partition goes from A to B and back, under a slow store write of A',
    promise: 'the stale write does no harm: nothing lost, nothing twice, the disk is what the changelog says',
  },
];
