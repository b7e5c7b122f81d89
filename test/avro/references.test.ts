import { randomUUID } from 'node:crypto';
import avsc from 'avsc';
import { afterEach, describe, expect, it } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import { PoisonError } from '../../src/avro/errors.ts';
import { createGenericDecoder } from '../../src/avro/generic-decoder.ts';
import { GenericReader } from '../../src/avro/generic-reader.ts';
import { References } from '../../src/avro/references.ts';
import { createRegistry, type RegisteredSchema, type SchemaReference, type SchemaRegistry } from '../../src/avro/registry.ts';
import { registryUrl } from '../setup/env.ts';
import { startFront } from './front.ts';

const MONEY = { type: 'record', name: 'Money', namespace: 'shop.types', fields: [{ name: 'cents', type: 'long' }] };
const LINE = {
  ...{ type: 'record', name: 'Line', namespace: 'shop.types' },
  fields: [
    { name: 'sku', type: 'string' },
    // Of its own namespace.
    { name: 'price', type: 'Money' },
  ],
};
const ORDER = {
  ...{ type: 'record', name: 'Order', namespace: 'shop.orders' },
  fields: [
    { name: 'lines', type: { type: 'array', items: 'shop.types.Line' } },
    { name: 'total', type: 'shop.types.Money' },
    { name: 'paid', type: ['null', 'shop.types.Money'] },
  ],
};
const REFUND = { type: 'record', name: 'Refund', namespace: 'shop.orders', fields: [{ name: 'amount', type: 'shop.types.Money' }] };

/** Bytes of values as avsc writes them, which has all types in one place. */
function write(types: readonly unknown[], value: unknown): Buffer {
  const known = {};
  const made = types.map((type) =>
    avsc.Type.forSchema(type as Parameters<typeof avsc.Type.forSchema>[0], { registry: known, wrapUnions: 'always' }),
  );
  return made.at(-1)!.toBuffer(value);
}

const ORDER_BYTES = write([MONEY, LINE, ORDER], {
  lines: [{ sku: 'a', price: { cents: 250 } }],
  total: { cents: 500 },
  paid: { 'shop.types.Money': { cents: 100 } },
});
const money = (cents: bigint): ReadonlyMap<string, unknown> => new Map([['cents', cents]]);
const ORDER_VALUE = new Map<string, unknown>([
  [
    'lines',
    [
      new Map<string, unknown>([
        ['sku', 'a'],
        ['price', money(250n)],
      ]),
    ],
  ],
  ['total', money(500n)],
  ['paid', money(100n)],
]);

const registered: string[] = [];

/** Under a subject of this test alone, deleted behind it. */
async function register(
  schema: unknown,
  references: readonly SchemaReference[] = [],
  schemaType = 'AVRO',
): Promise<{ id: number; subject: string }> {
  const subject = `test-${randomUUID()}`;
  const text = typeof schema === 'string' ? schema : JSON.stringify({ doc: subject, ...(schema as object) });
  const response = await fetch(`${registryUrl()}/subjects/${subject}/versions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ schema: text, schemaType, references }),
  });
  const body = (await response.json()) as { readonly id: number };
  expect([response.status, body]).toEqual([200, expect.objectContaining({ id: expect.any(Number) as unknown })]);
  registered.push(subject);
  return { id: body.id, subject };
}

const to = (name: string, { subject }: { readonly subject: string }): SchemaReference => ({ name, subject, version: 1 });

afterEach(async () => {
  // Those that others refer to last.
  for (const subject of registered.splice(0).reverse()) await fetch(`${registryUrl()}/subjects/${subject}`, { method: 'DELETE' });
});

function framed(id: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, bytes]);
}

function problemOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof PoisonError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return 'none';
}

describe('a schema that refers to other subjects', () => {
  it('is read with what it refers to, two levels deep and one type from two places, each asked for once', async () => {
    await using front = await startFront();
    const moneys = await register(MONEY);
    const lines = await register(LINE, [to('shop.types.Money', moneys)]);
    const orders = await register(ORDER, [to('shop.types.Line', lines), to('shop.types.Money', moneys)]);
    const refunds = await register(REFUND, [to('shop.types.Money', moneys)]);
    const decoder = createGenericDecoder({ registry: createRegistry({ url: front.url }) });
    const values = [framed(orders.id, ORDER_BYTES), framed(refunds.id, write([MONEY, REFUND], { amount: { cents: 7 } }))];
    await decoder.prepare(values);
    await decoder.prepare(values);
    expect(decoder.decode(values[0]!)).toEqual({ schema: 'shop.orders.Order', value: ORDER_VALUE });
    expect(decoder.decode(values[1]!)).toEqual({ schema: 'shop.orders.Refund', value: new Map([['amount', money(7n)]]) });
    expect(front.requests.toSorted()).toEqual(
      [
        `/schemas/ids/${orders.id}`,
        `/schemas/ids/${refunds.id}`,
        `/subjects/${lines.subject}/versions/1`,
        `/subjects/${moneys.subject}/versions/1`,
      ].toSorted(),
    );
  });

  it('may be nothing but the names of the types that share a topic', async () => {
    const moneys = await register(MONEY);
    const refunds = await register(REFUND, [to('shop.types.Money', moneys)]);
    const both = await register(JSON.stringify(['shop.orders.Refund', 'shop.types.Money']), [
      to('shop.orders.Refund', refunds),
      to('shop.types.Money', moneys),
    ]);
    const decoder = createGenericDecoder({ registry: createRegistry({ url: registryUrl() }) });
    const value = framed(both.id, Buffer.concat([Buffer.from([2]), write([MONEY], { cents: 3 })]));
    await decoder.prepare([value]);
    expect(decoder.decode(value)).toEqual({ schema: 'shop.types.Money', value: money(3n) });
  });

  it("is none of Lull's own", async () => {
    const moneys = await register(MONEY);
    const refunds = await register(REFUND, [to('shop.types.Money', moneys)]);
    const codec = createCodec({ registry: createRegistry({ url: registryUrl() }) });
    const value = framed(refunds.id, Buffer.from([2]));
    await codec.prepare([value]);
    expect(problemOf(() => codec.decode(value))).toBe(
      `unexpected_schema: schema id ${refunds.id}: its schema refers to other subjects, which those of Lull's records never do: use the published one`,
    );
  });

  it('two types of one name are refused, unless they are one and the same', () => {
    const other = { ...MONEY, fields: [{ name: 'euros', type: 'double' }] };
    const text = JSON.stringify(REFUND);
    expect(problemOf(() => new GenericReader(text, [JSON.stringify(MONEY), JSON.stringify(other)]))).toBe(
      'unexpected_schema: its schema cannot be used: there are two types shop.types.Money',
    );
    expect(problemOf(() => new GenericReader(text))).toBe(
      'unexpected_schema: its schema cannot be used: there is no type shop.types.Money',
    );
  });
});

describe('a schema of another kind', () => {
  it('is refused in words that say which', async () => {
    const json = await register(
      JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', title: randomUUID() }),
      [],
      'JSON',
    );
    const protobuf = await register(`syntax = "proto3"; message M${randomUUID().replaceAll('-', '')} { string a = 1; }`, [], 'PROTOBUF');
    const decoder = createGenericDecoder({ registry: createRegistry({ url: registryUrl() }) });
    const values = [json, protobuf].map(({ id }) => framed(id, Buffer.from([0])));
    await decoder.prepare(values);
    expect(values.map((value) => problemOf(() => decoder.decode(value)))).toEqual([
      `unexpected_schema: schema id ${json.id}: its schema is JSON Schema, and Lull reads Avro only`,
      `unexpected_schema: schema id ${protobuf.id}: its schema is Protobuf, and Lull reads Avro only`,
    ]);
  });
});

describe('what a schema refers to', () => {
  /** A registry that has what no real one should: subjects, and which they refer to. */
  function registryOf(subjects: Readonly<Record<string, readonly string[]>>): {
    readonly registry: SchemaRegistry;
    readonly asked: string[];
  } {
    const asked: string[] = [];
    const unused = (): Promise<never> => Promise.reject(new Error('is not asked for here'));
    const registry: SchemaRegistry = {
      ...{ url: 'http://nowhere', schemaById: unused, lookup: unused, register: unused, setCompatibility: unused },
      schemaOf(subject, version) {
        asked.push(`${subject}/${version}`);
        const found = subjects[subject];
        return Promise.resolve(found === undefined ? undefined : { text: `"${subject}"`, references: found.map(referTo) });
      },
    };
    return { registry, asked };
  }
  const referTo = (subject: string): SchemaReference => ({ name: `type.${subject}`, subject, version: 1 });
  const from = (...subjects: readonly string[]): RegisteredSchema => ({ text: '', references: subjects.map(referTo) });

  it('comes in the order in which it can be read, each once', async () => {
    const { registry, asked } = registryOf({ a: ['b', 'c'], b: ['c'], c: [] });
    const references = new References(registry);
    expect(await references.textsFor(from('a', 'c'))).toEqual(['"c"', '"b"', '"a"']);
    expect(await references.textsFor(from('b'))).toEqual(['"c"', '"b"']);
    expect(asked).toEqual(['a/1', 'b/1', 'c/1']);
  });

  it.each<[string, Readonly<Record<string, readonly string[]>>, string]>([
    ['something that is not there', { a: ['b'] }, 'its schema refers to type.b in version 1 of b, which is not in the registry'],
    ['a circle', { a: ['b'], b: ['c'], c: ['b'] }, 'its schema refers in a circle: b version 1 -> c version 1 -> b version 1'],
    [
      'a way that is too long',
      { a: ['n0'], ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, [`n${i + 1}`]])) },
      'its schema refers to others more than 32 deep, at n31 version 1',
    ],
    [
      'more than anybody has',
      { a: Array.from({ length: 300 }, (_, i) => `n${i}`), ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`n${i}`, []])) },
      'its schema refers to more than 256 others',
    ],
  ])('is refused where it leads to %s', async (_, subjects, message) => {
    const asking = new References(registryOf(subjects).registry).textsFor(from('a'));
    await expect(asking).rejects.toThrow(new PoisonError('unexpected_schema', message));
  });

  it('is asked for again where it was not there', async () => {
    const subjects: Record<string, readonly string[]> = {};
    const references = new References(registryOf(subjects).registry);
    await expect(references.textsFor(from('a'))).rejects.toBeInstanceOf(PoisonError);
    subjects['a'] = [];
    expect(await references.textsFor(from('a'))).toEqual(['"a"']);
  });
});
