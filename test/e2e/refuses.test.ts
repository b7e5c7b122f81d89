import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, test } from 'vitest';
import { POSITION_KEY, decodePosition, encodePosition, type PositionRow } from '../../src/engine/position.ts';
import { topicPlans } from '../../src/log/topics.ts';
import { Deployment } from '../faults/deployment.ts';
import { refusal } from '../faults/refusal.ts';

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
    expect(last).toMatch(
      /\.state-\d was written with state version 5, this build reads 2 to 4: run the build that wrote it, or a newer one/,
    );
  });

  test('where the input had another number of partitions', async () => {
    const { code, last } = await startAfter((row) => ({ ...row, partitions: 8 }));
    expect(code).toBe(1);
    expect(last).toMatch(
      /\.state-\d was written with 8 input partitions, now there are 3: the count is fixed for life, .* start over with another --prefix/,
    );
  });

  test('where a newer build has written a row of the state', async () => {
    deployment = await new Deployment().create();
    const { log, topics } = deployment;
    await log.append([{ topic: topics.state, partition: 2, key: Buffer.from('ann'), value: Buffer.from([99, 0]) }]);
    const message = await refusal(deployment.start(await deployment.stateFolder()), 'a row has version 99');
    expect(message).toBe(
      `${topics.state}-2 has a user state of version 99, this Lull reads 2 to 4: run the version that wrote it, or a newer one`,
    );
  });

  test('where somebody has given the timeline more partitions', async () => {
    await usedBefore();
    await morePartitions([deployment.topics.timeline], 4);
    const message = await refusal(deployment.start(await deployment.stateFolder()), 'the timeline has a partition more');
    expect(message).toMatch(
      /^\S+\.timeline: partitions is 4, expected 3\. To mend: .*, and Kafka takes no partition back: use another prefix, [^\n]*$/,
    );
  });

  test('where somebody has given every topic more partitions: whose users move is found in the state', async () => {
    await usedBefore();
    const byUser = topicPlans(deployment.prefix).filter(({ partitions }) => partitions === undefined);
    await morePartitions(
      byUser.map(({ topic }) => topic),
      4,
    );
    const message = await refusal(deployment.start(await deployment.stateFolder()), 'every topic has a partition more');
    expect(message).toMatch(/\.state-\d was written with 3 input partitions, now there are 4: .* start over with another --prefix$/);
  });
});

/** Some users in every partition, and nobody at work. */
async function usedBefore(): Promise<void> {
  deployment = await new Deployment().create();
  const processor = deployment.start(await deployment.stateFolder());
  await deployment.say(...Array.from({ length: 30 }, (_, i) => ({ userId: `user-${i}`, type: 'app_opened' })));
  await deployment.waitUntilRead();
  expect(await processor.stop()).toBe(0);
}

/** With Kafka's own means. */
async function morePartitions(topics: readonly string[], count: number): Promise<void> {
  const admin = new Kafka({ brokers: deployment.direct.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: topics.map((topic) => ({ topic, count })) });
  await admin.disconnect();
}
