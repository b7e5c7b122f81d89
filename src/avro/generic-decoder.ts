import { FRAME_BYTES } from './frame.ts';
import { GenericReader, type GenericRecord } from './generic-reader.ts';
import type { SchemaRegistry } from './registry.ts';
import { SchemaCache } from './schema-cache.ts';

export type { GenericRecord };

/** Framed Avro of any schema that the registry has, those that refer to other subjects included. `prepare` and `decode` as a `Codec` has them. */
export interface GenericDecoder {
  prepare(values: Iterable<Buffer | null>): Promise<void>;
  /** @throws PoisonError */
  decode(value: Buffer): GenericRecord;
}

export function createGenericDecoder(options: { readonly registry: SchemaRegistry }): GenericDecoder {
  const schemas = new SchemaCache({ ...options, compile: (schema, referenced) => new GenericReader(schema, referenced) });
  return {
    prepare: (values) => schemas.prepare(values),
    decode: (value) => schemas.of(value).read(value, FRAME_BYTES),
  };
}
