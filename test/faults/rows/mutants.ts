import { setTimeout as sleep } from 'node:timers/promises';
import type { Mutant } from '../../../src/log/mutant.ts';
import { ApiKey } from '../../setup/tcp-proxy.ts';
import type { Deployment, Processor } from '../deployment.ts';
import { SHOP_SETTLES_MS } from '../load.ts';
import { judge } from '../oracles.ts';
import type { FaultNeeds, FaultResult, FaultRow, FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP, type Shop } from '../shop.ts';

/**
 * The judges, judged. Each row makes the processors wrong in one way (`LULL_MUTANT`) and does the fault that shows it; O1 must be red. The same faults with
 * processors that are right are rows 1, 9 and 27, and green.
 */
type Scenario = (run: FaultRun, shop: Shop, start: (env?: Readonly<Record<string, string>>) => Processor) => Promise<void>;

const STALLS_MS = 20_000;
const POLL_MS = 100;

/** Killed three times at the same step of a commit, with a backlog so that much is in it, and started again on the same disk. */
function killedAt(point: string): Scenario {
  return async ({ random }, { deployment, load }, start) => {
    // From here on the disk is trusted: one on which nothing was ever finished is wiped, and what is wrong with it too.
    await load.burst(100);
    await catchUp(deployment, start());
    let kills = 0;
    for (let tries = 0; kills < 3 && tries < 10; tries++) {
      await load.burst(200);
      const doomed = start({ LULL_FAILPOINTS: `${point}@${random.int(1, 3)}=kill` });
      const end = await doomed.killedWithin(STALLS_MS);
      // It may refuse to start: then that is what a judge gets to see. On a slow machine it may not come as far as its end.
      if (typeof end === 'number' || doomed.stderr().includes(`fail-point ${point}`)) kills++;
    }
    if (kills < 3) throw new Error(`of 10 processors only ${kills} were killed at ${point}`);
    await load.burst(200);
    await catchUp(deployment, start());
  };
}

/** Events come twice, which is all. */
const duplicates: Scenario = async (_run, { deployment, load }, start) => {
  const processor = start();
  for (let i = 0; i < 10; i++) await load.burst(60);
  await catchUp(deployment, processor);
};

/** Between two runs an operator moves the group's offsets ahead, and back where the processor refuses to start with that. */
const moved: Scenario = async (_run, { deployment, load }, start) => {
  const { log, group, topics } = deployment;
  const processor = start();
  await load.burst(300);
  await catchUp(deployment, processor);
  await load.burst(300);
  const read = await log.admin.groupOffsets(group, topics.timeline);
  await log.admin.setGroupOffsets(group, topics.timeline, new Map([...read].map(([partition, offset]) => [partition, offset + 20])));
  await load.burst(100);
  const wary = start();
  await untilReadOrStuck(deployment);
  if (wary.ended() !== undefined) await log.admin.setGroupOffsets(group, topics.timeline, read);
  await catchUp(deployment, wary.ended() === undefined ? wary : start());
};

/** The end of a transaction is held up on its way, its sender gets no answer and goes on; then it arrives. */
const heldEnd: Scenario = async ({ cluster }, { deployment, load }, start) => {
  const proxy = cluster.brokers[0]!.proxy!;
  const processor = start();
  await load.burst(100);
  await untilReadOrStuck(deployment);
  for (let i = 0; i < 2; i++) {
    const held = proxy.disturb(ApiKey.endTxn, 'hold');
    await load.burst(100);
    await held;
    proxy.cut();
    await sleep(500);
    proxy.release();
  }
  await catchUp(deployment, processor);
};

/** Until everything is read and done, or nothing moves any more; then the processor stops, if it is still there. */
async function catchUp(deployment: Deployment, processor: Processor): Promise<void> {
  await untilReadOrStuck(deployment);
  await sleep(SHOP_SETTLES_MS);
  await untilReadOrStuck(deployment);
  await processor.stop();
}

async function untilReadOrStuck(deployment: Deployment): Promise<void> {
  const deadline = performance.now() + STALLS_MS;
  while (deployment.alive > 0 && performance.now() < deadline) {
    if (await deployment.hasRead(await deployment.ends())) return;
    await sleep(POLL_MS);
  }
}

function row(id: number, name: Mutant, fault: string, promise: string, scenario: Scenario, needs: FaultNeeds = { brokers: 1 }): FaultRow {
  return {
    ...{ id, name, fault, promise, needs, quick: false, mutant: { name, oracle: 'O1' } },
    async run(run): Promise<FaultResult> {
      const shop = await openShop(run, { load: { duplicates: 0.1 } });
      const folder = await shop.deployment.stateFolder();
      // Without the mutant the same must be green, or it is not the mutant that the judge has seen: with LULL_FAULT_CONTROL=1 all have to get through.
      const env = { ...QUICK_GROUP, LULL_MUTANT: process.env['LULL_FAULT_CONTROL'] === '1' ? '' : name };
      await scenario(run, shop, (more) => shop.deployment.start(folder, { ...env, ...more }));
      return { recoveryMs: [], counts: { ...(await judge(shop.deployment)) } };
    },
  };
}

export const rows: readonly FaultRow[] = [
  row(1, 'offsets-before-output', 'kill', 'a judge sees offsets that were committed before their output', killedAt('before-commit')),
  row(1, 'abort-skipped', 'kill', 'a judge sees the output of transactions that were never finished', killedAt('before-offsets')),
  row(1, 'store-before-commit', 'kill', 'a judge sees state on disk that no log explains', killedAt('before-commit')),
  row(1, 'dedup-dropped', 'events that come twice', 'a judge sees an event that was taken twice', duplicates),
  row(9, 'producer-reused', 'the end of a transaction held up', 'a judge sees a producer that went on after an unknown result', heldEnd, {
    brokers: 1,
    proxy: true,
  }),
  row(27, 'position-from-group', "the group's offsets moved", 'a judge sees a position that anybody can move', moved),
];
