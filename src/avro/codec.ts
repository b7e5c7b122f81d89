import { PoisonError } from './errors.ts';
import { LongOverflowError } from './exact-long.ts';
import { FRAME_BYTES, writeFrame } from './frame.ts';
import { readerOf, TYPES, type Reader } from './readers.ts';
import type { DecodedValue, EncodableTypes, RecordName } from './records.ts';
import type { SchemaRegistry } from './registry.ts';
import { SchemaCache } from './schema-cache.ts';
import { FIRST_PRODUCT_EVENT, RECORD_NAMES, SCHEMAS } from './schemas.ts';

/** The ids under which our schemas are registered: what `encode` writes into frames. */
export type SchemaIds = Readonly<Record<RecordName, number>>;

/** Where there is no registry (backtest, bench, tests): 1 is a product event's first five fields, which decodes; we write all of its fields as 2. */
export const FIXED_SCHEMA_IDS: SchemaIds = {
  'lull.v1.ProductEvent': 2,
  'lull.v1.Control': 3,
  'lull.v1.SendCommand': 4,
  'lull.v1.Revocation': 5,
  'lull.v1.Decision': 6,
  'lull.v1.Outcome': 7,
  'lull.v1.ItemChange': 8,
  'lull.v1.ItemInterest': 9,
};
const FIXED_FIRST_PRODUCT_EVENT_ID = 1;

export interface CodecOptions {
  /** From `registerSchemas` or `checkSchemas`. Without a registry leave both out: fixed ids. */
  readonly ids?: SchemaIds;
  /** Asked for the schemas of ids that are not ours. */
  readonly registry?: SchemaRegistry;
  /** How long an id that the registry does not know, or that is no schema of ours, is poison without asking again. Default 60,000. */
  readonly badIdMs?: number;
  /** Of that memory. Default `Date.now`. */
  readonly nowMs?: () => number;
}

/** Framed Avro to records and back. Decoding is synchronous: `prepare` has asked for every schema of a batch before. */
export interface Codec {
  /**
   * Fetches the schemas of a batch that were not seen before, each once. Values that are not framed are left to `decode`.
   * @throws RegistryUnavailableError (try again), RegistryRefusedError
   */
  prepare(values: Iterable<Buffer | null>): Promise<void>;
  /** @throws PoisonError; Error when the value's schema was never prepared */
  decode(value: Buffer): DecodedValue;
  /** @throws Error that names record and field when the value is not what the schema says */
  encode<Name extends RecordName>(record: Name, value: EncodableTypes[Name]): Buffer;
}

export function createCodec(options: CodecOptions = {}): Codec {
  return new AvroCodec(options);
}

const SCRATCH_BYTES = 64 * 1024;

class AvroCodec implements Codec {
  readonly #ids: SchemaIds;
  readonly #readers: SchemaCache<Reader>;
  /** Records are encoded here and copied out: their size is only known then. Grows to the largest. */
  #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  constructor(options: CodecOptions) {
    const { registry, badIdMs, nowMs } = options;
    this.#readers = new SchemaCache({ registry, badIdMs, nowMs, compile: readerOf });
    this.#ids = options.ids ?? FIXED_SCHEMA_IDS;
    for (const name of RECORD_NAMES) this.#readers.set(this.#ids[name], readerOf(SCHEMAS[name]));
    if (options.ids === undefined) this.#readers.set(FIXED_FIRST_PRODUCT_EVENT_ID, readerOf(FIRST_PRODUCT_EVENT));
  }

  prepare(values: Iterable<Buffer | null>): Promise<void> {
    return this.#readers.prepare(values);
  }

  decode(value: Buffer): DecodedValue {
    const reader = this.#readers.of(value);
    let decoded: { readonly value: unknown; readonly offset: number };
    try {
      decoded = reader.read?.(value, FRAME_BYTES) ?? reader.type.decode(value, FRAME_BYTES, reader.resolver);
    } catch (error) {
      throw undecodable(reader.record, error);
    }
    if (decoded.offset < 0) throw new PoisonError('undecodable', `${reader.record}: the value ends early`);
    if (decoded.offset < value.length)
      throw new PoisonError('trailing_bytes', `${reader.record}: ${value.length - decoded.offset} bytes behind its end`);
    return { record: reader.record, value: decoded.value } as DecodedValue;
  }

  encode<Name extends RecordName>(record: Name, value: EncodableTypes[Name]): Buffer {
    const type = TYPES[record];
    let end: number;
    try {
      end = type.encode(value, this.#scratch, FRAME_BYTES);
      if (end < 0) {
        // Did not fit: `end` is how many bytes were missing, as a negative number.
        this.#scratch = Buffer.allocUnsafeSlow(this.#scratch.length - end + SCRATCH_BYTES);
        end = type.encode(value, this.#scratch, FRAME_BYTES);
      }
    } catch (error) {
      throw new Error(`${record} cannot be encoded: ${invalidFields(record, value) || messageOf(error)}`, { cause: error });
    }
    const framed = Buffer.allocUnsafe(end);
    this.#scratch.copy(framed, FRAME_BYTES, FRAME_BYTES, end);
    writeFrame(framed, this.#ids[record]);
    return framed;
  }
}

function undecodable(record: RecordName, error: unknown): PoisonError {
  const reason = error instanceof LongOverflowError ? 'long_over_2_53' : 'undecodable';
  return new PoisonError(reason, `${record}: ${messageOf(error)}`, { cause: error });
}

/** Paths and not values: a value may be personal data. */
function invalidFields(record: RecordName, value: unknown): string {
  const paths: string[] = [];
  TYPES[record].isValid(value, { errorHook: (path, _value, type) => paths.push(`${path.join('.')} is not ${type.typeName}`) });
  return paths.join(', ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
