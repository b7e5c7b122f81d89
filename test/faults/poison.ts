import { Buffer } from 'node:buffer';
import type { Codec } from '../../src/avro/codec.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import { SCHEMAS } from '../../src/avro/schemas.ts';
import { parseType } from '../../src/avro/types.ts';
import type { Scalar } from '../../src/core/event.ts';
import type { Random } from '../../src/dev/shop/random.ts';
import type { Deployment } from './deployment.ts';

/** A record of the timeline that somebody got wrong, and what must become of it. */
export interface Poison {
  readonly what: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The dead letter's reason; null where it is odd and yet taken; undefined where nobody can say beforehand. */
  readonly reason: string | null | undefined;
}

const FRAME_BYTES = 5;
const MAX_EVENT_BYTES = 256 * 1024;
/** The varint of the largest safe integer, and one of as many bytes that is far beyond it. */
const LARGEST_LONG = Buffer.from('feffffffffffff1f', 'hex');
const BEYOND_LONG = Buffer.from('ffffffffffffff7f', 'hex');

/** Ids in the registry. */
interface ForeignSchemas {
  readonly other: number;
  readonly incompatible: number;
  readonly newer: number;
}

/** Every way that a record of the timeline can be wrong in. Its users are its own: nobody else is in what it makes. */
export class Poisoner {
  readonly #deployment: Deployment;
  readonly #random: Random;
  readonly #foreign: ForeignSchemas;
  #records = 0;

  private constructor(deployment: Deployment, random: Random, foreign: ForeignSchemas) {
    this.#deployment = deployment;
    this.#random = random;
    this.#foreign = foreign;
  }

  /** Registers the schemas that it writes with: a stranger's, one that contradicts ours, and a later one of ours. */
  static async create(deployment: Deployment, random: Random): Promise<Poisoner> {
    const registry = createRegistry({ url: deployment.registryUrl });
    const register = (name: string, schema: string): Promise<number> => registry.register(`${deployment.prefix}-${name}`, schema);
    return new Poisoner(deployment, random, {
      other: await register('other', OTHER),
      incompatible: await register('incompatible', INCOMPATIBLE),
      newer: await register('newer', NEWER),
    });
  }

  /** One of each kind, in an order of the seed's. */
  oneOfEach(): Poison[] {
    const all = [...this.#unreadable(), ...this.#refused(), ...this.#taken()];
    return this.#random.sample(all, all.length);
  }

  /**
   * Users whose rows grow over the cap, each a list in its order: the record that makes a row so is refused, and no other, whether or not the row stays so large
   * until its batch ends.
   */
  overTheCap(): Poison[][] {
    const large = 'x'.repeat(140_000);
    const lists: readonly (readonly (readonly [reason: string | null, properties: Readonly<Record<string, Scalar>>])[])[] = [
      [
        [null, { a: large }],
        ['row_too_large', { b: large }],
        ['row_too_large', { b: large, d: 1 }],
        [null, { d: 1 }],
      ],
      [
        [null, { a: large }],
        ['row_too_large', { b: large }],
        [null, { a: null }],
        [null, { b: large }],
      ],
    ];
    return lists.map((list) => {
      const user = this.#user();
      return list.map(([reason, properties]) => ({
        what: `a profile of ${user}`,
        ...{ key: Buffer.from(user), value: this.#event(user, '$profile', properties), reason },
      }));
    });
  }

  /** Bytes that began as an event: some flipped, cut, doubled, or put in. */
  fuzzed(): Poison {
    const random = this.#random;
    const user = this.#user();
    const value = this.#event(user, random.pick(['product_viewed', '$profile', '$consent']), { sku: 'sku-1', price: 1.5, at: 12_345 });
    const times = random.int(1, 4);
    let bytes = value;
    for (let i = 0; i < times; i++) bytes = this.#mutated(bytes);
    return { what: 'fuzz', key: Buffer.from(user), value: bytes, reason: undefined };
  }

  #mutated(bytes: Buffer): Buffer {
    const random = this.#random;
    // Mostly behind the frame: what has no frame is soon told.
    const at = (): number => Math.min(random.int(random.chance(0.1) ? 0 : FRAME_BYTES, bytes.length), bytes.length);
    const [from, to] = [at(), at()].sort((a, b) => a - b) as [number, number];
    const noise = Buffer.from(Array.from({ length: random.int(1, 12) }, () => random.int(0, 255)));
    return random.pick<() => Buffer>([
      () => {
        const copy = Buffer.from(bytes);
        if (from < copy.length) copy[from]! ^= 1 << random.int(0, 7);
        return copy;
      },
      () => bytes.subarray(0, from),
      () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]),
      () => Buffer.concat([bytes.subarray(0, from), noise, bytes.subarray(from)]),
      () => Buffer.concat([bytes.subarray(0, from), noise, bytes.subarray(to)]),
      () => Buffer.concat([bytes.subarray(0, FRAME_BYTES), noise]),
    ])();
  }

  #unreadable(): Poison[] {
    const random = this.#random;
    const user = this.#user();
    const good = this.#event(user);
    const framed = (id: number, body: Buffer): Buffer => {
      const frame = Buffer.alloc(FRAME_BYTES);
      frame.writeUInt32BE(id, 1);
      return Buffer.concat([frame, body]);
    };
    const body = good.subarray(FRAME_BYTES);
    const long = this.#event(user, 'product_viewed', { n: Number.MAX_SAFE_INTEGER });
    const at = long.indexOf(LARGEST_LONG);
    const cases: readonly (readonly [what: string, reason: string, value: Buffer | null])[] = [
      ['nothing', 'null_value', null],
      ['no bytes', 'not_avro_frame', Buffer.alloc(0)],
      ['JSON', 'not_avro_frame', Buffer.from('{"userId":"ann"}')],
      ['four zero bytes', 'not_avro_frame', Buffer.alloc(4)],
      ['Avro without a frame', 'not_avro_frame', Buffer.concat([Buffer.of(1), body])],
      ['an id that nobody has', 'unknown_schema_id', framed(random.int(0x7000_0000, 0x7fff_ffff), body)],
      ["a stranger's schema", 'unexpected_schema', framed(this.#foreign.other, OTHER_TYPE.toBuffer({ text: 'hello' }))],
      ['our name, other types', 'unexpected_schema', framed(this.#foreign.incompatible, INCOMPATIBLE_TYPE.toBuffer({ eventId: 1 }))],
      ["Lull's own, of another topic", 'unexpected_schema', this.#revocation(user)],
      ['a frame and nothing more', 'undecodable', good.subarray(0, FRAME_BYTES)],
      ['cut short', 'undecodable', good.subarray(0, random.int(FRAME_BYTES + 1, good.length - 1))],
      ['bytes behind its end', 'trailing_bytes', Buffer.concat([good, Buffer.alloc(random.int(1, 9), 7)])],
      ['a long over 2^53', 'long_over_2_53', Buffer.concat([long.subarray(0, at), BEYOND_LONG, long.subarray(at + BEYOND_LONG.length)])],
    ];
    return cases.map(([what, reason, value]) => ({ what, reason, key: Buffer.from(user), value }));
  }

  #refused(): Poison[] {
    const user = this.#user();
    const key = Buffer.from(user);
    const long = 'u'.repeat(300);
    const attributes = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`attribute-${i}`, i]));
    const cases: readonly (readonly [what: string, reason: string, key: Buffer | null, value: Buffer])[] = [
      ['no key', 'null_key', null, this.#event(user)],
      ["another's key", 'key_mismatch', Buffer.from(`${user}-not`), this.#event(user)],
      ['a key that is not UTF-8', 'key_mismatch', Buffer.from([0xfe]), this.#event('\ufffd')],
      ['an empty userId', 'user_id_length', Buffer.alloc(0), this.#event('')],
      ['a userId of 300 bytes', 'user_id_length', Buffer.from(long), this.#event(long)],
      ['over maxEventBytes', 'too_large', key, this.#event(user, 'product_viewed', { name: 'x'.repeat(MAX_EVENT_BYTES) })],
      ['a forged tick', 'reserved_event', key, this.#event(user, '$tick')],
      ['a reserved event that is none', 'reserved_event', key, this.#event(user, '$sesame')],
      ['a device without an id', 'reserved_event', key, this.#event(user, '$device_added', { kind: 'fcm' })],
      ['more attributes than a profile takes', 'reserved_event', key, this.#event(user, '$profile', attributes)],
      ['a control record of no kind', 'unknown_control', key, this.#codec.encode('lull.v1.Control', {})],
    ];
    return cases.map(([what, reason, itsKey, value]) => ({ what, reason, key: itsKey, value }));
  }

  /** What looks wrong and is not: refusing it would lose events. */
  #taken(): Poison[] {
    const user = this.#user();
    const newer = NEWER_TYPE.toBuffer({
      ...{
        eventId: `newer/${++this.#records}`,
        userId: user,
        type: 'product_viewed',
        occurredAt: Date.now(),
        later: 'a field of next year',
        properties: {},
        sentAt: null,
        imported: false,
      },
    });
    const frame = Buffer.alloc(FRAME_BYTES);
    frame.writeUInt32BE(this.#foreign.newer, 1);
    return [
      { what: 'a later schema of ours', key: Buffer.from(user), value: Buffer.concat([frame, newer]), reason: null },
      { what: 'a type that no topology has', key: Buffer.from(user), value: this.#event(user, 'unheard_of'), reason: null },
    ];
  }

  get #codec(): Codec {
    return this.#deployment.codec;
  }

  #event(userId: string, type = 'product_viewed', properties: Readonly<Record<string, Scalar>> = { sku: 'sku-1' }): Buffer {
    return this.#deployment.encode({ userId, type, eventId: `poison/${++this.#records}`, properties });
  }

  #revocation(userId: string): Buffer {
    return this.#codec.encode('lull.v1.Revocation', { commandId: 'x', userId, channel: 'fcm', reason: 'goal', atMs: 0 });
  }

  #user(): string {
    return `poisoner-${++this.#records}`;
  }
}

interface RecordSchema {
  readonly fields: readonly { readonly name: string }[];
}

const EVENT = JSON.parse(SCHEMAS['lull.v1.ProductEvent']) as RecordSchema;
const OTHER = JSON.stringify({ type: 'record', name: 'strange.Thing', fields: [{ name: 'text', type: 'string' }] });
const INCOMPATIBLE = JSON.stringify({ ...EVENT, fields: [{ name: 'eventId', type: 'long' }] });
const NEWER = JSON.stringify({
  ...EVENT,
  fields: [...EVENT.fields.slice(0, 4), { name: 'later', type: 'string', default: '' }, ...EVENT.fields.slice(4)],
});
const OTHER_TYPE = parseType(OTHER);
const INCOMPATIBLE_TYPE = parseType(INCOMPATIBLE);
const NEWER_TYPE = parseType(NEWER);
