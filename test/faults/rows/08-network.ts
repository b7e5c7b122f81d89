import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpProxy } from '../../setup/tcp-proxy.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop } from '../shop.ts';
import { allAlive, descriptors, residentMiB, watchMemory } from '../vitals.ts';

/** What a processor may grow by while the network is bad: what it cannot send or store must not pile up. */
const MAY_GROW_MIB = 200;
const MAY_KEEP_DESCRIPTORS = 20;

type Trouble = (proxy: TcpProxy, run: FaultRun) => Promise<void>;

/** With the default limits of time: a session of 10 s, 15 s for a request, 10 s for a transaction. */
const TROUBLES: Readonly<Record<string, Trouble>> = {
  'connections cut, again and again': async (proxy, { random, full }) => {
    for (let i = 0; i < (full ? 15 : 5); i++) {
      await sleep(random.int(50, 1_500));
      proxy.cut();
    }
  },
  'requests lost, for longer than they may take': silent('to-broker', 20_000),
  'answers lost, for longer than they may take': silent('to-client', 20_000),
  'answers lost for a moment': silent('to-client', 3_000),
  'nothing passes, for longer than a session': silent(true, 15_000),
  '500 ms there and 500 back, up to 250 more': async (proxy, { random, full }) => {
    proxy.weather({ delayMs: 500, jitterMs: 250, random: () => random.next() });
    await sleep(full ? 40_000 : 15_000);
  },
  '5 % of messages break their connection': async (proxy, { random, full }) => {
    proxy.weather({ resetChance: 0.05, random: () => random.next() });
    await sleep(full ? 40_000 : 15_000);
  },
};

function silent(how: boolean | 'to-broker' | 'to-client', ms: number): Trouble {
  return async (proxy) => {
    proxy.silence(how);
    await sleep(ms);
  };
}

async function run(faults: FaultRun): Promise<FaultResult> {
  const { cluster, note } = faults;
  const proxy = cluster.brokers[0]!.proxy!;
  const { deployment, load, verdict } = await openShop(faults);
  const processors = [deployment.start(await deployment.stateFolder()), deployment.start(await deployment.stateFolder())];
  await load.burst(300);
  load.start(150);
  await untilRecovered(deployment);
  const [memory, files] = [Math.max(...(await Promise.all(processors.map(residentMiB)))), await open(processors)];
  const watch = watchMemory(processors);
  faults.cleanup(() => watch.stop());

  const recoveryMs: number[] = [];
  for (const [what, trouble] of Object.entries(TROUBLES)) {
    await trouble(proxy, faults);
    proxy.weather({});
    proxy.silence(false);
    allAlive(processors, `while the network was bad: ${what}`);
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    allAlive(processors, `after ${what}`);
    note(`${what}: caught up in ${took} ms`);
  }
  await load.stop();
  const most = await watch.stop();
  const left = await open(processors);
  note(`memory ${memory.toFixed(0)} MiB before, at most ${most.toFixed(0)}; descriptors ${files} before, ${left} after`);
  if (most > memory + MAY_GROW_MIB) throw new OracleError('O6', `memory grew from ${memory.toFixed(0)} to ${most.toFixed(0)} MiB`);
  if (left > files + MAY_KEEP_DESCRIPTORS) throw new OracleError('O6', `descriptors grew from ${files} to ${left}`);
  const judgement = await verdict(processors);
  return { recoveryMs, counts: { troubles: recoveryMs.length, 'MiB at most': Math.round(most), ...judgement } };
}

async function open(processors: Parameters<typeof watchMemory>[0]): Promise<number> {
  return Math.max(...(await Promise.all(processors.map(descriptors))));
}

export const rows: readonly FaultRow[] = [
  {
    id: 8,
    name: 'network',
    fault: 'connections cut, silence in one or both directions, 500 ms and jitter, 5 % resets',
    promise: 'O1 O2 O5 O6: memory and descriptors bounded',
    needs: { brokers: 1, proxy: true },
    quick: false,
    run,
  },
];
