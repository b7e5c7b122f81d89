import type { Type } from 'avsc';
import { PoisonError } from './errors.ts';
import { ProductEventReader } from './product-event.ts';
import type { RecordName } from './records.ts';
import { FIRST_PRODUCT_EVENT, RECORD_NAMES, SCHEMAS } from './schemas.ts';
import { parseType } from './types.ts';

/** Reads what one writer's schema wrote as the record that we know. */
export interface Reader {
  readonly record: RecordName;
  readonly type: Type;
  /** Absent where the writer's schema is ours: then nothing is resolved. */
  readonly resolver: Resolver | undefined;
  /** A quicker way to the same value, where the writer's schema is one of a product event that Lull has published. `offset` as avsc's `decode` has it. */
  readonly read: ((bytes: Buffer, from: number) => { readonly value: unknown; readonly offset: number }) | undefined;
}

export type Resolver = ReturnType<Type['createResolver']>;

export const TYPES: Readonly<Record<RecordName, Type>> = Object.fromEntries(
  RECORD_NAMES.map((name) => [name, parseType(SCHEMAS[name])]),
) as Record<RecordName, Type>;

const FIRST = parseType(FIRST_PRODUCT_EVENT);

/** @throws PoisonError `unexpected_schema` where it is none of our records, or cannot be read as ours */
export function readerOf(writerSchema: string, referenced: readonly string[] = []): Reader {
  if (referenced.length > 0)
    throw new PoisonError(
      'unexpected_schema',
      "its schema refers to other subjects, which those of Lull's records never do: use the published one",
    );
  let writer: Type;
  try {
    writer = parseType(writerSchema);
  } catch (error) {
    throw new PoisonError('unexpected_schema', `its schema cannot be parsed: ${messageOf(error)}`, { cause: error });
  }
  const record = RECORD_NAMES.find((name) => name === writer.name);
  if (record === undefined)
    throw new PoisonError('unexpected_schema', `its schema is ${writer.name ?? writer.typeName}, not one of Lull's`);
  const type = TYPES[record];
  const read = record === 'lull.v1.ProductEvent' ? quickReaderOf(writer) : undefined;
  // Equal by the canonical form: names, order and types of fields, which is all that is on the wire.
  if (type.equals(writer)) return { record, type, resolver: undefined, read };
  try {
    return { record, type, resolver: type.createResolver(writer), read };
  } catch (error) {
    throw new PoisonError('unexpected_schema', `its schema of ${record} cannot be read as ours: ${messageOf(error)}`, { cause: error });
  }
}

function quickReaderOf(writer: Type): Reader['read'] {
  const fields = TYPES['lull.v1.ProductEvent'].equals(writer) ? 'all' : FIRST.equals(writer) ? 'first' : undefined;
  if (fields === undefined) return undefined;
  const reader = new ProductEventReader();
  return (bytes, from) => reader.read(bytes, from, fields);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
