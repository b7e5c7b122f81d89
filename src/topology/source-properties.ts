import type { Scalar } from '../core/event.ts';
import { RESERVED_EVENTS } from '../core/reserved.ts';
import type { Catalogue, Properties, Property, ValueType } from './catalogue.ts';
import { TIMESTAMP } from './views.ts';

/** What a source may write: the catalogue's events, and the reserved ones of the product and its devices; `$profile` takes any property where none is declared. */
export interface SourceEventType {
  readonly type: string;
  readonly properties: Properties;
  /** Properties that are not in `properties` are taken too, of whatever type; and null is a value: it deletes an attribute. */
  readonly isProfile: boolean;
  /** The property that names the item; null where it is no item's change. */
  readonly item: string | null;
}

export function sourceEventTypes(catalogue: Catalogue, profile: Properties | null): ReadonlyMap<string, SourceEventType> {
  const types = new Map<string, SourceEventType>();
  for (const { type, properties, item = null } of catalogue.values()) types.set(type, { type, properties, isProfile: false, item });
  for (const { type, writer, properties } of RESERVED_EVENTS) {
    // What Lull's own senders write is no foreign topic's to say.
    if (writer === 'sender') continue;
    const isProfile = type === '$profile';
    const declared = Object.entries(properties).map(([name, { type: of, required }]): [string, Property] => [
      name,
      { type: of, optional: !required },
    ]);
    types.set(type, { type, isProfile, item: null, properties: isProfile ? (profile ?? new Map<string, Property>()) : new Map(declared) });
  }
  return types;
}

/** What the source of an item may write: its changes, of which the item's id is known already. */
export function itemEventTypes(types: ReadonlyMap<string, SourceEventType>): ReadonlyMap<string, SourceEventType> {
  const changes = [...types.values()].flatMap((type): [string, SourceEventType][] => {
    const property = type.item === null ? undefined : type.properties.get(type.item);
    if (type.item === null || property === undefined) return [];
    return [[type.type, { ...type, properties: new Map([...type.properties, [type.item, { ...property, optional: true }]]) }]];
  });
  return new Map(changes);
}

/** CEL's types that can become a property. */
const CEL_TYPES: Readonly<Record<ValueType, readonly string[]>> = {
  string: ['string'],
  // A time is its milliseconds.
  long: ['int', TIMESTAMP],
  time: [TIMESTAMP, 'int'],
  double: ['double', 'int'],
  boolean: ['bool'],
};

/** `undefined`: any. A null is looked at when it comes. */
export function celTypesFor(property: Property | undefined): readonly string[] {
  return property === undefined ? [...new Set(Object.values(CEL_TYPES).flat()), 'null'] : [...CEL_TYPES[property.type], 'null'];
}

/** Why a record's event is not what events.yaml says; no value is in it. */
export interface PropertyFault {
  readonly reason: 'property_missing' | 'property_type' | 'long_over_2_53';
  readonly detail: string;
}

/** What CEL gave, as the catalogue has it. `wanted` undefined: whatever it is. */
export function toScalar(name: string, value: unknown, wanted: Property | undefined): Scalar | PropertyFault {
  if (value === null || value === undefined) {
    if (wanted === undefined || wanted.optional) return null;
    return { reason: 'property_missing', detail: `property ${name} has no value, and is not declared as ${wanted.type}?` };
  }
  const plain = value instanceof Date ? BigInt(value.getTime()) : value;
  if (typeof plain === 'bigint' && wanted?.type !== 'double' && !Number.isSafeInteger(Number(plain)))
    return { reason: 'long_over_2_53', detail: `property ${name} is a long over 2^53` };
  switch (wanted?.type) {
    case undefined:
      if (typeof plain === 'bigint') return Number(plain);
      if (typeof plain === 'string' || typeof plain === 'boolean' || typeof plain === 'number') return plain;
      break;
    case 'string':
      if (typeof plain === 'string') return plain;
      break;
    case 'boolean':
      if (typeof plain === 'boolean') return plain;
      break;
    case 'long':
    case 'time':
      if (typeof plain === 'bigint') return Number(plain);
      break;
    case 'double':
      if (typeof plain === 'number') return plain;
      if (typeof plain === 'bigint' && !(value instanceof Date)) return Number(plain);
  }
  return { reason: 'property_type', detail: `property ${name} is a ${kindOf(value)}, expected ${wanted?.type ?? 'a single value'}` };
}

export function isFault(value: Scalar | PropertyFault): value is PropertyFault {
  return typeof value === 'object' && value !== null;
}

function kindOf(value: unknown): string {
  if (typeof value === 'bigint') return 'long';
  if (typeof value === 'number') return 'double';
  if (typeof value === 'boolean' || typeof value === 'string') return typeof value;
  if (value instanceof Date) return 'time';
  if (value instanceof Map) return 'record or map';
  if (value instanceof Uint8Array) return 'bytes';
  return Array.isArray(value) ? 'list' : 'value of another type';
}
