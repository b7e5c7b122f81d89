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
import { lastLines, openShop, QUICK_GROUP } from '../shop.ts';

/**
 * The older build. Nothing was released yet, so it is the one before the format of users' rows was changed: neither reads what the other has written. Once there is a
 * release, this is its tag, and where the format is still the same, the row becomes that of two builds that share the work.
 */
const OLDER = '1687a0a';
const REPOSITORY = join(import.meta.dirname, '../../..');

/**
 * A build meets state of another format: in the group of the build that wrote it, and alone. It refuses to start and says what to do; the other one goes on, or comes back,
 * and nothing is lost or repeated. Both ways round: an upgrade, and one that is taken back.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { note } = faults;
  const checkout = await checkoutOf(faults, OLDER);
  const recoveryMs: number[] = [];
  let [refusals, commands] = [0, 0];
  for (const direction of ['upgrade', 'way back'] as const) {
    const isUpgrade = direction === 'upgrade';
    const { deployment, load } = await openShop(faults, { load: { poison: 0 } });
    const [mine, theirs] = [await deployment.stateFolder(), await deployment.stateFolder()];
    const owner = (): ReturnType<typeof deployment.start> => deployment.start(mine, QUICK_GROUP, isUpgrade ? checkout : undefined);
    const stranger = (folder: string): ReturnType<typeof deployment.start> =>
      deployment.start(folder, QUICK_GROUP, isUpgrade ? undefined : checkout);
    const expectRefused = async (where: string, folder: string): Promise<void> => {
      const message = await refusal(stranger(folder), `the other build came (${direction}, ${where})`);
      expectSaid(message, `${deployment.topics.state}-`, `version ${isUpgrade ? 1 : 2}, `, 'run the ', ' that wrote it');
      note(`${direction}, ${where}: ${message}`);
      refusals++;
    };

    const processor = owner();
    await load.burst(200);
    await untilRecovered(deployment);
    load.start(60);
    await expectRefused('in its group', theirs);
    recoveryMs.push(await untilRecovered(deployment));
    await load.stop();
    await untilRecovered(deployment);
    if (processor.ended() !== undefined) throw new OracleError('O5', `the build that could go on did not:\n${lastLines(processor)}`);
    await processor.stop();
    // On the disk of the other, which it must not spoil either.
    await load.burst(50);
    await expectRefused('on its disk', mine);
    const again = owner();
    recoveryMs.push(await untilRecovered(deployment));
    await again.stop();
    const judgement = await judge(deployment, { rows: !isUpgrade });
    if (!isUpgrade) await judgeDisk(deployment, mine);
    commands += judgement.commands;
  }
  if (commands === 0) throw new Error('no command was made: there was nothing to get wrong');
  return { recoveryMs, counts: { refusals, commands } };
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
    fault: 'old and new version in one group, with another format of state',
    promise: 'refuses to start and says what to do; the other goes on; nothing lost, nothing twice',
  },
];
