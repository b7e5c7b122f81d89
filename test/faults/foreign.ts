import { randomUUID } from 'node:crypto';
import avsc from 'avsc';
import { createRegistry } from '../../src/avro/registry.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { Headers, OutRecord } from '../../src/log/port.ts';
import { ingestPlans, specOf } from '../../src/log/topics.ts';
import type { Deployment, DeploymentOptions, Processor } from './deployment.ts';

/** What somebody else's shop writes, in its own words. */
export interface Order {
  readonly number: number;
  readonly status: 'OPEN' | 'PAID';
  readonly customer: { readonly id: string | null };
  readonly cart: string | null;
  /** Euros. */
  readonly amount: number;
  readonly paidAt: number | null;
}

/** Under a subject of its own, to which the order's schema refers. */
const CUSTOMER = {
  ...{ type: 'record', name: 'Customer', namespace: 'shop.people.v1' },
  fields: [{ name: 'id', type: ['null', 'string'] }],
} as const;

const ORDER = {
  ...{ type: 'record', name: 'Order', namespace: 'shop.orders.v3' },
  fields: [
    { name: 'number', type: 'long' },
    { name: 'status', type: { type: 'enum', name: 'Status', symbols: ['OPEN', 'PAID'] } },
    { name: 'customer', type: 'shop.people.v1.Customer' },
    { name: 'cart', type: ['null', 'string'] },
    { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
    { name: 'paidAt', type: ['null', { type: 'long', logicalType: 'timestamp-micros' }] },
    { name: 'lines', type: { type: 'array', items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] } } },
    // Nobody maps it, and it is over 2^53.
    { name: 'trace', type: 'long' },
  ],
} as const;

function orderType(): avsc.Type {
  const registry = {};
  const make = (schema: unknown): avsc.Type =>
    avsc.Type.forSchema(schema as Parameters<typeof avsc.Type.forSchema>[0], { registry, wrapUnions: 'auto' });
  make(CUSTOMER);
  return make(ORDER);
}

const SOURCE = 'orders';

/** The topology that reads it, and the param that names its topic: for the deployment's options. */
export function withForeignOrders(params: readonly string[] = []): Required<Pick<DeploymentOptions, 'topology' | 'params'>> {
  return { topology: 'test/faults/topologies/sources', params: [...params, `${PARAM}foreign-${randomUUID().slice(0, 8)}.orders`] };
}

const PARAM = 'orders=';

/** A topic that is not Lull's, with a schema that is not Lull's, and the ingest of it. The deployment is one `withForeignOrders`. */
export class ForeignOrders {
  readonly topic: string;
  readonly partitions: number;
  readonly #deployment: Deployment;
  readonly #type = orderType();
  #schemaId = -1;

  constructor(deployment: Deployment, partitions: number) {
    this.#deployment = deployment;
    this.topic = deployment.params.find((param) => param.startsWith(PARAM))?.slice(PARAM.length) ?? '';
    this.partitions = partitions;
  }

  get group(): string {
    return `${this.#deployment.prefix}-ingest-${SOURCE}`;
  }

  get changelog(): string {
    return this.#deployment.topics.ingestState(SOURCE);
  }

  async create(replicationFactor = 1, config: Readonly<Record<string, string>> = {}): Promise<this> {
    const { log, registryUrl, prefix } = this.#deployment;
    await createRegistry({ url: registryUrl }).register(this.#customers, JSON.stringify(CUSTOMER));
    this.#schemaId = await this.#register(registryUrl);
    const { topic, partitions } = this;
    await log.admin.createTopics([
      { topic, partitions, replicationFactor, config },
      ...ingestPlans(prefix, [{ name: SOURCE, topic, partitions }]).map((plan) => specOf(plan, partitions, replicationFactor)),
    ]);
    return this;
  }

  async delete(): Promise<void> {
    await this.#deployment.log.admin.deleteTopics([this.topic, this.changelog]);
    // What the other refers to last.
    for (const subject of [`${this.topic}-value`, this.#customers])
      await fetch(`${this.#deployment.registryUrl}/subjects/${subject}`, { method: 'DELETE' });
  }

  get #customers(): string {
    return `${this.topic}-customer`;
  }

  /** As the serializers of others do it: Lull's own client registers nothing that refers to others. */
  async #register(registryUrl: string): Promise<number> {
    const references = [{ name: 'shop.people.v1.Customer', subject: this.#customers, version: 1 }];
    const response = await fetch(`${registryUrl}/subjects/${this.topic}-value/versions`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ schema: JSON.stringify(ORDER), references }),
    });
    const { id } = (await response.json()) as { readonly id?: number };
    if (id === undefined) throw new Error(`the registry answered ${response.status} to the schema of orders`);
    return id;
  }

  /** The topology, as a command takes it. */
  get arguments(): readonly string[] {
    const { topology, params } = this.#deployment;
    return [topology, ...params.flatMap((param) => ['--set', param])];
  }

  /** `lull ingest`, in one process where `env` says nothing else. */
  start(stateFolder: string, env: Readonly<Record<string, string>> = {}): Processor {
    return this.#deployment.run(['ingest', ...this.arguments, '--state-folder', stateFolder], env);
  }

  encode({ number, status, customer, cart, amount, paidAt }: Order, schemaId = this.#schemaId): Buffer {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(schemaId, 1);
    const cents = Math.round(amount * 100);
    const unscaled = Buffer.alloc(6);
    unscaled.writeIntBE(cents, 0, 6);
    const value = {
      ...{ number, status, customer, cart, amount: unscaled },
      ...{ paidAt: paidAt === null ? null : paidAt * 1000, lines: [{ sku: 'a' }, { sku: 'b' }], trace: 0 },
    };
    // The last field is a long: 2^62, of which avsc cannot make one.
    const bytes = this.#type.toBuffer(value);
    return Buffer.concat([header, bytes.subarray(0, -1), Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])]);
  }

  /** Keyed by order, as a shop would: not by user. */
  record(key: string, value: Buffer | null, headers?: Headers): OutRecord {
    const bytes = Buffer.from(key);
    return { topic: this.topic, partition: partitionFor(bytes, this.partitions), key: bytes, value, ...(headers && { headers }) };
  }

  /** Whether ingest has committed everything that is there now. */
  async isRead(): Promise<boolean> {
    const { admin } = this.#deployment.log;
    const ends = await admin.offsets(this.topic);
    const read = await admin.groupOffsets(this.group, this.topic);
    return [...ends].every(([partition, { start, end }]) => (read.get(partition) ?? start) >= end);
  }
}
