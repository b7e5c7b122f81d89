import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import { registerSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import type { Properties } from '../../src/core/event.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Log } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans } from '../../src/log/topics.ts';
import { Simulation } from '../../src/testing/simulation.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { bootstrap, registryUrl } from '../setup/env.ts';
import { lull } from './run.ts';

const SHOP = path.join(import.meta.dirname, '../../topologies/shop');
const PREFIX = `test-${randomUUID().slice(0, 13)}`;
const TOPICS = topicNames(PREFIX);
const PARTITIONS = 3;
const START = Date.parse('2025-06-02T09:00:00Z');
const MINUTE = 60_000;

let log: Log;
let codec: Codec;

beforeAll(async () => {
  log = createKafkaLog({ brokers: bootstrap().split(',') });
  const registry = createRegistry({ url: registryUrl() });
  codec = createCodec({ registry, ids: await registerSchemas(registry) });
  await log.admin.createTopics(topicPlans(PREFIX).map((plan) => specOf(plan, PARTITIONS, 1)));
  await decide('ada');
  // Somebody else on the same topics, who must not be seen.
  await decide('ben');
  await write('cleo', 'product_viewed', { sku: 's', name: 'Lamp', price: 3, currency: 'EUR' });
  await write('cleo', 'cart_item_added', { cartId: 'c7', sku: 's', name: 'Lamp', price: 3, qty: 1 });
  await write('cleo', 'purchase_completed', { cartId: 'c7', orderId: 'o', total: 3 });
  await write('cleo', 'cart_item_added', { cartId: 'c8', sku: 's', name: 'Lamp', price: 3, qty: 1 });
});
afterAll(async () => {
  await log.admin.deleteTopics(topicPlans(PREFIX).map(({ topic }) => topic));
  await log.close();
});

function to(topic: string, userId: string, value: Buffer) {
  const key = Buffer.from(userId);
  return { topic, partition: partitionFor(key, PARTITIONS), key, value };
}

/** Real decisions: what the core says of a reminded cart and of one that is paid for at the last moment. */
async function decide(userId: string): Promise<void> {
  const compiled = compileTopology(SHOP, { app: PREFIX });
  if (!compiled.ok) throw new Error('the shop is broken');
  const simulation = new Simulation(compiled.program, START);
  const append = (type: string, properties: Properties, atMs: number) =>
    simulation.append(
      { eventId: `${type}@${atMs}`, userId, type, occurredAtMs: START + atMs, sentAtMs: null, properties, imported: false },
      START + atMs,
    );
  append('$consent', { category: 'reminders', state: 'in' }, 0);
  append('$device_added', { deviceId: 'phone', kind: 'fcm', value: 'a-token-nobody-sees', permission: 'granted' }, 0);
  append('cart_item_added', { cartId: 'c1', sku: 's', name: 'Lamp', price: 3, qty: 1 }, 0);
  append('cart_item_added', { cartId: 'c2', sku: 's', name: 'Vase', price: 3, qty: 1 }, 5 * MINUTE);
  append('purchase_completed', { cartId: 'c2', orderId: 'o', total: 3 }, 65 * MINUTE);
  simulation.passTo(START + 66 * MINUTE);
  const { decisions, commands } = simulation.output;
  expect(decisions.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['sent', 'sent'],
    ['rejected', 'suppressed'],
  ]);
  await log.append(decisions.map((decision) => to(TOPICS.decisions, userId, codec.encode('lull.v1.Decision', decision))));
  const outcome = codec.encode('lull.v1.Outcome', {
    ...{
      commandId: commands[0]!.commandId,
      userId,
      channel: 'fcm',
      device: { deviceId: 'phone', kind: 'fcm', hash: 'abc' },
      provider: 'fcm',
    },
    ...{ class: 'ok', final: true, code: '200', providerMessageId: 'm-1', attempt: 1, atMs: START + 60 * MINUTE + 250 },
  });
  await log.append([to(TOPICS.outcomes, userId, outcome)]);
}

async function write(userId: string, type: string, properties: Properties): Promise<void> {
  const value = codec.encode('lull.v1.ProductEvent', { eventId: randomUUID(), userId, type, occurredAt: Date.now(), properties });
  await log.append([to(TOPICS.timeline, userId, value)]);
}

function explain(...args: string[]) {
  return lull(['explain', '--prefix', PREFIX, ...args], { LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl() });
}

describe('lull explain', () => {
  it('says of every decision what each check said, and what the provider answered', async () => {
    const { code, stdout, stderr } = await explain('--user', 'ada');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [sent, rejected] = stdout.split('\n\n') as [string, string];
    const lines = sent.split('\n');
    expect(lines[0]).toBe('2025-06-02 10:00:00Z  sent  cart_abandoned/reminder  c1');
    expect(lines[1]).toMatch(/^ {2}started by cart_item_added@0 \(timeline-0 offset 2\), due 2025-06-02 10:00:00Z$/);
    expect(lines).toContain('  ok  device      fcm');
    expect(lines).toContain('  ok  cap         daily: 0 of 3 in 1d');
    expect(lines).toContain('  2025-06-02 10:00:00.250Z  fcm phone: ok (200), attempt 1');
    expect(sent).not.toContain('a-token-nobody-sees');
    expect(rejected.split('\n')[0]).toBe('2025-06-02 10:05:00Z  rejected  cart_abandoned/reminder  c2: suppressed');
    expect(rejected).toMatch(/^ {2}NO {2}suppressor {2}purchase_completed, 1h after the trigger \(offset \d+\)$/m);
    expect(stdout).not.toContain('ben');
  });

  it('gives one JSON object, and takes a journey and a time to begin with', async () => {
    const all = await explain('--user', 'ada', '--json');
    expect(JSON.parse(all.stdout)).toMatchObject({
      user: 'ada',
      partition: partitionFor(Buffer.from('ada'), PARTITIONS),
      decisions: [
        { decision: { outcome: 'sent', key: 'c1' }, outcomes: [{ class: 'ok' }] },
        { decision: { outcome: 'rejected', key: 'c2', reason: 'suppressed' }, outcomes: [] },
      ],
      silences: null,
    });
    const later = await explain('--user', 'ada', '--json', '--since', '2025-06-02T10:01:00Z');
    expect(JSON.parse(later.stdout)).toMatchObject({ decisions: [{ decision: { key: 'c2' } }] });
    const other = await explain('--user', 'ada', '--journey', 'checkout_idle');
    expect(other.stdout).toMatch(/^no decision of checkout_idle for ada on \S+\.decisions-\d\n/);
  });

  it('says of journeys that decided nothing how far they came, from the timeline', async () => {
    const { code, stdout } = await explain('--user', 'cleo', '--topology', SHOP);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^no decision for cleo on/);
    expect(stdout).toMatch(/Nothing was decided by \(4 records of cleo on the timeline, from .* to .*\):\n/);
    expect(stdout).toMatch(/^checkout_idle {9}checkout_started never came$/m);
    expect(stdout).toMatch(/^cart_abandoned {8}waits \(c8\) since .*, until .*\n {22}started \(c7\) .*, ended by purchase_completed .*$/m);
    expect(stdout).toMatch(/^browsed_no_cart {7}the session that began .* is still open$/m);
  });

  it('says what is missing: the topic, the journey, the time, the address', async () => {
    const elsewhere = await lull(['explain', '--user', 'ada', '--prefix', 'nobody-has-this'], {
      LULL_BOOTSTRAP: bootstrap(),
      LULL_REGISTRY: registryUrl(),
    });
    expect(elsewhere).toMatchObject({
      code: 1,
      stderr: 'lull: there is no topic nobody-has-this.decisions: create it with `lull topics create`, or give the --prefix of your app\n',
    });
    expect(await explain('--user', 'ada', '--topology', SHOP, '--journey', 'cart')).toMatchObject({
      code: 2,
      stderr: `lull: --journey cart: ${SHOP} has browsed_no_cart, cart_abandoned, checkout_idle, low_stock, price_drop\n`,
    });
    expect(await explain('--user', 'ada', '--since', 'lately')).toMatchObject({
      code: 2,
      stderr: 'lull: --since lately: write it as 2d, 6h or 2025-06-02T09:00:00Z\n',
    });
    expect((await lull(['explain', '--user', 'ada'])).code).toBe(2);
    expect(await lull(['explain'])).toMatchObject({
      code: 2,
      stderr: "lull: required option '--user <id>' not specified; --help says what there is\n",
    });
  });
});
