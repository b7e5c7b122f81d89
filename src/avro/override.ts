import type { Type } from 'avsc';

/**
 * What avsc's types call each other by. These names are avsc's own and not documented: its version is pinned, and the tests of the codec hold
 * it to them.
 */
export interface InnerType {
  readonly typeName: string;
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
  _write(tap: Tap, value: unknown): void;
  createResolver(writer: InnerType, options: unknown): { _read(tap: Tap): unknown };
}

export interface InnerResolver {
  _read: (tap: Tap) => unknown;
}

/** avsc's cursor. Reading or writing past the end does nothing in particular; `pos` is then behind `buf`. */
export interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  writeLong(value: number): void;
  readString(): string;
  skipString(): void;
}

/** A type like this one, with some methods replaced. avsc's own are frozen. */
export function override(type: Type, methods: object): Type {
  return Object.create(type, Object.getOwnPropertyDescriptors(methods)) as Type;
}
