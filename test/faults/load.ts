import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../src/dev/shop/random.ts';
import { LogUnavailableError, UnknownResultError } from '../../src/log/errors.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { OutRecord } from '../../src/log/port.ts';
import type { Deployment, Said } from './deployment.ts';

/** `topologies/shop` in seconds instead of hours. */
export const SHOP_PARAMS = ['cartWait=3s', 'checkoutWait=2s', 'sessionGap=2s', 'browseDelay=1s', 'nudgeEvery=5s', 'dailyCap=5'] as const;
/** Longer than any of them, one after the other: whoever has left by then has got what they get. */
export const SHOP_SETTLES_MS = 6_000;

export interface LoadOptions {
  readonly random: Random;
  /** People in the shop at once. Default 40. */
  readonly people?: number;
  /** Share of records that no processor can use (not Avro, another's key, no value, a forged `$tick`). Default 0.01. */
  readonly poison?: number;
  /** Share of records that repeat an earlier one of the same user, byte by byte. Default 0.05. */
  readonly duplicates?: number;
  /** Share of records on another partition than their key's. Default 0.02. */
  readonly wrongPartition?: number;
  /** How far people's clocks are off, ahead or behind, at most; every other one says when it sent (`sentAt`). Default 0. */
  readonly clocksWrongByMs?: number;
}

interface Person {
  readonly userId: string;
  /** Events until they leave. */
  left: number;
  known: boolean;
  cart: string | null;
  carts: number;
  readonly said: Buffer[];
  /** What is to be added to the right time. */
  readonly clockMs: number;
  readonly saysWhenSent: boolean;
}

const TICK_MS = 50;

/**
 * People in a shop: they look, fill carts, buy or walk away, refuse messages or allow them again, come back. Who does what comes from the seed alone;
 * only `occurredAt` is the moment of sending. What must come of it is never known here: the reference reads it off the log.
 */
export class Load {
  /** Records that the log has taken. */
  appended = 0;
  /** Records whose append failed while the brokers were away; they may be in the log or not. */
  unsure = 0;
  readonly #deployment: Deployment;
  readonly #options: Required<LoadOptions>;
  readonly #inside: Person[] = [];
  readonly #gone: Person[] = [];
  #people = 0;
  #events = 0;
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(deployment: Deployment, options: LoadOptions) {
    this.#deployment = deployment;
    this.#options = { people: 40, poison: 0.01, duplicates: 0.05, wrongPartition: 0.02, clocksWrongByMs: 0, ...options };
  }

  /** So many records at once. */
  async burst(count: number): Promise<void> {
    await this.#append(this.draw(count));
  }

  /** The next records, for a row that appends them in its own way. */
  draw(count: number): OutRecord[] {
    return Array.from({ length: count }, () => this.#next());
  }

  /** A steady rate until `stop`. What an outage holds up is not made up for. */
  start(perSecond: number): void {
    this.#stopping = false;
    this.#running = this.#run(perSecond);
    this.#running.catch(() => undefined); // `stop` tells
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(perSecond: number): Promise<void> {
    let owed = 0;
    while (!this.#stopping) {
      owed += (perSecond * TICK_MS) / 1000;
      const records = this.draw(Math.floor(owed));
      owed -= records.length;
      const began = performance.now();
      if (records.length > 0) await this.#append(records);
      await sleep(Math.max(0, TICK_MS - (performance.now() - began)));
    }
  }

  async #append(records: readonly OutRecord[]): Promise<void> {
    try {
      await this.#deployment.log.append(records);
      this.appended += records.length;
    } catch (error) {
      if (!(error instanceof LogUnavailableError || error instanceof UnknownResultError)) throw error;
      this.unsure += records.length;
    }
  }

  #next(): OutRecord {
    const { random, poison, duplicates, wrongPartition } = this.#options;
    const { topics, partitions } = this.#deployment;
    const topic = topics.timeline;
    if (random.chance(poison)) return this.#poison(topic);
    const person = this.#somebody();
    const repeats = person.said.length > 0 && random.chance(duplicates);
    const value = repeats ? random.pick(person.said) : this.#deployment.encode(this.#does(person));
    if (!repeats) person.said.push(value);
    const key = Buffer.from(person.userId);
    const home = partitionFor(key, partitions);
    const astray = partitions > 1 && random.chance(wrongPartition);
    return { topic, partition: astray ? (home + random.int(1, partitions - 1)) % partitions : home, key, value };
  }

  /** Somebody who is in the shop; whoever has done what they came for makes room, for a newcomer or one who comes back. */
  #somebody(): Person {
    const { random, people } = this.#options;
    if (this.#inside.length < people) {
      const returns = this.#gone.length > 0 && random.chance(0.2);
      const person = returns ? this.#gone.splice(random.int(0, this.#gone.length - 1), 1)[0]! : this.#newcomer();
      person.left = random.int(4, 16);
      this.#inside.push(person);
    }
    const at = random.int(0, this.#inside.length - 1);
    const person = this.#inside[at]!;
    if (--person.left <= 0) this.#gone.push(...this.#inside.splice(at, 1));
    return person;
  }

  #newcomer(): Person {
    const { random, clocksWrongByMs } = this.#options;
    const userId = `u${++this.#people}`;
    const clockMs = clocksWrongByMs === 0 ? 0 : random.int(-clocksWrongByMs, clocksWrongByMs);
    const saysWhenSent = clocksWrongByMs > 0 && this.#people % 2 === 0;
    return { userId, left: 0, known: false, cart: null, carts: 0, said: [], clockMs, saysWhenSent };
  }

  #does(person: Person): Said {
    const { random } = this.#options;
    const { userId } = person;
    const eventId = `${userId}/${++this.#events}`;
    // A few tell late what was done before: event time is not the log's order.
    const sentAt = Date.now() + person.clockMs;
    const occurredAt = sentAt - (random.chance(0.05) ? random.int(0, 2_000) : 0);
    const said = (type: string, properties: NonNullable<Said['properties']> = {}): Said => ({
      userId,
      type,
      eventId,
      occurredAt,
      ...(person.saysWhenSent ? { sentAt } : {}),
      properties,
    });
    if (!person.known) {
      person.known = true;
      return said('$device_added', { deviceId: `${userId}-phone`, kind: 'fcm', value: `token-${userId}`, permission: 'granted' });
    }
    const consent = (state: 'in' | 'out'): Said => said('$consent', { category: 'reminders', state });
    if (person.said.length === 1) return consent(random.chance(0.9) ? 'in' : 'out');
    const sku = `sku-${random.int(1, 50)}`;
    const price = random.int(100, 9_900) / 100;
    const cartId = (person.cart ??= `${userId}-cart-${++person.carts}`);
    return random.weighted<() => Said>([
      [() => said('product_viewed', { sku, name: 'Lamp', price, currency: 'EUR' }), 40],
      [() => said('cart_item_added', { cartId, sku, name: 'Lamp', price, qty: random.int(1, 3) }), 25],
      [() => said('app_opened'), 8],
      [() => said('checkout_started', { cartId, total: price }), 10],
      [() => ((person.cart = null), said('purchase_completed', { cartId, orderId: `order-${cartId}`, total: price })), 8],
      [() => consent('out'), 2],
      [() => consent('in'), 4],
      [() => said('$device_removed', { deviceId: `${userId}-phone` }), 1],
      [() => said('unheard_of'), 2],
    ])();
  }

  #poison(topic: string): OutRecord {
    const { random } = this.#options;
    const { partitions } = this.#deployment;
    const key = Buffer.from(`p${random.int(1, 99)}`);
    const event = (userId: string, type: string): Buffer => this.#deployment.encode({ userId, type, eventId: `poison/${++this.#events}` });
    const value = random.pick<() => Buffer | null>([
      () => null,
      () => Buffer.from('not Avro'),
      () => event('somebody-else', 'app_opened'),
      () => event(key.toString(), '$tick'),
    ])();
    return { topic, partition: partitionFor(key, partitions), key, value };
  }
}
