import { cp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import type { Random } from '../../../src/dev/shop/random.ts';
import { POSITION_KEY } from '../../../src/engine/position.ts';
import { readCommitted } from '../../setup/read-committed.ts';
import type { Deployment, Processor } from '../deployment.ts';
import { judgeDisk, storeFolder } from '../disk.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, openShop, QUICK_GROUP } from '../shop.ts';

// What of it is an enum cannot be imported by name.
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

/** What becomes of the disk while the processor is down. */
const DAMAGES = ['deleted', 'a file deleted', 'truncated', 'bit flipped', 'older', 'changelog truncated'] as const;
type Damage = (typeof DAMAGES)[number];

/** RocksDB's files with something in them. */
const DATA = /^(CURRENT|MANIFEST-\d+|\d+\.(sst|log))$/;
/** Of one start: damage that shows only when it is read may cost the process once more; then the disk has to be good. */
const MAX_RESTARTS = 2;

async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults, { load: { poison: 0 } });
  const folder = await deployment.stateFolder();
  const older = join(await deployment.stateFolder(), 'older');
  const store = storeFolder(deployment, folder);
  const start = (): Processor => deployment.start(folder, QUICK_GROUP);
  let processor = start();
  await load.burst(200);
  await untilRecovered(deployment);

  const damages = full ? Array.from({ length: 12 }, (_, i) => DAMAGES[i % DAMAGES.length]!) : shortList(random);
  const recoveryMs: number[] = [];
  let [restarts, wiped] = [0, 0];
  for (const [round, damage] of damages.entries()) {
    const code = await (random.chance(0.5) ? processor.stop() : processor.kill());
    if (code !== 0 && code !== 'SIGKILL') throw new Error(`a processor ended with ${code} instead of stopping:\n${lastLines(processor)}`);
    // What comes back later, as the disk of a machine that was away.
    if (round === 0) await cp(store, older, { recursive: true });
    if (damage === 'changelog truncated') await truncateChangelog(deployment, { start, older, store });
    else await inflict(damage, { random, older, store, note });
    await load.burst(80);
    const began = performance.now();
    const came = await comeBack(deployment, start);
    processor = came.processor;
    restarts += came.restarts;
    const said = logOf(processor).find((line) => /is wiped and restored|is deleted and restored|is damaged/.test(line));
    if (said !== undefined || came.restarts > 0) wiped++;
    recoveryMs.push(Math.round(performance.now() - began));
    note(`${damage}: caught up after ${came.restarts} restarts; ${said ?? 'it noticed nothing'}`);
    if (damage === 'changelog truncated' && said?.includes('the changelog spans') !== true)
      throw new OracleError('O1', `the changelog begins behind the disk, and it was not wiped:\n${lastLines(processor)}`);
  }
  const judgement = await verdict([processor]);
  const { users, timers } = await judgeDisk(deployment, folder);
  return { recoveryMs, counts: { damages: damages.length, wiped, restarts, users, timers, ...judgement } };
}

/** The two that everybody meets, and one that shows that the changelog is held against the disk. */
function shortList(random: Random): readonly Damage[] {
  return [random.pick(['deleted', 'a file deleted', 'truncated'] as const), 'bit flipped', 'changelog truncated'];
}

interface Scene {
  readonly random: Random;
  readonly older: string;
  readonly store: string;
  note(line: string): void;
}

async function inflict(damage: Exclude<Damage, 'changelog truncated'>, { random, older, store, note }: Scene): Promise<void> {
  if (damage === 'deleted') return rm(store, { recursive: true });
  if (damage === 'older') {
    await rm(store, { recursive: true });
    return cp(older, store, { recursive: true });
  }
  const files = (await readdir(store)).filter((name) => DATA.test(name)).sort();
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(store, name))).size));
  const name = random.pick(files.filter((_, i) => sizes[i]! > 0));
  const size = sizes[files.indexOf(name)]!;
  const at = random.int(0, size - 1);
  note(`${damage}: ${name} of ${size} bytes${damage === 'a file deleted' ? '' : `, at ${at}`}`);
  const file = join(store, name);
  if (damage === 'a file deleted') return rm(file);
  if (damage === 'truncated') return truncate(file, at);
  const bytes = await readFile(file);
  bytes[at]! ^= 1 << random.int(0, 7);
  return writeFile(file, bytes);
}

/**
 * The disk of a machine that was away comes back, and meanwhile the changelog's beginning was deleted past what it had: what is between is known to nobody. All that is
 * true now stands behind that point (whoever has a row has written it again), so a restore from there on is whole.
 */
async function truncateChangelog(
  deployment: Deployment,
  { start, older, store }: { readonly start: () => Processor; readonly older: string; readonly store: string },
): Promise<void> {
  const { log, topics, partitions } = deployment;
  const processor = start();
  await untilRecovered(deployment);
  const userIds = [...(await latestRows(deployment)).values()].flatMap((rows) => [...rows.keys()]).filter((key) => key !== POSITION);
  await deployment.say(...userIds.map((userId) => ({ userId, type: 'app_opened' })));
  await untilRecovered(deployment);
  await processor.stop();
  const latest = await latestRows(deployment);
  const before = new Map(
    Array.from({ length: partitions }, (_, partition) => [partition, Math.min(...(latest.get(partition)?.values() ?? [0]))]),
  );
  // Brokers delete records only of topics that may lose some.
  await setCleanup(deployment, 'compact,delete');
  await log.admin.deleteRecords(topics.state, before);
  await setCleanup(deployment, 'compact');
  await rm(store, { recursive: true });
  await cp(older, store, { recursive: true });
}

const POSITION = POSITION_KEY.toString();

/** Per partition, the offset of each key's last row; keys without one are left out. */
async function latestRows({ topics, direct }: Deployment): Promise<ReadonlyMap<number, ReadonlyMap<string, number>>> {
  const latest = new Map<number, Map<string, number>>();
  for (const { partition, offset, key, value } of (await readCommitted(topics.state, direct)).records) {
    const rows = latest.get(partition) ?? new Map<string, number>();
    latest.set(partition, rows);
    if (value === null) rows.delete(key!.toString());
    else rows.set(key!.toString(), offset);
  }
  return latest;
}

async function setCleanup({ log, topics, direct }: Deployment, policy: string): Promise<void> {
  const spec = (await log.admin.describeTopics([topics.state])).get(topics.state);
  const configEntries = Object.entries({ ...spec?.config, 'cleanup.policy': policy }).map(([name, value]) => ({ name, value }));
  const admin = new Kafka({ brokers: direct.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topics.state, configEntries }] });
  await admin.disconnect();
}

/** Starts it, as whoever supervises it does, until it has caught up. */
async function comeBack(deployment: Deployment, start: () => Processor): Promise<{ processor: Processor; restarts: number }> {
  for (let restarts = 0; ; restarts++) {
    const processor = start();
    const caughtUp = untilRecovered(deployment).then(() => true);
    // It looks for somebody who is left, and would be quicker to say so.
    const result = await Promise.race([caughtUp.catch((error: unknown) => error), processor.exited.then(() => false)]);
    if (result === true) return { processor, restarts };
    await caughtUp.catch(() => undefined);
    if (processor.ended() === undefined) throw result;
    if (restarts === MAX_RESTARTS || !lastLines(processor, 1).includes('the disk'))
      throw new OracleError('O1', `a damaged disk has ended the processor for good:\n${lastLines(processor)}`);
  }
}

function logOf(processor: Processor): readonly string[] {
  return processor.stderr().split('\n');
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 14, name: 'local-store', quick: true, needs: { brokers: 1 }, run },
    fault: 'the local store is deleted, cut, bit flipped, old; the changelog begins behind it',
    promise: 'noticed, wiped, restored; nothing lost, nothing twice',
  },
];
