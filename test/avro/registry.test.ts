import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  IncompatibleSchemaError,
  RegistryRefusedError,
  RegistryUnavailableError,
  SchemaNotRegisteredError,
} from '../../src/avro/errors.ts';
import { checkSchemas, registerSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import { RECORD_NAMES, SCHEMAS } from '../../src/avro/schemas.ts';
import { registryUrl } from '../setup/env.ts';
import { startFront } from './front.ts';

interface RecordSchema {
  name: string;
  fields: { name: string; type: unknown; default?: unknown }[];
}

const subjects: string[] = [];

/** A subject of this test alone, deleted behind it. */
async function subjectWith(schema: string): Promise<string> {
  const subject = `test-${randomUUID()}`;
  subjects.push(subject);
  const registry = createRegistry({ url: registryUrl() });
  await registry.setCompatibility(subject, 'FULL_TRANSITIVE');
  await registry.register(subject, schema);
  return subject;
}

afterEach(async () => {
  for (const subject of subjects.splice(0)) await fetch(`${registryUrl()}/subjects/${subject}`, { method: 'DELETE' });
});

function changed(schema: string, change: (record: RecordSchema) => void): string {
  const record = JSON.parse(schema) as RecordSchema;
  change(record);
  return JSON.stringify(record);
}

function field(record: RecordSchema, name: string): RecordSchema['fields'][number] {
  const found = record.fields.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no field ${name}`);
  return found;
}

async function json(path: string): Promise<unknown> {
  return (await fetch(`${registryUrl()}${path}`)).json();
}

describe('registering schemas', () => {
  it('gives each record an id under the subject of its name, FULL_TRANSITIVE, and the same ids again', async () => {
    const registry = createRegistry({ url: registryUrl() });
    const ids = await registerSchemas(registry);
    expect(Object.keys(ids).sort()).toEqual([...RECORD_NAMES].sort());
    expect(new Set(Object.values(ids)).size).toBe(RECORD_NAMES.length);
    expect(await registerSchemas(registry)).toEqual(ids);
    expect(await checkSchemas(registry)).toEqual(ids);
    for (const name of RECORD_NAMES) {
      expect(await json(`/config/${name}`)).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' });
      expect(JSON.parse((await registry.schemaById(ids[name]))?.text ?? '')).toEqual(JSON.parse(SCHEMAS[name]));
    }
  });

  it('works for several processes that start at once on an empty registry', async () => {
    const prefix = `test-${randomUUID()}-`;
    await using front = await startFront({ rewritePath: (path) => path.replace(/\/(lull\.v1\.)/, `/${prefix}$1`) });
    subjects.push(...RECORD_NAMES.map((name) => prefix + name));
    const registry = createRegistry({ url: front.url });
    const [first, ...others] = await Promise.all(Array.from({ length: 4 }, () => registerSchemas(registry)));
    for (const ids of others) expect(ids).toEqual(first);
  });

  it('changes nothing where it only checks, and says what is missing and what to run', async () => {
    const prefix = `test-${randomUUID()}-`;
    await using front = await startFront({ rewritePath: (path) => path.replace(/\/(lull\.v1\.)/, `/${prefix}$1`) });
    const registry = createRegistry({ url: front.url });
    const checking = checkSchemas(registry);
    await expect(checking).rejects.toBeInstanceOf(SchemaNotRegisteredError);
    await expect(checking).rejects.toThrow(
      `schema registry ${front.url} does not have this version of ${RECORD_NAMES.join(', ')}: run \`lull topics create\``,
    );
    expect(await json(`/subjects/${prefix}lull.v1.Control/versions`)).toMatchObject({ error_code: 40401 });
  });

  const refused: [string, string, (record: RecordSchema) => void, RegExp][] = [
    ['a field without a default', 'Decision', (record) => record.fields.push({ name: 'score', type: 'double' }), /score/],
    ['a removed field', 'SendCommand', (record) => record.fields.shift(), /commandId/],
    ['another type', 'ProductEvent', (record) => (field(record, 'eventId').type = 'long'), /reader type: STRING.*writer type: LONG/],
    ['another name of a field', 'Outcome', (record) => (field(record, 'userId').name = 'user'), /user/],
    [
      'one more branch of a value',
      'ProductEvent',
      (record) =>
        (field(record, 'properties').type = {
          type: 'map',
          values: ['null', 'boolean', 'long', 'double', 'string', { type: 'array', items: 'string' }],
        }),
      /ARRAY/i,
    ],
    [
      'one branch of a value less',
      'ProductEvent',
      (record) => (field(record, 'properties').type = { type: 'map', values: ['null', 'long', 'double', 'string'] }),
      /BOOLEAN/i,
    ],
  ];
  it.each(refused)('is refused by the registry, in one line, for %s', async (_, name, change, difference) => {
    const schema = SCHEMAS[`lull.v1.${name}` as keyof typeof SCHEMAS];
    const subject = await subjectWith(schema);
    const registering = createRegistry({ url: registryUrl() }).register(subject, changed(schema, change));
    await expect(registering).rejects.toBeInstanceOf(IncompatibleSchemaError);
    await expect(registering).rejects.toThrow(difference);
    await expect(registering).rejects.toThrow(
      new RegExp(`^schema registry [^\n]*${subject}: the schema is not compatible with every registered version of it: [^\n]+$`),
    );
    expect(await json(`/subjects/${subject}/versions`)).toEqual([1]);
  });

  it('is refused for the real subjects too: registerSchemas has set their compatibility', async () => {
    const registry = createRegistry({ url: registryUrl() });
    await registerSchemas(registry);
    const before = await json('/subjects/lull.v1.Control/versions');
    const broken = changed(SCHEMAS['lull.v1.Control'], (record) => record.fields.push({ name: 'merge', type: 'string' }));
    await expect(registerSchemas(registry, { ...SCHEMAS, 'lull.v1.Control': broken })).rejects.toThrow(/lull\.v1\.Control: .*merge/);
    expect(await json('/subjects/lull.v1.Control/versions')).toEqual(before);
  });

  const allowed: [string, string, (record: RecordSchema) => void][] = [
    [
      'a new kind of control',
      'Control',
      (record) =>
        record.fields.push({
          name: 'pause',
          type: ['null', { type: 'record', name: 'Pause', fields: [{ name: 'reason', type: 'string' }] }],
          default: null,
        }),
    ],
    [
      'a new field of an event with a default',
      'ProductEvent',
      (record) => record.fields.push({ name: 'source', type: 'string', default: '' }),
    ],
    ['an event without the fields that have one', 'ProductEvent', (record) => record.fields.splice(5)],
    ['one more promise', 'SendCommand', (record) => (field(record, 'promise').type as { symbols: string[] }).symbols.push('exactly_once')],
  ];
  it.each(allowed)('is allowed for %s', async (_, name, change) => {
    const schema = SCHEMAS[`lull.v1.${name}` as keyof typeof SCHEMAS];
    const subject = await subjectWith(schema);
    await createRegistry({ url: registryUrl() }).register(subject, changed(schema, change));
    expect(await json(`/subjects/${subject}/versions`)).toEqual([1, 2]);
  });
});

describe('a registry in trouble', () => {
  it('is unavailable where nobody listens, with the address in the message', async () => {
    const url = await closedAddress();
    const asking = createRegistry({ url }).schemaById(1);
    await expect(asking).rejects.toBeInstanceOf(RegistryUnavailableError);
    await expect(asking).rejects.toThrow(`schema registry ${url} cannot be reached: connect ECONNREFUSED`);
  });

  it('is unavailable when it does not answer within the time-out', async () => {
    await using front = await startFront({ intercept: () => true });
    const asking = createRegistry({ url: front.url, timeoutMs: 100 }).schemaById(1);
    await expect(asking).rejects.toBeInstanceOf(RegistryUnavailableError);
    await expect(asking).rejects.toThrow(/cannot be reached: .*timeout/);
    expect(front.requests).toHaveLength(1);
  });

  it('is asked again after a 503, and unavailable when that lasts', async () => {
    let answers = 2;
    await using front = await startFront({
      intercept: (_, response) => {
        if (answers-- <= 0) return false;
        response.writeHead(503).end('starting');
        return true;
      },
    });
    const registry = createRegistry({ url: front.url });
    const ids = await registerSchemas(createRegistry({ url: registryUrl() }));
    expect(await registry.schemaById(ids['lull.v1.Control'])).toBeDefined();
    expect(front.requests).toHaveLength(3);
    answers = 100;
    const asking = registry.schemaById(1);
    await expect(asking).rejects.toBeInstanceOf(RegistryUnavailableError);
    await expect(asking).rejects.toThrow(`schema registry ${front.url} answered 503 to GET /schemas/ids/1`);
  });

  it('refuses a wrong path: that is no unknown schema', async () => {
    const url = `${registryUrl()}/no/such/path`;
    const asking = createRegistry({ url }).schemaById(1);
    await expect(asking).rejects.toBeInstanceOf(RegistryRefusedError);
    await expect(asking).rejects.toThrow(/answered 404 .* is this the address of its Confluent-compatible API\?/);
  });

  it('takes basic authentication from options or from the address, and names the credentials when they are wrong', async () => {
    const expected = `Basic ${Buffer.from('lull:s3cret/ö').toString('base64')}`;
    await using front = await startFront({
      intercept: (request, response) => {
        if (request.headers.authorization === expected) return false;
        response.writeHead(401).end('{}');
        return true;
      },
    });
    const byOption = createRegistry({ url: front.url, auth: { username: 'lull', password: 's3cret/ö' } });
    expect(await byOption.schemaById(2 ** 31 - 1)).toBeUndefined();
    const byAddress = createRegistry({ url: front.url.replace('//', `//lull:${encodeURIComponent('s3cret/ö')}@`) });
    expect(await byAddress.schemaById(2 ** 31 - 1)).toBeUndefined();
    expect(byAddress.url).toBe(front.url);
    const wrong = createRegistry({ url: front.url, auth: { username: 'lull', password: 'guess' } }).schemaById(1);
    await expect(wrong).rejects.toBeInstanceOf(RegistryRefusedError);
    await expect(wrong).rejects.toThrow(/answered 401 .*: check its user name and password/);
    await expect(wrong).rejects.not.toThrow(/guess/);
  });

  it('refuses an address that is none, without repeating a password', () => {
    expect(() => createRegistry({ url: 'http://lull:s3cret@:1' })).toThrow(RegistryRefusedError);
    expect(() => createRegistry({ url: 'http://lull:s3cret@:1' })).not.toThrow(/s3cret/);
    expect(() => createRegistry({ url: 'localhost:8081' })).toThrow(/is not an http or https address/);
  });

  it('does not know ids that no registry can have', async () => {
    await using front = await startFront();
    expect(await createRegistry({ url: front.url }).schemaById(2 ** 31)).toBeUndefined();
    expect(front.requests).toEqual([]);
  });
});

/** An address on which nobody listens: it was given by the system and closed again. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
