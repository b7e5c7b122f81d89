import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { Deployment, Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { expectNothingWritten, expectSaid, refusal, writtenSoFar } from '../refusal.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP, type Shop } from '../shop.ts';

/** What an operator's tool, or Kafka's own expiry, does to the offsets of a group that nobody is in. */
const MEDDLINGS = ['to the start', 'back', 'ahead', 'beyond the end', 'expired'] as const;
type Meddling = (typeof MEDDLINGS)[number];

/**
 * The group's offsets are moved under a processor that is stopped. It must stop with a line that names the partition, where the state stands, and what to do; what the
 * line says is then done, and it goes on as if nothing had been.
 */
async function offsets(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  // Short: every refusal takes some seconds, and names one partition.
  const shop = await openShop(faults, { partitions: full ? 3 : 1, load: { poison: 0 } });
  const { deployment, load, verdict } = shop;
  const folder = await deployment.stateFolder();
  const start = (): Processor => deployment.start(folder, QUICK_GROUP);
  let processor = start();
  await load.burst(200);
  await untilRecovered(deployment);
  const meddlings = random.sample(MEDDLINGS, full ? MEDDLINGS.length : 2);
  const recoveryMs: number[] = [];
  let refusals = 0;
  for (const meddling of meddlings) {
    await stopped(processor);
    const stands = await deployment.log.admin.groupOffsets(deployment.group, deployment.topics.timeline);
    await meddle(shop, meddling, random.int(0, deployment.partitions - 1));
    await load.burst(100);
    refusals += await mendAsTold(deployment, start, stands, meddling);
    processor = start();
    const took = await untilRecovered(deployment);
    recoveryMs.push(took);
    note(`${meddling}: refused, mended as it said, caught up in ${took} ms`);
  }
  const judgement = await verdict([processor]);
  return { recoveryMs, counts: { refusals, ...judgement } };
}

async function stopped(processor: Processor): Promise<void> {
  const code = await processor.stop();
  if (code !== 0) throw new Error(`a processor ended with ${code} instead of stopping`);
}

async function meddle({ deployment }: Shop, meddling: Meddling, partition: number): Promise<void> {
  const { log, group, topics } = deployment;
  const { timeline } = topics;
  if (meddling === 'expired') {
    const admin = new Kafka({ brokers: deployment.direct.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteGroups([group]);
    await admin.disconnect();
    return;
  }
  const position = (await log.admin.groupOffsets(group, timeline)).get(partition);
  const end = (await deployment.ends()).get(partition);
  if (position === undefined || end === undefined || position < 3) throw new Error(`partition ${partition} has read nothing`);
  const to = { 'to the start': 0, back: position - 2, ahead: position + 1, 'beyond the end': end + 1_000 }[meddling];
  await log.admin.setGroupOffsets(group, timeline, new Map([[partition, to]]));
}

const SAYS_POSITION = /-(\d+): the changelog's position is (\d+), group .* Set the group's offset to (\d+) /;

/** Starts it, reads what it says, does that; until it has no more to say. Returns how often it was refused. */
async function mendAsTold(
  deployment: Deployment,
  start: () => Processor,
  stands: ReadonlyMap<number, number>,
  meddling: Meddling,
): Promise<number> {
  const { log, group, topics } = deployment;
  const { timeline } = topics;
  const now = await log.admin.groupOffsets(group, timeline);
  const left = new Set([...stands].flatMap(([partition, offset]) => (now.get(partition) === offset ? [] : [partition])));
  if (left.size === 0) throw new OracleError('O1', `nothing was moved (${meddling})`);
  let refusals = 0;
  for (; left.size > 0; refusals++) {
    const what = `the group's offset was moved (${meddling})`;
    // A partition that is mended goes on, until the refusal of another one ends the process.
    const before = await writtenSoFar(deployment, left);
    const message = await refusal(start(), what);
    await expectNothingWritten(deployment, before, what, left);
    const [, partition, position, told] = (SAYS_POSITION.exec(message) ?? []).map(Number);
    if (partition === undefined || !left.delete(partition) || told !== position || stands.get(partition) !== position)
      throw new OracleError('O1', `${what} from ${stands.get(partition ?? -1)}, and it said: ${message}`);
    expectSaid(message, `${timeline}-${partition}`, `group ${group} has`);
    await log.admin.setGroupOffsets(group, timeline, new Map([[partition, position!]]));
  }
  return refusals;
}

/**
 * Records that nobody has read are deleted: under a processor that is stopped, under one that stands still and goes on, and with the whole topic. What is lost cannot be
 * brought back by anybody but the operator, so there is nothing to recover: it must stop, and have written nothing.
 */
async function truncated(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const cases = full ? (['stopped', 'standing still', 'recreated'] as const) : [random.pick(['stopped', 'standing still'] as const)];
  let events = 0;
  for (const which of cases) {
    const { deployment, load, verdict } = await openShop(faults, { load: { poison: 0 } });
    const folder = await deployment.stateFolder();
    const first = deployment.start(folder);
    await load.burst(200);
    const judgement = await verdict([first]);
    events += judgement.events;
    const { log, topics } = deployment;
    const running = which === 'standing still' ? deployment.start(folder) : undefined;
    if (running !== undefined) {
      await load.burst(50);
      await untilRecovered(deployment);
      running.freeze();
      // Its fetch is with the broker, and would be answered with what comes next.
      await sleep(1_500);
    }
    await load.burst(100);
    const before = await writtenSoFar(deployment);
    const partition = random.int(0, deployment.partitions - 1);
    if (which === 'recreated') {
      const spec = (await log.admin.describeTopics([topics.timeline])).get(topics.timeline);
      if (spec === undefined) throw new Error('there is no timeline');
      await log.admin.deleteTopics([topics.timeline]);
      await log.admin.createTopics([spec]);
    } else {
      const end = (await deployment.ends()).get(partition)!;
      await log.admin.deleteRecords(topics.timeline, new Map([[partition, end]]));
    }
    running?.thaw();
    const what = `records were deleted before they were read (${which})`;
    const message = await refusal(running ?? deployment.start(folder), what);
    note(`${which}: ${message}`);
    // What other partitions had to do is theirs; of this one nothing may be written.
    if (running === undefined) await expectNothingWritten(deployment, before, what);
    // A broker forgets a deleted topic's group offsets too, at some time: whichever is found first.
    if (which === 'recreated')
      expectSaid(message, topics.timeline, message.includes('has no offset') ? "the changelog's position is" : 'is outside of the log');
    else expectSaid(message, `${topics.timeline}-${partition}`);
  }
  return { recoveryMs: [], counts: { refusals: cases.length, events } };
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 27, name: 'offsets', quick: true, needs: { brokers: 1 }, run: offsets },
    fault: "the group's offsets are reset, moved, or expire",
    promise: 'a clear stop; mended as it says, nothing is lost or repeated',
  },
  {
    ...{ id: 27, name: 'truncated', quick: true, needs: { brokers: 1 }, run: truncated },
    fault: 'the input is deleted before it was read',
    promise: 'a clear stop, nothing skipped silently',
  },
];
