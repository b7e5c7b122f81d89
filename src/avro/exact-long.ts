import avsc, { type Type } from 'avsc';
import { override, type Tap } from './override.ts';

/**
 * Longs as JavaScript numbers, exact or refused. avsc computes them in doubles, where the zigzag encoding of anything from 2^52 on does not
 * fit: it reads -4503599627370497 as 4503599627370496, without an error, and takes every long up to 2^53.
 */
export const exactLong: Type = override(avsc.Type.forSchema('long'), {
  _read(tap: Tap): number {
    const start = tap.pos;
    const value = tap.readLong();
    return value > -INEXACT_FROM && value < INEXACT_FROM ? value : readSlowly(tap, start);
  },
  _write(tap: Tap, value: unknown): void {
    if (!isLong(value)) throw new Error(`invalid value for a long: ${typeof value}`);
    if (value > -INEXACT_FROM && value < INEXACT_FROM) tap.writeLong(value);
    else writeSlowly(tap, value);
  },
  _check(this: unknown, value: unknown, _flags: number, hook?: (value: unknown, type: unknown) => void): boolean {
    const valid = isLong(value);
    if (!valid) hook?.(value, this);
    return valid;
  },
});

/** What `_read` throws for a long that is no safe integer. */
export class LongOverflowError extends Error {
  override readonly name = 'LongOverflowError';
}

const INEXACT_FROM = 2 ** 52;
/** Of a 64-bit varint. */
const MAX_VARINT_BYTES = 10;

function isLong(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function readSlowly(tap: Tap, start: number): number {
  // Behind the end there is nothing to be exact about: whoever reads the record finds out by `pos`.
  if (tap.pos > tap.buf.length) return 0;
  if (tap.pos - start > MAX_VARINT_BYTES) throw new Error('a long of more than 10 bytes');
  let zigzag = 0n;
  for (let position = tap.pos - 1; position >= start; position -= 1) zigzag = (zigzag << 7n) | BigInt((tap.buf[position] ?? 0) & 0x7f);
  const value = Number(zigzag & 1n ? -((zigzag + 1n) >> 1n) : zigzag >> 1n);
  if (!Number.isSafeInteger(value)) throw new LongOverflowError('a long over 2^53');
  return value;
}

function writeSlowly(tap: Tap, value: number): void {
  const long = BigInt(value);
  let zigzag = long < 0n ? -long * 2n - 1n : long * 2n;
  for (; zigzag > 0x7fn; zigzag >>= 7n) tap.buf[tap.pos++] = Number(zigzag & 0x7fn) | 0x80;
  tap.buf[tap.pos++] = Number(zigzag);
}
