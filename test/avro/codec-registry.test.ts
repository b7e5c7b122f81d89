import { randomUUID } from 'node:crypto';
import avsc from 'avsc';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import { RegistryUnavailableError } from '../../src/avro/errors.ts';
import type { RecordName } from '../../src/avro/records.ts';
import { registerSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import { SCHEMAS } from '../../src/avro/schemas.ts';
import { parseType } from '../../src/avro/types.ts';
import { registryUrl } from '../setup/env.ts';
import { records } from './arbitraries.ts';
import { startFront } from './front.ts';

interface Field {
  name: string;
  type: unknown;
  default?: unknown;
}

const subjects: string[] = [];

afterEach(async () => {
  for (const subject of subjects.splice(0)) await fetch(`${registryUrl()}/subjects/${subject}`, { method: 'DELETE' });
});

/** Registers a version that another program has, under a subject of this test. */
async function foreignSchema(
  schema: string,
  type = parseType(schema),
): Promise<{ readonly id: number; readonly write: (value: unknown) => Buffer }> {
  const subject = `test-${randomUUID()}`;
  subjects.push(subject);
  const id = await createRegistry({ url: registryUrl() }).register(subject, schema);
  return {
    id,
    write(value) {
      const header = Buffer.alloc(5);
      header.writeUInt32BE(id, 1);
      return Buffer.concat([header, type.toBuffer(value)]);
    },
  };
}

function changed(record: RecordName, change: (fields: Field[]) => Field[]): string {
  const schema = JSON.parse(SCHEMAS[record]) as { fields: Field[] };
  // The doc makes each of these a schema, and so an id, of its own.
  return JSON.stringify({ ...schema, doc: randomUUID(), fields: change(schema.fields) });
}

async function codecOf(url = registryUrl()): Promise<Codec> {
  const registry = createRegistry({ url });
  return createCodec({ registry, ids: await registerSchemas(createRegistry({ url: registryUrl() })) });
}

describe('codec with a registry', () => {
  it('reads its own records with the ids that the registry gave', async () => {
    const ids = await registerSchemas(createRegistry({ url: registryUrl() }));
    const codec = await codecOf();
    const value = codec.encode('lull.v1.Revocation', { commandId: 'c', userId: 'u', channel: 'fcm', reason: 'goal', atMs: 1 });
    expect(value.readUInt32BE(1)).toBe(ids['lull.v1.Revocation']);
    await codec.prepare([value, null, Buffer.from('no frame')]);
    expect(codec.decode(value)).toMatchObject({ record: 'lull.v1.Revocation', value: { reason: 'goal' } });
  });

  it('reads events of an older writer that knows five fields', async () => {
    const writer = await foreignSchema(changed('lull.v1.ProductEvent', (fields) => fields.slice(0, 5)));
    const codec = await codecOf();
    await codec.prepare([writer.write({ eventId: '', userId: '', type: '', occurredAt: 0, properties: {} })]);
    fc.assert(
      fc.property(records['lull.v1.ProductEvent'], (event) => {
        const decoded = codec.decode(writer.write(event));
        expect(decoded).toEqual({ record: 'lull.v1.ProductEvent', value: { ...event, sentAt: null, imported: false } });
      }),
    );
  });

  it('reads events of a newer writer with fields of every shape, first, between and last', async () => {
    const more = (name: string): Field[] => [
      { name: `${name}Text`, type: 'string', default: '' },
      { name: `${name}Tags`, type: { type: 'array', items: 'string' }, default: [] },
      { name: `${name}Context`, type: { type: 'map', values: ['null', 'long', 'double'] }, default: {} },
      {
        name: `${name}Place`,
        type: ['null', { type: 'record', name: `Place${name}`, fields: [{ name: 'zone', type: 'string' }] }],
        default: null,
      },
    ];
    const writer = await foreignSchema(
      changed('lull.v1.ProductEvent', (fields) => [...more('a'), ...fields.slice(0, 3), ...more('b'), ...fields.slice(3), ...more('c')]),
    );
    const codec = await codecOf();
    const extra = (name: string): object => ({
      [`${name}Text`]: 'text',
      [`${name}Tags`]: ['x', 'y'],
      [`${name}Context`]: { n: 1, d: 0.5, none: null },
      [`${name}Place`]: { zone: 'Europe/Berlin' },
    });
    await fc.assert(
      fc.asyncProperty(records['lull.v1.ProductEvent'], async (event) => {
        const value = writer.write({ ...event, ...extra('a'), ...extra('b'), ...extra('c') });
        await codec.prepare([value]);
        expect(codec.decode(value)).toEqual({ record: 'lull.v1.ProductEvent', value: event });
      }),
    );
  });

  it('reads ints and floats of a writer that has these, as numbers', async () => {
    const schema = changed('lull.v1.ProductEvent', (fields) =>
      fields.map((field) =>
        field.name === 'properties' ? { ...field, type: { type: 'map', values: ['int', 'float', 'string'] } } : field,
      ),
    );
    const writer = await foreignSchema(schema, avsc.Type.forSchema(JSON.parse(schema) as Parameters<typeof avsc.Type.forSchema>[0]));
    const codec = await codecOf();
    const value = writer.write({
      ...{ eventId: 'e', userId: 'u', type: 't', occurredAt: 1 },
      properties: { i: { int: 7 }, f: { float: 0.5 }, s: { string: 'x' } },
    });
    await codec.prepare([value]);
    expect(codec.decode(value).value).toMatchObject({ properties: { i: 7, f: 0.5, s: 'x' } });
  });

  it('sees no kind that it knows in a newer control record', async () => {
    const writer = await foreignSchema(
      changed('lull.v1.Control', (fields) => [
        ...fields,
        { name: 'merge', type: ['null', { type: 'record', name: 'Merge', fields: [{ name: 'from', type: 'string' }] }], default: null },
      ]),
    );
    const codec = await codecOf();
    const merge = writer.write({ tick: null, merge: { from: 'anon:1' } });
    const tick = writer.write({ tick: { maxTimers: 3, upTo: 9, nonce: 'n' }, merge: null });
    await codec.prepare([merge, tick]);
    expect(codec.decode(merge)).toEqual({
      record: 'lull.v1.Control',
      value: { tick: null, forward: null, ingested: null, fanOut: null, topology: null },
    });
    expect(codec.decode(tick)).toEqual({
      record: 'lull.v1.Control',
      value: { tick: { maxTimers: 3, upTo: 9, nonce: 'n' }, forward: null, ingested: null, fanOut: null, topology: null },
    });
  });

  it('reads a promise that it does not know as the one that never repeats', async () => {
    const writer = await foreignSchema(
      changed('lull.v1.SendCommand', (fields) =>
        fields.map((field) =>
          field.name === 'promise'
            ? { ...field, type: { ...(field.type as object), symbols: ['at_most_once', 'at_least_once', 'exactly_once'] } }
            : field,
        ),
      ),
    );
    const codec = await codecOf();
    const [command] = fc.sample(records['lull.v1.SendCommand'], 1);
    const value = writer.write({ ...command, promise: 'exactly_once' });
    await codec.prepare([value]);
    expect(codec.decode(value)).toEqual({ record: 'lull.v1.SendCommand', value: { ...command, promise: 'at_most_once' } });
  });

  it('says unexpected_schema for a record that is not one of ours, or no longer like ours', async () => {
    const other = await foreignSchema(
      JSON.stringify({ type: 'record', name: 'shop.Order', doc: randomUUID(), fields: [{ name: 'id', type: 'string' }] }),
    );
    const broken = await foreignSchema(changed('lull.v1.ProductEvent', (fields) => fields.slice(1)));
    const codec = await codecOf();
    const order = other.write({ id: '1' });
    const event = broken.write({ userId: 'u', type: 't', occurredAt: 1, properties: {} });
    await codec.prepare([order, event]);
    expect(() => codec.decode(order)).toThrow(
      expect.objectContaining({
        reason: 'unexpected_schema',
        message: `schema id ${other.id}: its schema is shop.Order, not one of Lull's`,
      }),
    );
    expect(() => codec.decode(event)).toThrow(
      expect.objectContaining({
        reason: 'unexpected_schema',
        message: expect.stringMatching(/cannot be read as ours: .*eventId/) as string,
      }),
    );
  });

  it('asks for each id once, also for batches prepared at once', async () => {
    const first = await foreignSchema(changed('lull.v1.Control', (fields) => fields));
    const second = await foreignSchema(changed('lull.v1.Control', (fields) => fields));
    await using front = await startFront();
    const codec = await codecOf(front.url);
    const tick = { tick: { maxTimers: 1, upTo: null, nonce: '' } };
    const batch = [first.write(tick), second.write(tick), null, first.write(tick), second.write(tick)];
    await Promise.all([codec.prepare(batch), codec.prepare(batch)]);
    await codec.prepare(batch);
    expect(front.requests.sort()).toEqual([`/schemas/ids/${first.id}`, `/schemas/ids/${second.id}`].sort());
    expect(batch.map((value) => value && codec.decode(value).record)).toEqual([
      'lull.v1.Control',
      'lull.v1.Control',
      null,
      'lull.v1.Control',
      'lull.v1.Control',
    ]);
  });

  it('remembers an unknown id for a while, and then asks again', async () => {
    let known = false;
    let nowMs = 1_000;
    const writer = await foreignSchema(changed('lull.v1.Control', (fields) => fields));
    await using front = await startFront({ rewritePath: (path) => (known ? path : '/schemas/ids/2000000000') });
    const registry = createRegistry({ url: front.url });
    const ids = await registerSchemas(createRegistry({ url: registryUrl() }));
    const codec = createCodec({ registry, ids, badIdMs: 500, nowMs: () => nowMs });
    const value = writer.write({ tick: null });
    const unknown = expect.objectContaining({
      reason: 'unknown_schema_id',
      message: `schema id ${writer.id} is not in the registry`,
    }) as Error;
    await codec.prepare([value]);
    expect(() => codec.decode(value)).toThrow(unknown);
    known = true;
    nowMs = 1_499;
    await codec.prepare([value, value]);
    expect(() => codec.decode(value)).toThrow(unknown);
    expect(front.requests).toHaveLength(1);
    nowMs = 1_500;
    await codec.prepare([value]);
    expect(codec.decode(value).record).toBe('lull.v1.Control');
    expect(front.requests).toHaveLength(2);
  });

  it('asks for many unknown ids a few at a time, and says of each that it is unknown', async () => {
    let now = 0;
    let most = 0;
    await using front = await startFront({
      intercept: (_, response) => {
        most = Math.max(most, ++now);
        response.once('close', () => (now -= 1));
        return false;
      },
    });
    const codec = await codecOf(front.url);
    const values = Array.from({ length: 100 }, (_, index) => {
      const value = Buffer.alloc(6);
      value.writeUInt32BE(1_900_000_000 + index, 1);
      return value;
    });
    await codec.prepare(values);
    for (const value of values)
      expect(() => codec.decode(value)).toThrow(expect.objectContaining({ reason: 'unknown_schema_id' }) as Error);
    expect(front.requests).toHaveLength(100);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('never calls a value poison because the registry is away', async () => {
    let away = true;
    const writer = await foreignSchema(changed('lull.v1.Control', (fields) => fields));
    await using front = await startFront({
      intercept: (request) => {
        if (away) request.destroy();
        return away;
      },
    });
    const codec = await codecOf(front.url);
    const value = writer.write({ tick: null });
    await expect(codec.prepare([value])).rejects.toBeInstanceOf(RegistryUnavailableError);
    expect(() => codec.decode(value)).toThrow(`schema id ${writer.id} was not prepared before decoding`);
    away = false;
    await codec.prepare([value]);
    expect(codec.decode(value).record).toBe('lull.v1.Control');
  });
});
