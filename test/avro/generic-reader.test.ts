import { randomUUID } from 'node:crypto';
import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PoisonError } from '../../src/avro/errors.ts';
import { createGenericDecoder } from '../../src/avro/generic-decoder.ts';
import { GenericReader } from '../../src/avro/generic-reader.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import { registryUrl } from '../setup/env.ts';

const record = (fields: Readonly<Record<string, unknown>>): object => ({
  ...{ type: 'record', name: 'Order', namespace: 'shop' },
  fields: Object.entries(fields).map(([name, type]) => ({ name, type })),
});

function write(schema: unknown, value: unknown): Buffer {
  return avsc.Type.forSchema(schema as Parameters<typeof avsc.Type.forSchema>[0], { wrapUnions: 'always' }).toBuffer(value);
}

/** Written by avsc, read by ours. */
function read(schema: unknown, value: unknown): unknown {
  return new GenericReader(JSON.stringify(schema)).read(write(schema, value), 0).value;
}

function reasonOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof PoisonError) return error.reason;
    throw error;
  }
  return 'none';
}

/** Random types with values of each, as avsc takes them and as ours are to be read. */
interface Sample {
  readonly type: unknown;
  readonly written: unknown;
  readonly expected: unknown;
}
const names = fc.integer({ min: 0, max: 1e9 }).map((n) => `n${n}_${randomUUID().replaceAll('-', '')}`);
const same = (type: unknown, values: fc.Arbitrary<unknown>): fc.Arbitrary<Sample> =>
  values.map((value) => ({ type, written: value, expected: value }));
const whole = (type: string, values: fc.Arbitrary<number>): fc.Arbitrary<Sample> =>
  values.map((value) => ({ type, written: value, expected: BigInt(value) }));
const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 4 },
    same('null', fc.constant(null)),
    same('boolean', fc.boolean()),
    same('string', fc.string({ unit: 'binary' })),
    same('double', fc.double()),
    same('float', fc.float()),
    whole('int', fc.integer()),
    // avsc is exact within this.
    whole('long', fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 })),
    fc.uint8Array().map((bytes) => ({ type: 'bytes', written: Buffer.from(bytes), expected: bytes })),
    names.map((name) => ({ type: { type: 'enum', name, symbols: ['A', 'B', 'C'] }, written: 'B', expected: 'B' })),
    fc.tuple(names, fc.uint8Array({ minLength: 3, maxLength: 3 })).map(([name, bytes]) => ({
      ...{ type: { type: 'fixed', name, size: 3 }, written: Buffer.from(bytes), expected: bytes },
    })),
    fc.tuple(tie('sample'), fc.integer({ min: 0, max: 3 })).map(([item, most]) => {
      // Items of no bytes are refused.
      const count = write(item.type, item.written).length === 0 ? 0 : most;
      return {
        type: { type: 'array', items: item.type },
        written: Array<unknown>(count).fill(item.written),
        expected: Array<unknown>(count).fill(item.expected),
      };
    }),
    fc.tuple(tie('sample'), fc.uniqueArray(fc.string({ unit: 'grapheme-ascii' }), { maxLength: 3 })).map(([value, keys]) => ({
      type: { type: 'map', values: value.type },
      written: Object.fromEntries(keys.map((key) => [key, value.written])),
      expected: new Map(Object.keys(Object.fromEntries(keys.map((key) => [key, 0]))).map((key) => [key, value.expected])),
    })),
    fc.tuple(names, fc.array(tie('sample'), { minLength: 1, maxLength: 4 })).map(([name, fields]) => ({
      type: { type: 'record', name, fields: fields.map((field, i) => ({ name: `f${i}`, type: field.type })) },
      written: Object.fromEntries(fields.map((field, i) => [`f${i}`, field.written])),
      expected: new Map(fields.map((field, i) => [`f${i}`, field.expected])),
    })),
  ),
}));

describe('the generic reader', () => {
  test('reads whatever avsc writes, of any schema', () => {
    fc.assert(
      fc.property(sample, ({ type, written, expected }) => {
        expect(read(type, written)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('gives the plain value of a union, also where two of its branches are numbers or records', () => {
    const a = { type: 'record', name: 'A', fields: [{ name: 'x', type: 'int' }] };
    const b = { type: 'record', name: 'B', fields: [{ name: 'y', type: 'string' }] };
    const schema = record({ price: ['null', 'long', 'double'], other: ['null', 'long', 'double'], of: [a, b], again: ['null', 'A'] });
    const value = { price: { double: 1.5 }, other: { long: 3 }, of: { 'shop.B': { y: 'b' } }, again: null };
    expect(read(schema, value)).toEqual(
      new Map<string, unknown>([
        ['price', 1.5],
        ['other', 3n],
        ['of', new Map([['y', 'b']])],
        ['again', null],
      ]),
    );
  });

  test('reads a type that speaks of itself, by name, with and without its namespace', () => {
    const node = record({ value: 'string', next: ['null', 'Order'], last: ['null', 'shop.Order'] });
    const leaf = { value: 'b', next: null, last: null };
    expect(read(node, { value: 'a', next: { 'shop.Order': leaf }, last: null })).toEqual(
      new Map<string, unknown>([
        ['value', 'a'],
        ['next', new Map(Object.entries(leaf))],
        ['last', null],
      ]),
    );
  });

  test('longs are exact over all of their 64 bits', () => {
    const reader = new GenericReader('"long"');
    const zigzag = (long: bigint): Buffer => {
      const bytes: number[] = [];
      let rest = BigInt.asUintN(64, (long << 1n) ^ (long >> 63n));
      for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
      return Buffer.from([...bytes, Number(rest)]);
    };
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (long) => {
        expect(reader.read(zigzag(long), 0).value).toBe(long);
      }),
    );
    for (const long of [2n ** 48n, 2n ** 49n - 1n, -(2n ** 48n), 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)])
      expect(reader.read(zigzag(long), 0).value).toBe(long);
  });

  test('times, dates and decimals are what they mean; a logical type that is unknown is none', () => {
    const at = Date.UTC(2026, 0, 5, 9, 0, 0, 123);
    const typed = (type: string, logicalType: string, more: object = {}): object => ({ type, logicalType, ...more });
    const schema = record({
      millis: typed('long', 'timestamp-millis'),
      micros: typed('long', 'timestamp-micros'),
      before: typed('long', 'timestamp-micros'),
      day: typed('int', 'date'),
      price: typed('bytes', 'decimal', { precision: 9, scale: 2 }),
      debt: typed('bytes', 'decimal', { precision: 9, scale: 2 }),
      odd: typed('long', 'unheard-of'),
    });
    const value = {
      ...{ millis: at, micros: at * 1000 + 999, before: -1, day: 20_458, odd: 7 },
      ...{ price: Buffer.from([0x17, 0x6b]), debt: Buffer.from([0xff, 0x9c]) },
    };
    expect(read(schema, value)).toEqual(
      new Map<string, unknown>([
        ['millis', new Date(at)],
        ['micros', new Date(at)],
        ['before', new Date(-1)],
        ['day', new Date(20_458 * 86_400_000)],
        ['price', 59.95],
        ['debt', -1],
        ['odd', 7n],
      ]),
    );
  });

  test('names the record, also of several that share a topic', () => {
    const of = (name: string): object => ({ type: 'record', name, namespace: 'shop', fields: [{ name: 'x', type: 'int' }] });
    expect(new GenericReader(JSON.stringify(of('Paid'))).read(Buffer.from([2]), 0).schema).toBe('shop.Paid');
    const both = new GenericReader(JSON.stringify([of('Placed'), of('Paid')]));
    expect(both.read(Buffer.from([2, 2]), 0)).toEqual({ schema: 'shop.Paid', value: new Map([['x', 1n]]) });
    expect(new GenericReader('"long"').read(Buffer.from([2]), 0).schema).toBeNull();
  });

  test('refuses bytes that are not what the schema says, and never loops over a forged count', () => {
    const reader = new GenericReader(JSON.stringify(record({ name: 'string', tags: { type: 'array', items: 'string' } })));
    const value = Buffer.concat([Buffer.from([2]), Buffer.from('a'), Buffer.from([0])]);
    expect(reasonOf(() => reader.read(value, 0))).toBe('none');
    expect(reasonOf(() => reader.read(value.subarray(0, 2), 0))).toBe('undecodable');
    expect(reasonOf(() => reader.read(Buffer.concat([value, Buffer.from([0])]), 0))).toBe('trailing_bytes');
    const forged = Buffer.concat([value.subarray(0, 2), Buffer.alloc(9, 0xff), Buffer.from([1])]);
    expect(reasonOf(() => reader.read(forged, 0))).toBe('undecodable');
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(['none', 'undecodable', 'trailing_bytes']).toContain(reasonOf(() => reader.read(Buffer.from(bytes), 0)));
      }),
    );
  });

  test('refuses a schema that is none', () => {
    for (const schema of [
      '{',
      '"unheard"',
      '{"type":"record","name":"A"}',
      '{"type":"fixed","name":"A"}',
      '3',
      '{"type":"record","fields":[]}',
    ])
      expect(reasonOf(() => new GenericReader(schema))).toBe('unexpected_schema');
  });
});

describe('the generic decoder', () => {
  test('asks the registry for the schema of each id, and puts aside what it does not know', async () => {
    const registry = createRegistry({ url: registryUrl() });
    const subject = `test-${randomUUID()}`;
    const schema = JSON.stringify({ type: 'record', name: 'Thing', doc: subject, fields: [{ name: 'id', type: 'long' }] });
    const id = await registry.register(subject, schema);
    const framed = (schemaId: number): Buffer => {
      const header = Buffer.alloc(5);
      header.writeUInt32BE(schemaId, 1);
      return Buffer.concat([header, Buffer.from([84])]);
    };
    const decoder = createGenericDecoder({ registry });
    const [known, unknown, bare] = [framed(id), framed(0x7ffffff0), Buffer.from('no frame')];
    await decoder.prepare([known, unknown, bare, null]);
    expect(decoder.decode(known)).toEqual({ schema: 'Thing', value: new Map([['id', 42n]]) });
    expect(reasonOf(() => decoder.decode(unknown))).toBe('unknown_schema_id');
    expect(reasonOf(() => decoder.decode(bare))).toBe('not_avro_frame');
    await fetch(`${registryUrl()}/subjects/${subject}`, { method: 'DELETE' });
  });
});
