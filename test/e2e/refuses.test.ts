import { afterEach, describe, expect, test } from 'vitest';
import { POSITION_KEY, decodePosition, encodePosition, type PositionRow } from '../../src/engine/position.ts';
import { Deployment } from '../faults/deployment.ts';

let deployment: Deployment;
afterEach(() => deployment.close());

/** The position row of a partition that was in use, changed as another build or another topic would have left it; and what the process that finds it says. */
async function startAfter(
  change: (row: PositionRow) => PositionRow,
): Promise<{ readonly code: number | NodeJS.Signals; readonly last: string }> {
  deployment = await new Deployment().create();
  const folder = await deployment.stateFolder();
  const { log, topics } = deployment;
  const first = deployment.start(folder);
  await deployment.say({ userId: 'ann', type: 'app_opened' });
  await deployment.waitUntilRead();
  expect(await first.stop()).toBe(0);
  const ends = await deployment.ends();
  const partition = [...ends].find(([, end]) => end > 0)![0];
  const rows = (await deployment.records(topics.state)).filter(({ key }) => key?.equals(POSITION_KEY));
  const row = decodePosition(rows.find(({ value }) => decodePosition(value!, 'test').offset === ends.get(partition))!.value!, 'test');
  await log.append([{ topic: topics.state, partition, key: POSITION_KEY, value: encodePosition(change(row)) }]);
  const second = deployment.start(folder);
  const code = await second.exited;
  return { code, last: second.stderr().trim().split('\n').at(-1) ?? '' };
}

describe('lull process ends with one clear line', () => {
  test('where the state is of another version', async () => {
    const { code, last } = await startAfter((row) => ({ ...row, stateVersion: row.stateVersion + 1 }));
    expect(code).toBe(1);
    expect(last).toMatch(/\.state-\d was written with state version 2, this build has 1: run the build that wrote it, or a migration/);
  });

  test('where the input had another number of partitions', async () => {
    const { code, last } = await startAfter((row) => ({ ...row, partitions: 8 }));
    expect(code).toBe(1);
    expect(last).toMatch(
      /\.state-\d was written with 8 input partitions, now there are 3: the count is fixed for life, since keys would move/,
    );
  });
});
