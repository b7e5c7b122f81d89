import { setTimeout as sleep } from 'node:timers/promises';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, logLines, openShop, QUICK_GROUP } from '../shop.ts';

/**
 * One of two processors computes for 90 s without looking up, with a transaction open: it is put out of its group, the transaction is aborted over it,
 * and when it looks up it is a member again, with partitions.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const seconds = full ? 90 : 12;
  const group = full ? {} : QUICK_GROUP;
  const other = deployment.start(await deployment.stateFolder(), group);
  const blocked = deployment.start(await deployment.stateFolder(), {
    ...group,
    LULL_FAILPOINTS: `before-commit@${random.int(2, 6)}=block${seconds}`,
  });
  await load.burst(200);
  load.start(full ? 300 : 150);
  await until(() => blocked.stderr().includes('fail-point before-commit'), 60_000, 'the fail-point was not reached');
  const generations = generationsOf(blocked.stderr());
  // First the transaction that is open has to end: readers wait for it, the heir's restore included.
  await sleep(5_000);
  const recoveryMs = [await untilRecovered(deployment)];
  note(`the other one had taken over ${recoveryMs[0]} ms after 5 s of standstill`);
  await until(() => generationsOf(blocked.stderr()) > generations, (seconds + 60) * 1000, 'no new generation after the block');
  recoveryMs.push(await untilRecovered(deployment));
  if (blocked.ended() !== undefined) throw new OracleError('O5', `it ended with ${blocked.ended()}:\n${lastLines(blocked)}`);
  await load.stop();
  const fences = logLines(blocked).filter(({ level }) => level === 'warn').length;
  const judgement = await verdict([blocked, other]);
  return { recoveryMs, counts: { 'seconds blocked': seconds, warnings: fences, ...judgement } };
}

function generationsOf(stderr: string): number {
  return stderr.split('generation ').length;
}

async function until(isSo: () => boolean, withinMs: number, otherwise: string): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new OracleError('O5', `${otherwise} within ${withinMs / 1000} s`);
    await sleep(100);
  }
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 5, name: 'blocked', quick: false, needs: { brokers: 1 }, run },
    fault: "a processor's event loop stands still for 90 s, a transaction open",
    promise: 'it is put out, nothing is lost or repeated, and it comes back clean',
  },
];
