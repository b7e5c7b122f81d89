import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../src/dev/shop/random.ts';
import { readAllCommitted } from '../../setup/read-committed.ts';
import { Deployment, type Processor } from '../deployment.ts';
import { ForeignOrders, withForeignOrders } from '../foreign.ts';
import { judge } from '../oracles.ts';
import { untilRecovered } from '../recovery.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { lastLines, QUICK_GROUP } from '../shop.ts';

/** A cart that is not paid for gets its reminder after this: an hour, in the time of this row. */
const CART_WAIT_MS = 3_000;
const POLL_MS = 100;
const PATIENCE_MS = 120_000;

interface Person {
  readonly userId: string;
  readonly cart: string;
  readonly buys: 'before' | 'meanwhile' | 'never';
}

/**
 * People fill carts on the timeline; who buys is told by a foreign topic, through ingest. Ingest is away for as long as every cart needs to come due, several times over,
 * and the orders of half of them are in the foreign topic by then; processors run on. Nothing may be sent before ingest is back; then everybody who has not
 * bought is reminded, and nobody who has. The processor is killed in the middle of its wait, and goes on waiting.
 */
async function run(faults: FaultRun, mutant = ''): Promise<FaultResult> {
  const { cluster, full, note, random } = faults;
  const lull = new Deployment({
    ...{
      bootstrap: cluster.bootstrap,
      direct: cluster.direct,
      replicationFactor: cluster.replicationFactor,
      registryUrl: faults.registryUrl,
    },
    ...withForeignOrders([`cartWait=${CART_WAIT_MS / 1000}s`]),
  });
  faults.cleanup(() => lull.close());
  await lull.create();
  const orders = new ForeignOrders(lull, 2);
  faults.cleanup(() => orders.delete());
  await orders.create(cluster.replicationFactor, { 'message.timestamp.type': 'LogAppendTime' });
  const folder = await lull.stateFolder();
  const env = { ...QUICK_GROUP, LULL_MAX_TICK_HOLD_MS: '2s', LULL_MUTANT: mutant };
  let processor = lull.start(folder, env);
  const ingestFolder = await lull.stateFolder();
  const first = orders.start(ingestFolder, QUICK_GROUP);
  const people = peopleOf(random, full ? 600 : 120);
  // Ingest has begun, and has committed what there is: from here on it is known how far it came.
  // An order that is older than its cart is not what keeps a reminder back.
  await buy(lull, orders, people, 'before', 60_000);
  await waitFor(() => orders.isRead(), first, 'ingest did not read what was bought before');
  if ((await first.stop()) !== 0) throw new Error(`ingest did not stop:\n${lastLines(first)}`);
  note('ingest is down');

  // The orders first: however slow this machine is, they are in their topic when the carts come due. What is bought is bought after its cart was filled, by event time.
  const filledAt = Date.now() - 500;
  await buy(lull, orders, people, 'meanwhile');
  await lull.say(
    ...people.map(({ userId, cart }) => ({
      ...{ userId, type: 'cart_item_added', eventId: `${userId}/${cart}`, occurredAt: filledAt, properties: { cartId: cart } },
    })),
  );
  const outageMs = (full ? 20 : 4) * CART_WAIT_MS;
  await sleep(outageMs / 2);
  await processor.kill();
  processor = lull.start(folder, env);
  await sleep(outageMs / 2);
  const early = await lull.records(lull.topics.dispatch);
  if (early.length > 0) throw new OracleError('O1', `${early.length} commands while ingest was down`);
  await waitFor(async () => processor.stderr().includes('ticks have waited for ingest'), processor, 'nothing was said of the hold');

  const second = orders.start(ingestFolder, QUICK_GROUP);
  const began = performance.now();
  const expected = people.filter(({ buys }) => buys !== 'meanwhile').map(({ userId }) => userId);
  await waitFor(
    async () => (await lull.records(lull.topics.dispatch)).length >= expected.length,
    processor,
    'not everybody who has not bought was reminded',
  );
  const recoveryMs = Math.round(performance.now() - began);
  note(`everybody was reminded ${recoveryMs} ms after the restart of ingest`);
  // What is too much would come with the next ticks.
  await sleep(2 * CART_WAIT_MS);
  await untilRecovered(lull);
  for (const process of [second, processor])
    if ((await process.stop()) !== 0) throw new Error(`a process did not stop:\n${lastLines(process)}`);
  const got = await commandsIn(lull);
  if (JSON.stringify(got) !== JSON.stringify([...expected].sort()))
    throw new OracleError('O1', `reminded were ${got.length}, expected ${expected.length}: ${difference(got, expected)}`);
  const judgement = await judge(lull);
  return { recoveryMs: [recoveryMs], counts: { people: people.length, ...judgement } };
}

function peopleOf(random: Random, count: number): readonly Person[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ userId: `u${i}`, cart: `u${i}-cart` },
    buys: random.pick<Person['buys']>(['before', 'meanwhile', 'meanwhile', 'never']),
  }));
}

async function buy(lull: Deployment, orders: ForeignOrders, people: readonly Person[], when: Person['buys'], agoMs = 0): Promise<void> {
  await lull.log.append(
    people
      .filter(({ buys }) => buys === when)
      .map(({ userId, cart }, number) => {
        const order = { number, status: 'PAID', customer: { id: userId }, cart, amount: 9.99, paidAt: Date.now() - agoMs } as const;
        return orders.record(`order-${number}`, orders.encode(order));
      }),
  );
}

/** Users with a command, as a read_committed reader sees them. */
async function commandsIn(lull: Deployment): Promise<string[]> {
  const { records } = (await readAllCommitted([lull.topics.dispatch], lull.direct)).get(lull.topics.dispatch)!;
  return records
    .filter(({ headers }) => headers['kind']?.toString() === 'command')
    .map(({ key }) => key!.toString())
    .sort();
}

async function waitFor(what: () => Promise<boolean>, running: Processor, otherwise: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await what())) {
    if (running.ended() !== undefined || performance.now() > deadline)
      throw new OracleError('O5', `${otherwise} (ended: ${running.ended() ?? 'no'}):\n${lastLines(running)}`);
    await sleep(POLL_MS);
  }
}

function difference(got: readonly string[], expected: readonly string[]): string {
  const extra = got.filter((user, i) => !expected.includes(user) || got.indexOf(user) !== i);
  const missing = expected.filter((user) => !got.includes(user));
  return `too much ${extra.slice(0, 5).join(', ') || 'none'}, missing ${missing.slice(0, 5).join(', ') || 'none'}`;
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 28, name: 'ingest-down', quick: true, needs: { brokers: 1 }, run: (faults) => run(faults) },
    fault: 'ingest is down while carts come due, and what was bought meanwhile is in a foreign topic; the processor is up, and killed once',
    promise: 'nothing is decided without ingest; no reminder of what was bought meanwhile; everybody else gets theirs',
  },
  {
    ...{ id: 28, name: 'tick-not-held', quick: false, needs: { brokers: 1 }, mutant: { name: 'tick-not-held', oracle: 'O1' } },
    fault: 'ingest is down while carts come due',
    promise: 'a judge sees reminders that were decided without ingest',
    run: (faults) => run(faults, process.env['LULL_FAULT_CONTROL'] === '1' ? '' : 'tick-not-held'),
  },
];
