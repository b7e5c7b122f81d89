import avsc from 'avsc';
import { createRandom } from '../../src/dev/shop/random.ts';
import type { RegisteredSchema } from '../../src/avro/registry.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import type { OutRecord } from '../../src/log/port.ts';

/** Orders as somebody else's shop writes them: nested, with a decimal, a time and lines; the customer is a type of another subject. */

export const ORDER_SCHEMA_ID = 7;

const CUSTOMER = { type: 'record', name: 'Customer', namespace: 'shop.people', fields: [{ name: 'id', type: 'string' }] };
const ORDER = {
  ...{ type: 'record', name: 'Order', namespace: 'shop.orders' },
  fields: [
    { name: 'number', type: 'long' },
    { name: 'status', type: { type: 'enum', name: 'Status', symbols: ['OPEN', 'PAID'] } },
    { name: 'customer', type: 'shop.people.Customer' },
    { name: 'cart', type: ['null', 'string'] },
    { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
    { name: 'paidAt', type: ['null', { type: 'long', logicalType: 'timestamp-micros' }] },
    { name: 'lines', type: { type: 'array', items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] } } },
  ],
};

/** As the registry would answer, without one: what is measured is not its answer. */
export function schemaById(id: number): RegisteredSchema | undefined {
  const references = [{ name: 'shop.people.Customer', subject: 'customer', version: 1 }];
  return id === ORDER_SCHEMA_ID ? { text: JSON.stringify(ORDER), references } : undefined;
}

export function schemaOf(): RegisteredSchema {
  return { text: JSON.stringify(CUSTOMER), references: [] };
}

const PAID_FROM_MS = Date.parse('2025-06-02T08:00:00Z');

/** Nine in ten are paid for, and become events. Keyed by order. */
export function* orders(options: { readonly topic: string; readonly partitions: number; readonly count: number }): Generator<OutRecord> {
  const { topic, partitions, count } = options;
  const random = createRandom('ingest');
  const registry = {};
  const make = (schema: unknown): avsc.Type =>
    avsc.Type.forSchema(schema as Parameters<typeof avsc.Type.forSchema>[0], { registry, wrapUnions: 'auto' });
  make(CUSTOMER);
  const type = make(ORDER);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(ORDER_SCHEMA_ID, 1);
  for (let number = 0; number < count; number++) {
    const key = Buffer.from(`order-${number}`);
    const amount = Buffer.alloc(4);
    amount.writeInt32BE(random.int(100, 99_999));
    const order = {
      ...{ number, status: number % 10 === 0 ? 'OPEN' : 'PAID', customer: { id: `user-${random.int(1, 50_000)}` } },
      ...{ cart: `cart-${number}`, amount, paidAt: (PAID_FROM_MS + 10 * number) * 1_000 },
      lines: Array.from({ length: random.int(1, 4) }, () => ({ sku: `sku-${random.int(1, 20_000)}` })),
    };
    const value = Buffer.concat([frame, type.toBuffer(order)]);
    yield { topic, partition: partitionFor(key, partitions), key, value, timestampMs: PAID_FROM_MS + 10 * number };
  }
}

/** How many of them become events. */
export function paidOf(count: number): number {
  return count - Math.ceil(count / 10);
}
