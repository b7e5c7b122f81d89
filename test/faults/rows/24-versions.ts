import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { judgeDisk } from '../disk.ts';
import { judge } from '../oracles.ts';
import { untilRecovered } from '../recovery.ts';
import { expectSaid, refusal } from '../refusal.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, openShop, QUICK_GROUP, untilReady } from '../shop.ts';

/**
 * The older build. Nothing was released yet, so it is the last one before the format of users' rows was changed; the next one reads what it has written. Once there is a release, this
 * is its tag.
 */
const OLDER = '822f034';
/** Of this build. */
const STATE_VERSION = 4;
const REPOSITORY = join(import.meta.dirname, '../../..');

/**
 * A rolling upgrade under load: this build joins the group of the older one, and goes on alone with what that has written. The older one comes back, in the group and on its disk:
 * it refuses to start and says what to do, the newer one goes on, and nothing is lost or repeated.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { note } = faults;
  const checkout = await checkoutOf(faults, OLDER);
  // Both by the topology of the older one.
  const { deployment, load } = await openShop(faults, { topology: join(checkout, 'topologies/shop'), load: { poison: 0 } });
  // It was here first, and has registered its schemas.
  const creating = deployment.run(['topics', 'create', '--replication-factor', '1'], {}, checkout);
  if ((await creating.exited) !== 0) throw new Error(`the older build could not register its schemas:\n${lastLines(creating)}`);
  const [older, newer] = [await deployment.stateFolder(), await deployment.stateFolder()];
  const recoveryMs: number[] = [];
  let refusals = 0;
  const expectRefused = async (where: string): Promise<void> => {
    const message = await refusal(deployment.start(older, QUICK_GROUP, checkout), `the older build came back (${where})`);
    expectSaid(message, `${deployment.topics.state}-`, `version ${STATE_VERSION}, `, 'run the ', ' that wrote it');
    note(`${where}: ${message}`);
    refusals++;
  };

  const first = deployment.start(older, QUICK_GROUP, checkout);
  await load.burst(200);
  await untilRecovered(deployment);
  load.start(60);
  const second = deployment.start(newer, QUICK_GROUP);
  await untilReady(second);
  recoveryMs.push(await untilRecovered(deployment));
  await first.stop();
  recoveryMs.push(await untilRecovered(deployment));
  await load.burst(200);
  await untilRecovered(deployment);
  await expectRefused('in the group, on its disk');
  recoveryMs.push(await untilRecovered(deployment));
  await load.stop();
  await untilRecovered(deployment);
  if (second.ended() !== undefined) throw new OracleError('O5', `the build that could go on did not:\n${lastLines(second)}`);
  await second.stop();
  await expectRefused('alone');
  const { commands, decisions } = await judge(deployment, { mixed: true });
  await judgeDisk(deployment, newer);
  if (commands === 0) throw new Error('no command was made: there was nothing to get wrong');
  return { recoveryMs, counts: { refusals, commands, decisions } };
}

/** The tree of a commit, in a folder of its own; with the packages of this one. */
async function checkoutOf({ cleanup }: FaultRun, commit: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lull-older-'));
  cleanup(() => rm(folder, { recursive: true, force: true }));
  const run = promisify(execFile);
  const archive = join(folder, 'tree.tar');
  await run('git', ['archive', '--output', archive, commit], { cwd: REPOSITORY });
  await run('tar', ['-xf', archive, '-C', folder]);
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 24, name: 'versions', quick: false, needs: { brokers: 1, commit: OLDER }, run },
    fault: 'a rolling upgrade to another format of state, and the old version comes back',
    promise: 'the new one goes on with what the old one wrote; the old one refuses and says what to do; nothing lost, nothing twice',
  },
];
