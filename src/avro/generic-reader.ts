import { Cursor } from './cursor.ts';
import { PoisonError } from './errors.ts';

/**
 * What a value of any Avro schema becomes: records and maps a Map, arrays an array, enums their symbol, bytes and fixed a Uint8Array, unions the plain value of their
 * branch. int and long are bigint, exact over all of their 64 bits; float and double are number. Of the logical types, timestamps and dates are Date, decimals number.
 * (A Map and not an object, so that no name of a field means anything to JavaScript.)
 */
export type GenericValue =
  null | boolean | bigint | number | string | Date | Uint8Array | readonly GenericValue[] | ReadonlyMap<string, GenericValue>;

export interface GenericRecord {
  /** Full name of its record's schema: tells apart what shares a topic. null where the value is no record. */
  readonly schema: string | null;
  readonly value: GenericValue;
}

/** Reads what was written with one schema. */
export class GenericReader {
  readonly #read: Read;
  readonly #nameOf: (branch: number) => string | null;
  readonly #isUnion: boolean;
  readonly #branches: readonly Read[];
  readonly #cursor = new Cursor();

  /**
   * `referenced`: schemas whose types it uses by name, each behind those that it uses itself.
   * @throws PoisonError `unexpected_schema`
   */
  constructor(schema: string, referenced: readonly string[] = []) {
    try {
      const parsed = JSON.parse(schema) as unknown;
      const compiler = new Compiler();
      for (const text of referenced) compiler.compile(JSON.parse(text), '');
      this.#isUnion = Array.isArray(parsed);
      const parts: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed];
      this.#branches = parts.map((part) => compiler.compile(part, ''));
      const names = parts.map((part) => compiler.recordName(part));
      this.#nameOf = (branch) => names[branch] ?? null;
      this.#read = this.#branches[0] ?? missingBranch;
    } catch (error) {
      throw new PoisonError('unexpected_schema', `its schema cannot be used: ${messageOf(error)}`, { cause: error });
    }
  }

  /** The value behind `from`. @throws PoisonError `undecodable`, `trailing_bytes` */
  read(bytes: Buffer, from: number): GenericRecord {
    const cursor = this.#cursor;
    cursor.begin(bytes, from);
    let record: GenericRecord;
    try {
      const branch = this.#isUnion ? cursor.index() : 0;
      const read = this.#isUnion ? (this.#branches[branch] ?? missingBranch) : this.#read;
      record = { schema: this.#nameOf(branch), value: read(cursor) };
    } catch (error) {
      throw new PoisonError('undecodable', `its bytes are not what its schema says: ${messageOf(error)}`, { cause: error });
    }
    if (cursor.left > 0) throw new PoisonError('trailing_bytes', `${cursor.left} bytes behind its end`);
    return record;
  }
}

type Read = (cursor: Cursor) => GenericValue;

const PRIMITIVES: Readonly<Record<string, Read>> = {
  null: () => null,
  boolean: (cursor) => cursor.boolean(),
  int: (cursor) => cursor.long(),
  long: (cursor) => cursor.long(),
  float: (cursor) => cursor.float(),
  double: (cursor) => cursor.double(),
  bytes: (cursor) => cursor.bytes(),
  string: (cursor) => cursor.text(),
};

const DAY_MS = 86_400_000;

interface Named {
  readonly isRecord: boolean;
  /** Set once its fields are compiled, which may speak of it. */
  read: Read | undefined;
}

type Form = Readonly<Record<string, unknown>>;

/** One schema's types, by their full names. */
class Compiler {
  readonly #named = new Map<string, Named>();

  compile(schema: unknown, namespace: string): Read {
    if (typeof schema === 'string') return this.#byName(schema, namespace);
    if (Array.isArray(schema)) return this.#union(schema, namespace);
    if (typeof schema !== 'object' || schema === null) throw new Error('a type is a name, a list or an object');
    const form = schema as Form;
    const { type } = form;
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(form, namespace);
      case 'enum':
        return this.#enum(form, namespace);
      case 'fixed':
        return this.#fixed(form, namespace);
      case 'array':
        return arrayOf(this.compile(form['items'], namespace));
      case 'map':
        return mapOf(this.compile(form['values'], namespace));
      default:
        return typeof type === 'string' ? logical(form, this.#byName(type, namespace)) : this.compile(type, namespace);
    }
  }

  /** Of a record that is defined there, or named and defined elsewhere: a topic of several types is a union of names. */
  recordName(schema: unknown): string | null {
    if (typeof schema === 'string') return this.#named.get(schema)?.isRecord === true ? schema : null;
    if (typeof schema !== 'object' || schema === null || !('name' in schema)) return null;
    const { name } = fullName(schema, '');
    return this.#named.get(name)?.isRecord === true ? name : null;
  }

  #byName(name: string, namespace: string): Read {
    const primitive = Object.hasOwn(PRIMITIVES, name) ? PRIMITIVES[name] : undefined;
    if (primitive !== undefined) return primitive;
    const named = this.#named.get(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`) ?? this.#named.get(name);
    if (named === undefined) throw new Error(`there is no type ${name}`);
    return (cursor) => (named.read ?? missingBranch)(cursor);
  }

  #union(branches: readonly unknown[], namespace: string): Read {
    const reads = branches.map((branch) => this.compile(branch, namespace));
    return (cursor) => (reads[cursor.index()] ?? missingBranch)(cursor);
  }

  #record(form: Form, namespace: string): Read {
    const own = this.#define(form, namespace, true);
    const fields = listOf(form, 'fields').map((field) => {
      const { name, type } = field as Form;
      if (typeof name !== 'string') throw new Error('a field without a name');
      return { name, read: this.compile(type, own.namespace) };
    });
    return (own.named.read = (cursor) => {
      const record = new Map<string, GenericValue>();
      for (const { name, read } of fields) record.set(name, read(cursor));
      return record;
    });
  }

  #enum(form: Form, namespace: string): Read {
    const { named } = this.#define(form, namespace);
    const symbols = listOf(form, 'symbols').map(String);
    return (named.read = (cursor) => {
      const symbol = symbols[cursor.index()];
      if (symbol === undefined) throw new Error('invalid enum index');
      return symbol;
    });
  }

  #fixed(form: Form, namespace: string): Read {
    const { named } = this.#define(form, namespace);
    const { size } = form;
    if (typeof size !== 'number') throw new Error('a fixed without a size');
    return (named.read = logical(form, (cursor) => cursor.bytes(size)));
  }

  #define(form: Form, namespace: string, isRecord = false): { readonly named: Named; readonly namespace: string } {
    const full = fullName(form, namespace);
    if (this.#named.has(full.name)) throw new Error(`there are two types ${full.name}`);
    const named: Named = { isRecord, read: undefined };
    this.#named.set(full.name, named);
    return { named, namespace: full.namespace };
  }
}

function fullName(form: Form, outer: string): { readonly name: string; readonly namespace: string } {
  const { name } = form;
  if (typeof name !== 'string' || name === '') throw new Error('a type without a name');
  if (name.includes('.')) return { name, namespace: name.slice(0, name.lastIndexOf('.')) };
  const namespace = typeof form['namespace'] === 'string' ? form['namespace'] : outer;
  return { name: namespace === '' ? name : `${namespace}.${name}`, namespace };
}

function listOf(form: Form, key: string): readonly unknown[] {
  const list = form[key];
  if (!Array.isArray(list)) throw new Error(`${String(form['name'])} has no ${key}`);
  return list;
}

function arrayOf(item: Read): Read {
  return (cursor) => {
    const array: GenericValue[] = [];
    for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) for (; count > 0; count--) array.push(item(cursor));
    return array;
  };
}

function mapOf(value: Read): Read {
  return (cursor) => {
    const map = new Map<string, GenericValue>();
    for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount())
      for (; count > 0; count--) map.set(cursor.text(), value(cursor));
    return map;
  };
}

const missingBranch: Read = () => {
  throw new Error('invalid union index');
};

/** As the specification has it, a logical type that is unknown, or on a type that it does not go with, is none. */
function logical(form: Form, read: Read): Read {
  const { type, logicalType } = form;
  const on = `${String(logicalType)} ${String(type)}`;
  const time = (msOf: (value: bigint) => bigint): Read => {
    return (cursor) => {
      const date = new Date(Number(msOf(read(cursor) as bigint)));
      if (Number.isNaN(date.getTime())) throw new Error('a time that no calendar has');
      return date;
    };
  };
  switch (on) {
    case 'timestamp-millis long':
      return time((ms) => ms);
    case 'timestamp-micros long':
      return time((micros) => floorDivide(micros, 1_000n));
    case 'timestamp-nanos long':
      return time((nanos) => floorDivide(nanos, 1_000_000n));
    case 'date int':
      return time((days) => days * BigInt(DAY_MS));
    case 'decimal bytes':
    case 'decimal fixed': {
      const scale = form['scale'] ?? 0;
      if (typeof scale !== 'number') return read;
      // By its text: rounded once, to the nearest number that there is.
      return (cursor) => Number(`${unscaled(read(cursor) as Uint8Array)}e${-scale}`);
    }
    default:
      return read;
  }
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}

/** Two's complement, big endian. */
function unscaled(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
