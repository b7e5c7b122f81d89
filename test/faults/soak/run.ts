import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, type Random } from '../../../src/dev/shop/random.ts';
import { fcmAccepted, fcmError, startFakeFcm } from '../../setup/fakes/fake-fcm.ts';
import type { Behaviour } from '../../setup/fakes/fake-server.ts';
import { CallLedger, fcmMeaning } from '../call-ledger.ts';
import { SHOP_SETTLES_MS } from '../load.ts';
import { judge } from '../oracles.ts';
import { untilRecovered } from '../recovery.ts';
import type { FaultRun } from '../row.ts';
import { judgeSenders } from '../sender-oracles.ts';
import { Senders } from '../senders.ts';
import { openShop, QUICK_GROUP, untilReady, type Shop } from '../shop.ts';
import { Chaos, type Done } from './chaos.ts';
import { Slot } from './fleet.ts';
import { Sampler, type Sample } from './samples.ts';

export interface SoakOptions {
  readonly minutes: number;
  /** Events per second; default half of what was measured. */
  readonly perSecond?: number;
  /** Called with what was seen so far, before it is judged. */
  readonly onSeen: (seen: Seen) => void;
}

/** What a soak has seen. */
export interface Seen {
  readonly minutes: number;
  readonly perSecond: number;
  /** What they took before, with a backlog. */
  readonly capacityPerSecond: number;
  readonly samples: readonly Sample[];
  readonly faults: readonly Done[];
}

const PARTITIONS = 4;
/** Enough to take some seconds. */
const BACKLOG = 6_000;
/** Everything is read back and judged in one process. */
const MOST_PER_SECOND = 2_500;
const DRAINS_WITHIN_MS = 120_000;

/**
 * Two processors and two senders, one of each for the whole time, at half of what they can take, with a fault every 20 s or so; then everything is judged (O1 to O4).
 * The row of each user, each command and each call is right at the end, whatever happened.
 */
export async function soak(
  faults: FaultRun,
  { minutes, perSecond: asked, onSeen }: SoakOptions,
): Promise<Readonly<Record<string, number>>> {
  const { note, cluster } = faults;
  const shop = await openShop(faults, { partitions: PARTITIONS });
  const { deployment, load } = shop;
  const senders = Senders.of(faults, deployment);
  const provider = { isDown: false };
  const ledger = new CallLedger(fcmMeaning);
  const fake = await startFakeFcm(ledger.keep(answers(createRandom(`${faults.seed}/provider`), provider)));
  faults.cleanup(() => fake.stop());
  const { endpoint, ca, projectId } = fake;

  const folders = new Map<string, string>();
  const slots: Slot[] = [];
  for (const i of [1, 2]) {
    const [mine, theirs] = [await deployment.stateFolder(), await deployment.stateFolder()];
    folders.set(`processor ${i}`, mine).set(`sender ${i}`, theirs);
    slots.push(
      new Slot('processor', `processor ${i}`, i === 1, () => deployment.start(mine, QUICK_GROUP)),
      new Slot('sender', `sender ${i}`, i === 1, () => senders.start({ kind: 'fcm', endpoint, ca, projectId }, theirs)),
    );
  }
  await Promise.all(slots.map(({ process }) => untilReady(process)));
  const capacityPerSecond = await capacity(shop);
  const perSecond = asked ?? Math.min(MOST_PER_SECOND, Math.round(capacityPerSecond / 2));
  note(`they take ${capacityPerSecond} events/s with a backlog; the soak has ${perSecond}/s`);

  const sampler = new Sampler(deployment, slots);
  faults.cleanup(() => sampler.stop());
  const chaos = new Chaos({
    ...{ slots, note, provider, broker: cluster.brokers[0]!, nowS: () => sampler.nowS },
    // Of their own: how much the load draws depends on how fast this machine is.
    random: createRandom(`${faults.seed}/chaos`),
    weather: createRandom(`${faults.seed}/weather`),
    stateFolder: ({ name }) => folders.get(name)!,
    onSenderCut: () => senders.cutOff(),
  });
  sampler.start();
  load.start(perSecond);
  try {
    await chaos.run(minutes * 60);
  } finally {
    // What led to a failure is to be seen as well.
    await sampler.stop();
    onSeen({ minutes, perSecond, capacityPerSecond, samples: sampler.samples, faults: chaos.done });
  }
  await load.stop();

  // Processors first: whatever they still send has to reach the provider.
  await untilRecovered(deployment);
  await sleep(SHOP_SETTLES_MS);
  await untilRecovered(deployment);
  for (const slot of slots) if (slot.role === 'processor') await slot.stop();
  note('everything is processed');
  await untilSent(shop, senders);
  for (const slot of slots) if (slot.role === 'sender') await slot.stop();
  note('everything is sent; judging');
  const judgement = await judge(deployment);
  const judged = await judgeSenders(deployment, { channel: 'fcm', calls: ledger.calls, crashes: senders.crashes });
  return { faults: chaos.done.length, ...judgement, ...judged };
}

/** A provider as they are: mostly there, at times busy or broken, and some devices are gone. */
function answers(random: Random, provider: { readonly isDown: boolean }): (post: { readonly deviceId: string }) => Behaviour {
  const busy = { ...fcmError(429, 'QUOTA_EXCEEDED'), headers: { 'retry-after': '1' } } as Behaviour;
  const some: readonly (readonly [() => Behaviour, number])[] = [
    [() => fcmAccepted(), 950],
    [() => busy, 25],
    [() => fcmError(404, 'UNREGISTERED'), 10],
    [() => fcmError(503, 'UNAVAILABLE'), 8],
    [() => ({ kind: 'reset' }), 5],
    [() => ({ kind: 'fin' }), 2],
  ];
  return () => {
    const behaviour = provider.isDown ? busy : random.weighted(some)();
    return { kind: 'hold', until: sleep(random.int(5, 40)).then(() => behaviour) };
  };
}

/** Events per second, appending and processing at the same time as in the soak. */
async function capacity({ deployment, load }: Shop): Promise<number> {
  await load.burst(500);
  await untilRecovered(deployment);
  const began = performance.now();
  for (let i = 0; i < BACKLOG; i += 500) await load.burst(500);
  await untilRecovered(deployment);
  return Math.round(BACKLOG / ((performance.now() - began) / 1000));
}

async function untilSent({ deployment }: Shop, senders: Senders): Promise<void> {
  const { log, prefix, topics } = deployment;
  const deadline = performance.now() + DRAINS_WITHIN_MS;
  for (;;) {
    const read = await log.admin.groupOffsets(`${prefix}-sender-fcm`, topics.dispatch);
    const ends = await log.admin.offsets(topics.dispatch);
    if ([...ends].every(([partition, { start, end }]) => (read.get(partition) ?? start) >= end)) break;
    if (performance.now() > deadline) throw new Error(`the senders did not read dispatch within ${DRAINS_WITHIN_MS / 1000} s`);
    await sleep(500);
  }
  const commands = (await deployment.records(topics.dispatch)).filter(({ headers }) => headers?.['kind']?.toString() === 'command');
  await senders.untilFinal(commands.length);
}
