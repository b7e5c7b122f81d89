import { partitionFor } from '../../../src/log/partitioner.ts';
import type { Deployment } from '../deployment.ts';
import { Poisoner, type Poison } from '../poison.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';
import { readCommitted } from '../../setup/read-committed.ts';

/** Where a record stands, as dead letters name it. */
type At = `${number}@${number}`;

/**
 * Records that are wrong in every way there is, and some that chance has made, among what people do in the shop. The processor dies in the middle of it, so that a dead
 * letter that is not in its record's transaction is there twice, or never.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const { deployment, load, verdict } = await openShop(faults);
  const folder = await deployment.stateFolder();
  const poisoner = await Poisoner.create(deployment, random);
  const planted = new Map<At, Poison>();
  const plant = async (poisons: readonly Poison[]): Promise<void> => {
    for (const [at, poison] of await append(deployment, poisons)) planted.set(at, poison);
  };

  const recoveryMs: number[] = [];
  const rounds = full ? 8 : 2;
  let processor = deployment.start(folder, { ...QUICK_GROUP, LULL_FAILPOINTS: `before-commit@${random.int(2, 8)}=kill` });
  for (let round = 0; round < rounds; round++) {
    await load.burst(60);
    await plant(poisoner.oneOfEach());
    for (const poisons of poisoner.overTheCap()) await plant(poisons);
    await load.burst(30);
    await plant(Array.from({ length: full ? 100 : 40 }, () => poisoner.fuzzed()));
    if (round % 2 === 0) {
      // What is planted may be done in fewer commits.
      await processor.killedWithin(20_000);
      const failpoint =
        round + 2 < rounds ? { LULL_FAILPOINTS: `${random.pick(['before-commit', 'after-commit'])}@${random.int(5, 20)}=kill` } : {};
      processor = deployment.start(folder, { ...QUICK_GROUP, ...failpoint });
    }
    if (round % 2 === 1 || round + 2 >= rounds) {
      const took = await untilRecovered(deployment);
      recoveryMs.push(took);
      note(`round ${round + 1} of ${rounds}: past it after ${took} ms`);
    }
  }
  const judgement = await verdict([processor]);
  await expectDeadLetters(deployment, planted);
  return { recoveryMs, counts: { planted: planted.size, ...judgement } };
}

/** At once, so that a processor may find all of them in one batch; under a MiB in all, so that they are one on the log. */
async function append({ log, topics, partitions }: Deployment, poisons: readonly Poison[]): Promise<ReadonlyMap<At, Poison>> {
  const records = poisons.map((poison) => ({ poison, partition: poison.key === null ? 0 : partitionFor(poison.key, partitions) }));
  const appended = await log.append(
    records.map(({ poison: { key, value }, partition }) => ({ topic: topics.timeline, partition, key, value })),
  );
  const next = new Map(appended.map(({ partition, baseOffset }) => [partition, baseOffset]));
  const planted = new Map<At, Poison>();
  for (const { poison, partition } of records) {
    const offset = next.get(partition)!;
    next.set(partition, offset + 1);
    planted.set(`${partition}@${offset}`, poison);
  }
  for (const { partition, nextOffset } of appended)
    if (next.get(partition) !== nextOffset) throw new Error(`${topics.timeline}-${partition}: somebody wrote between the planted records`);
  return planted;
}

/** Each planted record has the dead letter that it must have, once, as it was; and none that was to be taken has one. */
async function expectDeadLetters(deployment: Deployment, planted: ReadonlyMap<At, Poison>): Promise<void> {
  const { records } = await readCommitted(deployment.topics.deadLetters, deployment.direct);
  const letters = Map.groupBy(records, ({ headers }): At => {
    const [partition, offset] = [headers['lull-partition'], headers['lull-offset']].map((header) => Number(header?.toString()));
    return `${partition!}@${offset!}`;
  });
  const complaints = [...planted].flatMap(([at, { what, key, value, reason }]) => {
    const of = letters.get(at) ?? [];
    const got = of.map(({ headers }) => headers['lull-reason']?.toString() ?? 'no reason').join(', ') || 'none';
    const wanted = reason === undefined ? got : (reason ?? 'none');
    if (got !== wanted || of.length > 1) return [`${what} at ${at}: the dead letters are ${got}, must be ${wanted}`];
    const differs = of.some((letter) => !same(letter.key, key) || !same(letter.value, value));
    return differs ? [`${what} at ${at}: the dead letter is not the record as it was`] : [];
  });
  if (complaints.length > 0) throw new OracleError('O1', complaints.slice(0, 12).join('\n'));
}

function same(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 12, name: 'poison', quick: true, needs: { brokers: 1 }, run },
    fault: 'poison: not Avro, unknown, incompatible, too large, no key, no value, forged, fuzzed',
    promise: 'a dead letter with its reason in the same transaction; the partition moves on',
  },
];
