import avsc, { type Type } from 'avsc';
import { exactLong } from './exact-long.ts';
import { override, type InnerResolver, type InnerType, type Tap } from './override.ts';
import { SharedText } from './shared-text.ts';

/**
 * Avro types as avsc compiles them, with four things done differently by a type hook:
 * - a union of scalars that has more than one number (long and double) reads and writes plain values, where avsc wraps them;
 * - longs are exact or refused (`exact-long.ts`);
 * - block counts of arrays and maps are checked against the bytes that are left: avsc loops over a forged count of 2^53 for years, and a
 *   record of ten random bytes would stop a partition;
 * - a map's key `__proto__` is refused: assigned to an object it would be lost, or change the object's prototype.
 */
export function parseType(schema: string): Type {
  return avsc.Type.forSchema(JSON.parse(schema) as Schema, { typeHook, omitRecordMethods: true });
}

type Schema = Parameters<typeof avsc.Type.forSchema>[0];
type HookOptions = Parameters<NonNullable<NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>['typeHook']>>[1];

function typeHook(schema: Schema, options: HookOptions): Type | undefined {
  if (Array.isArray(schema)) return isScalarUnion(schema) ? scalarUnion(schema) : undefined;
  if (schema === 'long') return exactLong;
  if (typeof schema !== 'object' || !('type' in schema)) return undefined;
  if (schema.type === 'long') return exactLong;
  // What is inside goes through the hook first; the type itself is then made without it, or the hook would meet itself again.
  if (schema.type === 'map' && 'values' in schema)
    return boundedMap(avsc.Type.forSchema({ type: 'map', values: avsc.Type.forSchema(schema.values, options) }));
  if (schema.type === 'array' && 'items' in schema)
    return boundedArray(avsc.Type.forSchema({ type: 'array', items: avsc.Type.forSchema(schema.items, options) }));
  return undefined;
}

const NUMBERS = new Set(['int', 'long', 'float', 'double']);
const SCALARS = new Set(['null', 'boolean', 'string', ...NUMBERS]);

/** Only scalars, more than one of them a number. Judged by the text: making a type registers its name, which must happen once. */
function isScalarUnion(branches: readonly Schema[]): boolean {
  const names = branches.map((branch) => (typeof branch === 'object' && 'type' in branch ? branch.type : branch));
  return (
    names.every((name) => typeof name === 'string' && SCALARS.has(name)) &&
    names.filter((name) => typeof name === 'string' && NUMBERS.has(name)).length > 1
  );
}

function scalarUnion(branches: readonly Schema[]): Type {
  const made = branches.map((branch) => avsc.Type.forSchema(branch, { typeHook }));
  const types = made as unknown as readonly InnerType[];
  const indexOf = (...names: readonly string[]): number | undefined => {
    for (const name of names) {
      const index = types.findIndex((type) => type.typeName === name);
      if (index >= 0) return index;
    }
    return undefined;
  };
  const nullIndex = indexOf('null');
  const booleanIndex = indexOf('boolean');
  const stringIndex = indexOf('string');
  const longIndex = indexOf('long');
  const realIndex = indexOf('double', 'float');

  /** Safe integers are longs; all other numbers, -0 too, are doubles. */
  function branchOf(value: unknown): number | undefined {
    switch (typeof value) {
      case 'string':
        return stringIndex;
      case 'boolean':
        return booleanIndex;
      case 'number': {
        const integer = Number.isSafeInteger(value) && !Object.is(value, -0);
        return integer && longIndex !== undefined ? longIndex : realIndex;
      }
      default:
        return value === null ? nullIndex : undefined;
    }
  }

  return override(avsc.Type.forSchema(made as unknown as Schema, { wrapUnions: 'always' }), {
    _read(tap: Tap): unknown {
      const type = types[tap.readLong()];
      if (type === undefined) throw new Error('invalid union index');
      return type._read(tap);
    },
    _skip(tap: Tap): void {
      const type = types[tap.readLong()];
      if (type === undefined) throw new Error('invalid union index');
      type._skip(tap);
    },
    _write(tap: Tap, value: unknown): void {
      const index = branchOf(value);
      const type = index === undefined ? undefined : types[index];
      if (index === undefined || type === undefined) throw new Error(`invalid value for a union: ${typeof value}`);
      tap.writeLong(index);
      type._write(tap, value);
    },
    _check(this: unknown, value: unknown, _flags: number, hook?: (value: unknown, type: unknown) => void): boolean {
      const valid = branchOf(value) !== undefined;
      if (!valid) hook?.(value, this);
      return valid;
    },
    _copy(value: unknown): unknown {
      return value;
    },
    /** A writer's branch is read by the branch of the same name, else by the first that takes it (int as long, float as double). */
    _update(resolver: InnerResolver, writer: InnerType, resolverOptions: unknown): void {
      const same = types.filter((type) => type.typeName === writer.typeName);
      for (const type of [...same, ...types]) {
        try {
          const branch = type.createResolver(writer, resolverOptions);
          resolver._read = (tap) => branch._read(tap);
          return;
        } catch {
          // Not by this branch. With none of them, the resolver stays empty and avsc says which type cannot be read.
        }
      }
    },
  });
}

function boundedMap(type: Type): Type {
  return override(type, {
    // `this` is the type or its resolver: both have `valuesType`.
    _read(this: { readonly valuesType: InnerType }, tap: Tap): unknown {
      const values = this.valuesType;
      const map: Record<string, unknown> = {};
      for (let count = blockCount(tap); count !== 0; count = blockCount(tap)) {
        for (; count > 0; count -= 1) {
          const key = readKey(tap);
          if (key === '__proto__') throw new Error('a map must not have the key "__proto__"');
          map[key] = values._read(tap);
        }
      }
      return map;
    },
    _skip(this: { readonly valuesType: InnerType }, tap: Tap): void {
      for (let count = blockCount(tap); count !== 0; count = blockCount(tap)) {
        for (; count > 0; count -= 1) {
          tap.skipString();
          this.valuesType._skip(tap);
        }
      }
    },
  });
}

function boundedArray(type: Type): Type {
  return override(type, {
    _read(this: { readonly itemsType: InnerType }, tap: Tap): unknown {
      const items = this.itemsType;
      const array: unknown[] = [];
      for (let count = blockCount(tap); count !== 0; count = blockCount(tap)) {
        for (; count > 0; count -= 1) array.push(items._read(tap));
      }
      return array;
    },
    _skip(this: { readonly itemsType: InnerType }, tap: Tap): void {
      for (let count = blockCount(tap); count !== 0; count = blockCount(tap)) {
        for (; count > 0; count -= 1) this.itemsType._skip(tap);
      }
    },
  });
}

const KEYS = new SharedText();

function readKey(tap: Tap): string {
  const length = tap.readLong();
  const from = tap.pos;
  if (!(length >= 0 && length <= tap.buf.length - from)) throw new Error('truncated buffer');
  tap.pos = from + length;
  return KEYS.read(tap.buf, from, length);
}

/** Entries of the next block, 0 behind the last one. A negative count is followed by the block's size in bytes, which is not needed here. */
function blockCount(tap: Tap): number {
  let count = tap.readLong();
  if (count < 0) {
    count = -count;
    tap.readLong();
  }
  // Every entry takes a byte at least. (Items of no bytes are possible in Avro, and in none of our schemas.)
  if (!(count <= tap.buf.length - tap.pos)) throw new Error('truncated buffer');
  return count;
}
