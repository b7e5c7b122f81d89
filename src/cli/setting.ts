import { parseDuration } from '../topology/duration.ts';

/**
 * One setting: how its text is read, and what it is where nothing is given. The name is the flag's and the file's; the environment
 * variable is made of it: `kafkaSaslMechanism` is `LULL_KAFKA_SASL_MECHANISM`.
 */
export interface Setting<T> {
  readonly doc: string;
  /** What a person may write, for messages: `a port (0 to 65535)`. */
  readonly form: string;
  readonly default: T;
  /** Never printed, and taken from the environment or from a file of its own (`<name>File`) only. */
  readonly isSecret: boolean;
  /** undefined where the text is not of this form. */
  readonly parse: (text: string) => T | undefined;
}

/** The form of what takes any text. */
export const ANY_TEXT = 'a text that is not empty';

interface Common {
  readonly doc: string;
}

export function text<D extends string | undefined>(options: Common & { readonly default: D }): Setting<string | D> {
  return { isSecret: false, form: ANY_TEXT, parse: (value) => value || undefined, ...options };
}

export function secret(options: Common): Setting<string | undefined> {
  return { isSecret: true, form: ANY_TEXT, default: undefined, parse: (value) => value || undefined, ...options };
}

export function matching<D extends string | undefined>(
  options: Common & { readonly default: D; readonly pattern: RegExp; readonly form: string },
): Setting<string | D> {
  return { isSecret: false, parse: (value) => (options.pattern.test(value) ? value : undefined), ...options };
}

export function oneOf<const V extends string, D extends V | undefined>(
  options: Common & { readonly values: readonly V[]; readonly default: D },
): Setting<V | D> {
  return {
    isSecret: false,
    form: `one of ${options.values.join(', ')}`,
    parse: (value) => options.values.find((known) => known === value),
    ...options,
  };
}

export function flag(options: Common & { readonly default: boolean }): Setting<boolean> {
  return {
    isSecret: false,
    form: 'true or false',
    parse: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
    ...options,
  };
}

export function integer(options: Common & { readonly default: number; readonly min: number; readonly max: number }): Setting<number> {
  const { min, max } = options;
  return {
    isSecret: false,
    form: `a whole number from ${min} to ${max}`,
    parse: (value) => within(wholeNumber(value), min, max),
    ...options,
  };
}

/** A name that ends in `Ms`. Takes `90s` and `1h30m`; a bare number is milliseconds, as the name says. */
export function duration(options: Common & { readonly default: number; readonly min: number; readonly max: number }): Setting<number> {
  const { min, max } = options;
  return {
    isSecret: false,
    form: `a duration from ${min} to ${max} ms, such as 10s or 10000`,
    parse: (value) => within(wholeNumber(value) ?? parseDuration(value), min, max),
    ...options,
  };
}

const SIZE_UNITS = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A name that ends in `Bytes`. Takes `256KiB` and `1MiB`; a bare number is bytes, as the name says. */
export function size(options: Common & { readonly default: number; readonly min: number; readonly max: number }): Setting<number> {
  const { min, max } = options;
  return {
    isSecret: false,
    form: `a size from ${min} to ${max} bytes, such as 1MiB or 1048576`,
    parse(value) {
      const [, amount, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(value) ?? [];
      const bytes = amount === undefined ? wholeNumber(value) : Number(amount) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
      return within(bytes, min, max);
    },
    ...options,
  };
}

function wholeNumber(value: string): number | undefined {
  return /^-?\d+$/.test(value) ? Number(value) : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
