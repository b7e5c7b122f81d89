import type { SchemaIds } from './codec.ts';
import { SchemaNotRegisteredError } from './errors.ts';
import type { RecordName } from './records.ts';
import type { SchemaRegistry } from './registry.ts';
import { RECORD_NAMES, SCHEMAS } from './schemas.ts';

/**
 * Registers our schemas, each under the subject of its record's name, which is set to FULL_TRANSITIVE first: the registry itself then
 * refuses what would break a reader or writer, whoever comes with it. Does nothing where all is as it should be.
 * @throws IncompatibleSchemaError | RegistryUnavailableError | RegistryRefusedError
 */
export async function registerSchemas(
  registry: SchemaRegistry,
  schemas: Readonly<Record<RecordName, string>> = SCHEMAS,
): Promise<SchemaIds> {
  return forEachRecord(async (record) => {
    await registry.setCompatibility(record, 'FULL_TRANSITIVE');
    return registry.register(record, schemas[record]);
  });
}

/**
 * The ids of our schemas, without changing anything.
 * @throws SchemaNotRegisteredError naming those that are missing
 */
export async function checkSchemas(registry: SchemaRegistry): Promise<SchemaIds> {
  const missing: string[] = [];
  const ids = await forEachRecord(async (record) => {
    const id = await registry.lookup(record, SCHEMAS[record]);
    if (id === undefined) missing.push(record);
    return id ?? -1;
  });
  if (missing.length > 0)
    throw new SchemaNotRegisteredError(
      `schema registry ${registry.url} does not have this version of ${missing.join(', ')}: run \`lull topics create\``,
    );
  return ids;
}

async function forEachRecord(idOf: (record: RecordName) => Promise<number>): Promise<SchemaIds> {
  const ids: Partial<Record<RecordName, number>> = {};
  // One after the other: a refusal then names the first schema that is in the way, and nothing is under way behind it.
  for (const record of RECORD_NAMES) ids[record] = await idOf(record);
  return ids as SchemaIds;
}
