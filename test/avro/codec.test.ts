import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCodec, FIXED_SCHEMA_IDS, type Codec } from '../../src/avro/codec.ts';
import { PoisonError } from '../../src/avro/errors.ts';
import type { EncodableTypes, RecordName } from '../../src/avro/records.ts';
import { readerOf, TYPES } from '../../src/avro/readers.ts';
import { FIRST_PRODUCT_EVENT, RECORD_NAMES, SCHEMAS } from '../../src/avro/schemas.ts';
import { records } from './arbitraries.ts';

const EVENT = { eventId: 'e1', userId: 'ada', type: 'cart_item_added', occurredAt: 1_748_851_200_123, properties: {} };

function framed(id: number, payload: Buffer | string): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, typeof payload === 'string' ? Buffer.from(payload.replaceAll(' ', ''), 'hex') : payload]);
}

function poison(codec: Codec, value: Buffer): PoisonError {
  try {
    codec.decode(value);
  } catch (error) {
    if (error instanceof PoisonError) return error;
    throw error;
  }
  throw new Error('it was decoded');
}

/** avsc as it comes, as an independent reader and writer. Ambiguous unions are wrapped: `{ long: 1 }`. */
function plainType(schema: string): avsc.Type {
  return avsc.Type.forSchema(JSON.parse(schema) as Parameters<typeof avsc.Type.forSchema>[0]);
}

/** avsc alone is wrong about longs from 2^52 on. */
function hasLargeNumber(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) >= 2 ** 52;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasLargeNumber);
}

describe('codec', () => {
  for (const name of RECORD_NAMES) {
    it(`reads every ${name} as it was written`, () => {
      const codec = createCodec();
      fc.assert(
        fc.property(records[name] as fc.Arbitrary<EncodableTypes[RecordName]>, (value) => {
          expect(codec.decode(codec.encode(name, value))).toEqual({ record: name, value });
        }),
      );
    });

    it(`writes what avsc alone reads, and reads what it writes, for ${name}`, () => {
      const codec = createCodec();
      const type = plainType(SCHEMAS[name]);
      fc.assert(
        fc.property(records[name] as fc.Arbitrary<EncodableTypes[RecordName]>, (value) => {
          fc.pre(!hasLargeNumber(value));
          const read = type.fromBuffer(codec.encode(name, value).subarray(5)) as unknown;
          expect(codec.decode(framed(FIXED_SCHEMA_IDS[name], type.toBuffer(read)))).toEqual({ record: name, value });
        }),
      );
    });
  }

  it('has the bytes that the schema says', () => {
    const codec = createCodec();
    const value = codec.encode('lull.v1.ProductEvent', {
      ...{ eventId: 'e', userId: 'u', type: 't', occurredAt: 1 },
      properties: { a: null, b: true, c: 3, d: 0.5, e: 'x' },
    });
    expect(value.toString('hex')).toBe(
      [
        '0000000002',
        '0265 0275 0274 02',
        '0a',
        '0261 00',
        '0262 02 01',
        '0263 04 06',
        '0264 06 000000000000e03f',
        '0265 08 0278',
        '00',
        '00 00',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('writes integers as longs and all other numbers as doubles', () => {
    const codec = createCodec();
    const branch = (value: number): string => {
      const bytes = codec.encode('lull.v1.ProductEvent', { ...EVENT, properties: { value } });
      // Behind the key "value": the union's branch, as a zigzag number.
      return { 4: 'long', 6: 'double' }[bytes[bytes.indexOf('value') + 5] ?? -1] ?? 'another';
    };
    for (const value of [0, -1, 42, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1]) expect([value, branch(value)]).toEqual([value, 'long']);
    for (const value of [-0, 0.5, 2 ** 53, -(2 ** 53), 1e21, NaN, Infinity]) expect([value, branch(value)]).toEqual([value, 'double']);
  });

  it('has longs from 2^52 to 2^53 exact, as Java writes them', () => {
    const codec = createCodec();
    const event = '0265 0275 0274';
    for (const [occurredAt, bytes] of [
      [2 ** 52 - 1, 'feffffffffffff0f'],
      [2 ** 52, '8080808080808010'],
      [2 ** 52 + 1, '8280808080808010'],
      [-(2 ** 52) - 1, '8180808080808010'],
      [2 ** 53 - 1, 'feffffffffffff1f'],
      [-(2 ** 53) + 1, 'fdffffffffffff1f'],
    ] as const) {
      const value = framed(2, `${event} ${bytes} 00 00 00`);
      expect(codec.decode(value).value).toMatchObject({ occurredAt });
      expect(codec.encode('lull.v1.ProductEvent', { eventId: 'e', userId: 'u', type: 't', occurredAt, properties: {} })).toEqual(value);
    }
  });

  it('reads product events of a user and of the next alike, whatever their ids have in common', () => {
    const codec = createCodec();
    const ids = ['é', 'e', '', 'éé', '\ufffd'].map((userId) => ({ ...EVENT, userId }));
    for (const value of [...ids, ...ids.toReversed()])
      expect(codec.decode(codec.encode('lull.v1.ProductEvent', value)).value).toMatchObject(value);
    // A byte that is no UTF-8, of the same value as the character before it.
    codec.decode(codec.encode('lull.v1.ProductEvent', { ...EVENT, userId: 'é' }));
    const broken = codec.encode('lull.v1.ProductEvent', { ...EVENT, userId: 'x' });
    broken[broken.indexOf('x')] = 0xe9;
    expect(codec.decode(broken).value).toMatchObject({ userId: '\ufffd' });
  });

  it('reads a product event with one byte changed as avsc does, or not at all', () => {
    const codec = createCodec();
    const [quick, general] = [readerOf(SCHEMAS['lull.v1.ProductEvent']), TYPES['lull.v1.ProductEvent']];
    const changed = fc.tuple(records['lull.v1.ProductEvent'], fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(changed, ([value, at, byte]) => {
        const bytes = codec.encode('lull.v1.ProductEvent', value);
        bytes[5 + (at % (bytes.length - 5))] = byte;
        let read;
        try {
          read = quick.read?.(bytes, 5);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          return;
        }
        const expected = general.decode(bytes, 5);
        expect(read?.offset).toBe(expected.offset);
        if (expected.offset >= 0) expect(read?.value).toEqual(expected.value);
      }),
      { numRuns: 3_000 },
    );
  });

  it('fills what may be left out', () => {
    const codec = createCodec();
    expect(codec.decode(codec.encode('lull.v1.ProductEvent', EVENT)).value).toEqual({ ...EVENT, sentAt: null, imported: false });
    expect(codec.decode(codec.encode('lull.v1.Control', { tick: { maxTimers: 5 } })).value).toEqual({
      tick: { maxTimers: 5, upTo: null, nonce: '' },
      forward: null,
      ingested: null,
      fanOut: null,
      topology: null,
    });
  });

  it('takes schema id 1 for the five fields of a product event where there is no registry', () => {
    const codec = createCodec();
    const written = plainType(FIRST_PRODUCT_EVENT).toBuffer({ ...EVENT, properties: { price: { double: 2 }, qty: { long: 2 } } });
    expect(codec.decode(framed(1, written))).toEqual({
      record: 'lull.v1.ProductEvent',
      value: { ...EVENT, properties: { price: 2, qty: 2 }, sentAt: null, imported: false },
    });
  });

  it('encodes records of any size, and a small one behind a large one', () => {
    const codec = createCodec();
    const large = { ...EVENT, properties: { text: 'ä'.repeat(300_000) } };
    for (const value of [EVENT, large, EVENT])
      expect(codec.decode(codec.encode('lull.v1.ProductEvent', value)).value).toMatchObject({ properties: value.properties });
  });

  it('names the fields that cannot be encoded, and no values', () => {
    const codec = createCodec();
    const wrong = { ...EVENT, occurredAt: 1.5, userId: undefined, properties: { secret: { nested: 'value' } } };
    const encoding = (): Buffer => codec.encode('lull.v1.ProductEvent', wrong as unknown as EncodableTypes['lull.v1.ProductEvent']);
    expect(encoding).toThrow(
      'lull.v1.ProductEvent cannot be encoded: userId is not string, occurredAt is not long, properties.secret is not union:wrapped',
    );
    expect(codec.decode(codec.encode('lull.v1.ProductEvent', EVENT)).value).toMatchObject(EVENT);
  });
});

describe('codec on poison', () => {
  const codec = createCodec();
  const good = codec.encode('lull.v1.ProductEvent', { ...EVENT, properties: { qty: 1, name: 'x' } });

  it('says not_avro_frame for what has no frame', () => {
    for (const value of [Buffer.alloc(0), Buffer.from([0, 0, 0, 0]), Buffer.from('{"eventId":"e"}'), Buffer.from([1, 0, 0, 0, 1, 0])])
      expect(poison(codec, value).reason).toBe('not_avro_frame');
    expect(poison(codec, Buffer.from('{"a":1}')).message).toBe('7 bytes that do not begin with a zero byte and a schema id');
  });

  it('says unknown_schema_id for an id that is not fixed', async () => {
    for (const id of [0, 99, 0xffffffff]) {
      await codec.prepare([framed(id, '00')]);
      expect(poison(codec, framed(id, '00'))).toMatchObject({
        reason: 'unknown_schema_id',
        message: `schema id ${id} is not one of the fixed ids`,
      });
    }
  });

  it('says undecodable for a value cut anywhere, and trailing_bytes for a longer one', () => {
    for (let length = 5; length < good.length; length += 1) {
      const { reason } = poison(codec, good.subarray(0, length));
      expect([length, reason]).toEqual([length, 'undecodable']);
    }
    expect(poison(codec, Buffer.concat([good, Buffer.from([0, 0])]))).toMatchObject({
      reason: 'trailing_bytes',
      message: 'lull.v1.ProductEvent: 2 bytes behind its end',
    });
  });

  it('says long_over_2_53 for a long that JavaScript would round', () => {
    const event = '0265 0275 0274 02';
    // 2^53, -2^53 and 2^63 - 1 as zigzag varints.
    for (const long of ['8080808080808020', 'ffffffffffffff1f', 'feffffffffffffffff01'])
      expect(poison(codec, framed(1, `${event} 02 0261 04 ${long} 00`))).toMatchObject({
        reason: 'long_over_2_53',
        message: 'lull.v1.ProductEvent: a long over 2^53',
      });
  });

  it('says undecodable at once for a forged count, length or union branch', () => {
    const event = '0265 0275 0274 02';
    const max = 'feffffffffffffffff01';
    for (const properties of [
      max,
      `01${max}`,
      `02 ${max}`,
      '02 0161 04',
      '02 0261 63 00',
      '02 0261 01 00',
      `02 0261 08 ${max}`,
      'ffffffffffffffffffffffff7f',
    ])
      expect([properties, poison(codec, framed(1, `${event} ${properties}`)).reason]).toEqual([properties, 'undecodable']);
    expect(poison(codec, framed(1, max)).reason).toBe('undecodable');
  });

  it('says undecodable for a property that would not be one', () => {
    const written = plainType(FIRST_PRODUCT_EVENT).toBuffer({
      ...EVENT,
      properties: JSON.parse('{"__proto__":{"string":"x"}}') as unknown,
    });
    expect(poison(codec, framed(1, written))).toMatchObject({ reason: 'undecodable' });
  });

  it('answers any bytes behind any id with a record or with poison', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.uint8Array({ maxLength: 60 }), (id, bytes) => {
        try {
          codec.decode(framed(id, Buffer.from(bytes)));
        } catch (error) {
          expect(error).toBeInstanceOf(PoisonError);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('answers a value with one byte changed with a record or with poison', () => {
    fc.assert(
      fc.property(records['lull.v1.SendCommand'], fc.nat(), fc.integer({ min: 0, max: 255 }), (command, at, byte) => {
        const value = codec.encode('lull.v1.SendCommand', command);
        value[5 + (at % (value.length - 5))] = byte;
        try {
          codec.decode(value);
        } catch (error) {
          expect(error).toBeInstanceOf(PoisonError);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
