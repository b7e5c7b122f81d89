import { setTimeout as sleep } from 'node:timers/promises';
import { partitionFor } from '../../../src/log/partitioner.ts';
import type { Deployment, Processor } from '../deployment.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';
import { allAlive } from '../vitals.ts';

/** What the clock of each of the two processors says (`LULL_CLOCK_OFFSET`). The first is what the others are compared with. */
const CLOCKS: readonly (readonly [what: string, first: string, second: string])[] = [
  ['right', '', ''],
  ['90 s ahead, 40 s behind', '90s', '-40s'],
  ['jumps 1 h ahead, jumps 1 h back', '0s,1h@12s', '0s,-1h@12s'],
  ['comes back from 30 s ahead, comes back from 30 s behind', '30s,0s@14s', '-30s,0s@14s'],
  // What is on disk then looks older than the changelog's tombstones, or from the future.
  ['10 days ahead, 10 days behind', '10d', '-10d'],
];

const LOAD_MS = 8_000;
/** A reminder is due this long after its cart, by the log's clock (`cartWait`); it must not be much later because somebody's clock is wrong. */
const DUE_AFTER_MS = 3_000;
const MAY_BE_LATE_MS = 10_000;
const POLL_MS = 200;
/** A storm is many times this: a tick that falls short is asked for again at once. */
const MAY_TICK_TIMES = 3;
const MAY_TICK_MORE = 30;

/**
 * Processors whose clocks are wrong, and users whose clocks are. The log's clock decides, so the decisions are those that the log explains; a
 * processor's clock only says when it is worth asking for a tick, so a wrong one costs neither a storm of them nor a late reminder.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { note, full } = faults;
  const { deployment, load, verdict } = await openShop(faults, { load: { clocksWrongByMs: 7_200_000 } });
  const folders = [await deployment.stateFolder(), await deployment.stateFolder()] as const;
  let processors: readonly Processor[] = [];
  const late: number[] = [];
  let usual = 0;
  for (const [phase, [what, ...clocks]] of CLOCKS.entries()) {
    if (!full && phase > 1) break;
    for (const processor of processors) await processor.stop();
    processors = clocks.map((clock, i) => deployment.start(folders[i]!, { ...QUICK_GROUP, LULL_CLOCK_OFFSET: clock }));
    const before = await ticksIn(deployment);
    await load.burst(100);
    await untilRecovered(deployment);
    load.start(100);
    await sleep(LOAD_MS);
    await load.stop();
    const lateMs = await reminderLateBy(deployment, `probe${phase}`);
    const ticks = (await ticksIn(deployment)) - before;
    allAlive(processors, `with clocks ${what}`);
    note(`clocks ${what}: ${ticks} ticks, reminders at most ${lateMs} ms late`);
    if (phase === 0) usual = ticks;
    else if (ticks > MAY_TICK_TIMES * usual + MAY_TICK_MORE)
      throw new OracleError('O5', `clocks ${what}: a storm of ${ticks} ticks, where ${usual} are usual`);
    if (lateMs > MAY_BE_LATE_MS) throw new OracleError('O5', `clocks ${what}: a reminder came ${lateMs} ms late`);
    late.push(lateMs);
  }
  const judgement = await verdict(processors);
  return { recoveryMs: [], counts: { clocks: late.length, 'ms late at most': Math.max(...late), ...judgement } };
}

/** On every partition, a cart that is left, and nothing else: how much later than it was due is the last of the reminders, by the log's clock? */
async function reminderLateBy(deployment: Deployment, name: string): Promise<number> {
  const users = Array.from({ length: deployment.partitions }, (_, partition) => userOn(deployment, name, partition));
  for (const userId of users) {
    await deployment.say(
      { userId, type: '$device_added', properties: { deviceId: 'phone', kind: 'fcm', value: `token-${userId}`, permission: 'granted' } },
      { userId, type: '$consent', properties: { category: 'reminders', state: 'in' } },
      { userId, type: 'cart_item_added', properties: { cartId: userId, sku: 'sku-1', name: 'Lamp', price: 9, qty: 1 } },
    );
  }
  const filled = await appended(deployment, deployment.topics.timeline, users);
  const deadline = performance.now() + DUE_AFTER_MS + 2 * MAY_BE_LATE_MS;
  for (;;) {
    const reminded = await appended(deployment, deployment.topics.dispatch, users);
    if (reminded.size === users.length || performance.now() > deadline) {
      const late = users.map((userId) => (reminded.get(userId) ?? Date.now()) - filled.get(userId)! - DUE_AFTER_MS);
      return Math.max(...late);
    }
    await sleep(POLL_MS);
  }
}

function userOn({ partitions }: Deployment, name: string, partition: number): string {
  for (let i = 0; ; i++) if (partitionFor(Buffer.from(`${name}-${i}`), partitions) === partition) return `${name}-${i}`;
}

/** When the last record of each of these was appended. */
async function appended(deployment: Deployment, topic: string, users: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const records = await deployment.records(topic);
  const theirs = records.filter(({ key }) => key !== null && users.includes(key.toString()));
  return new Map(theirs.map(({ key, timestampMs }) => [key!.toString(), timestampMs]));
}

async function ticksIn(deployment: Deployment): Promise<number> {
  const { codec, topics } = deployment;
  let ticks = 0;
  for (const { key, value } of await deployment.records(topics.timeline)) {
    // Only ticks have no key; a poison record always has one.
    if (key !== null || value === null) continue;
    const decoded = codec.decode(value);
    if (decoded.record === 'lull.v1.Control' && decoded.value.tick !== null) ticks++;
  }
  return ticks;
}

export const rows: readonly FaultRow[] = [
  {
    id: 17,
    name: 'clocks',
    fault: 'processors whose clocks are ahead, behind and jump; users whose clocks are off by up to 2 h',
    promise: 'O1 O2, no storm of ticks, no late reminder',
    needs: { brokers: 1 },
    quick: false,
    run,
  },
];
