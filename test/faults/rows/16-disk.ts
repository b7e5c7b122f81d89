import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../../../src/dev/stack/cache.ts';
import { startCluster } from '../cluster.ts';
import type { Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { expectSaid, refusal } from '../refusal.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { mountSmallDisk } from '../small-disk.ts';
import { lastLines, logLines, openShop, QUICK_GROUP } from '../shop.ts';
import { allAlive, withinMs } from '../vitals.ts';

const STATE_MIB = 24;
/** Less than what it takes ahead, more than what it needs until the disk is filled. */
const LEAVES_MIB = 6;
const ENDS_WITHIN_MS = 90_000;
const OWNS_WITHIN_MS = 60_000;
const FULL_FOR_MS = 10_000;
/** A broker's log, with the group's and the transactions' topics: their first segments are made at their full size only on paper. */
const BROKER_MIB = 96;
const DOWN_FOR_MS = 20_000;
const GIVES_UP_WITHIN_MS = 120_000;

/**
 * The disk of one of two processors is full. What it cannot write it must not take for written. It says so and tries on, or it is stopped, and then refuses to
 * start until there is room; the other one goes on; and with room again it is as if nothing had been.
 */
async function stateFolder(faults: FaultRun): Promise<FaultResult> {
  const { random, note, full } = faults;
  const disk = mountSmallDisk(STATE_MIB);
  faults.cleanup(() => disk.close());
  const { deployment, load, verdict } = await openShop(faults);
  const folder = join(disk.folder, 'state');
  const other = deployment.start(await deployment.stateFolder(), QUICK_GROUP);
  await load.burst(300);
  load.start(200);

  const recoveryMs: number[] = [];
  for (let round = 0; round < (full ? 4 : 2); round++) {
    // RocksDB takes room ahead where there is enough.
    disk.fill(LEAVES_MIB);
    const cramped = deployment.start(folder, QUICK_GROUP);
    await untilOwner(cramped);
    await untilRecovered(deployment);
    await sleep(random.int(200, 2_000));
    disk.fill();
    await sleep(FULL_FOR_MS);
    allAlive([other], "while another processor's disk was full");
    const said = saidOfDisk(cramped);
    if (said === undefined)
      throw new OracleError('O1', `a processor did not say within ${FULL_FOR_MS / 1000} s that its disk was full:\n${lastLines(cramped)}`);
    const staysUp = round % 2 === 0 && cramped.ended() === undefined;
    if (!staysUp) {
      await stopped(cramped);
      disk.fill(); // what it gave back
      expectSaid(await refusal(deployment.start(folder, QUICK_GROUP), 'the disk was full'), 'state folder', 'No space left');
    }
    disk.free();
    const last = staysUp ? cramped : deployment.start(folder, QUICK_GROUP);
    await untilOwner(last);
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    allAlive([last, other], 'with room again');
    note(`full for ${FULL_FOR_MS / 1000} s${staysUp ? '' : ', and started again'}: caught up in ${took} ms: ${said}`);
    await stopped(last);
  }
  await load.stop();
  const last = deployment.start(folder, QUICK_GROUP);
  const judgement = await verdict([last, other]);
  return { recoveryMs, counts: { 'times full': recoveryMs.length, ...judgement } };
}

function saidOfDisk(processor: Processor): string | undefined {
  return processor
    .stderr()
    .split('\n')
    .find((line) => /no space left/i.test(line));
}

/** Waits until it has partitions. */
async function untilOwner(processor: Processor): Promise<void> {
  const deadline = performance.now() + OWNS_WITHIN_MS;
  while (!logLines(processor).some(({ msg }) => /partitions \d/.test(String(msg)))) {
    if (performance.now() > deadline)
      throw new OracleError('O5', `a processor got no partition within ${OWNS_WITHIN_MS / 1000} s:\n${lastLines(processor)}`);
    await sleep(100);
  }
}

async function stopped(processor: Processor): Promise<void> {
  if (processor.ended() !== undefined) return;
  processor.signal('SIGTERM');
  if (!(await withinMs(ENDS_WITHIN_MS, processor.exited)))
    throw new OracleError('O5', `a processor cannot be stopped:\n${lastLines(processor)}`);
}

/** The broker's disk is full: it ends by itself, as Kafka does without any log folder left. With room again it starts on what it had. */
async function brokerFolder(faults: FaultRun): Promise<FaultResult> {
  const { note, full } = faults;
  const disk = mountSmallDisk(BROKER_MIB);
  faults.cleanup(() => disk.close());
  const cluster = await startCluster({ brokers: 1, dataFolder: () => disk.folder, onProgress: note });
  faults.cleanup(() => cluster.close());
  const broker = cluster.brokers[0]!;
  const { deployment, load, verdict } = await openShop({ ...faults, cluster });
  const processors = [
    deployment.start(await deployment.stateFolder(), QUICK_GROUP),
    deployment.start(await deployment.stateFolder(), QUICK_GROUP),
  ];
  await load.burst(300);
  load.start(150);
  await untilRecovered(deployment);

  const recoveryMs: number[] = [];
  for (let round = 0; round < (full ? 2 : 1); round++) {
    disk.fill();
    const gone = await withinMs(GIVES_UP_WITHIN_MS, ended(broker.pid!));
    note(gone ? 'the broker has ended' : 'the broker goes on, and is stopped');
    await broker.stop();
    // Longer than a call waits for a broker.
    await sleep(DOWN_FOR_MS);
    disk.free();
    await broker.start();
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    allAlive(processors, "after the broker's disk was full");
    note(`the broker's disk full: caught up ${took} ms after it answered again`);
  }
  await load.stop();
  const judgement = await verdict(processors);
  return { recoveryMs, counts: { 'times full': recoveryMs.length, unsure: load.unsure, ...judgement } };
}

async function ended(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(200);
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 16, name: 'state-disk', fault: "a processor's disk is full, and has room again" },
    promise: 'O1 O2 O5, it says so and can be stopped, the others go on',
    needs: { brokers: 1, root: true },
    quick: false,
    run: stateFolder,
  },
  {
    ...{ id: 16, name: 'broker-disk', fault: "the broker's disk is full, and has room again" },
    promise: 'O1 O2 O5',
    needs: { brokers: 1, root: true },
    quick: false,
    run: brokerFolder,
  },
];
