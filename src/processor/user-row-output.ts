import { HASH_BYTES } from './user-row.ts';

/** Rows are cut from slabs of this size: one allocation for hundreds of rows, and they die together, at their commit. */
const SLAB_BYTES = 64 * 1024;
/** Of known names: what many users share is little. This only keeps a flood of made-up attribute names from filling the memory. */
const MAX_KNOWN_BYTES = 1024 * 1024;
/** How far back an id is looked for. Beyond, it stands twice in the row: larger, not wrong. */
const RECENT_IDS = 8;

/** A string that many rows have, with its Avro bytes, and its place in the row that was numbered `row`. */
interface Name {
  readonly bytes: Uint8Array;
  row: number;
  ref: number;
}

/**
 * Writes the parts of one row after the other: Avro's types, and the three things that the schema builds on them: tables of strings, and chains of times and of
 * offsets. The body is written while the tables fill, and `row` puts it behind them. Nothing is allocated per row but the row.
 *
 * Bytes behind the end of the body's buffer are lost; `fits` says so, and makes room: write everything again.
 */
export class RowOutput {
  #body = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #at = 0;
  #ms = 0;
  #offset = 0;
  #row = 0;
  readonly #known = new Map<string, Name>();
  #knownBytes = 0;
  readonly #names: Name[] = [];
  #nameCount = 0;
  readonly #ids: string[] = [];
  #idCount = 0;
  /** At most so many bytes take both tables. */
  #tableBytes = 0;
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;

  begin(): void {
    this.#at = 0;
    this.#ms = 0;
    this.#offset = 0;
    this.#row++;
    this.#nameCount = 0;
    this.#idCount = 0;
    this.#tableBytes = 0;
    // Never within a row: its bytes must not depend on what was written before.
    if (this.#knownBytes > MAX_KNOWN_BYTES) {
      this.#known.clear();
      this.#knownBytes = 0;
    }
  }

  /** Has everything found room? Where not, there is room for it the next time. */
  fits(): boolean {
    if (this.#at <= this.#body.length) return true;
    this.#body = Buffer.allocUnsafeSlow(2 * this.#at);
    return false;
  }

  /** The whole row: the version, the tables, the body. */
  row(version: number): Buffer {
    const most = 1 + 2 * 6 + this.#tableBytes + this.#at;
    if (this.#used + most > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, most));
      this.#used = 0;
    }
    const slab = this.#slab;
    const start = this.#used;
    let at = start;
    slab[at++] = version;
    at = putLong(slab, at, this.#nameCount);
    for (let i = 0; i < this.#nameCount; i++) {
      const { bytes } = this.#names[i]!;
      for (let k = 0; k < bytes.length; k++) slab[at++] = bytes[k]!;
    }
    if (this.#nameCount > 0) slab[at++] = 0;
    at = putLong(slab, at, this.#idCount);
    for (let i = 0; i < this.#idCount; i++) at = putText(slab, at, this.#ids[i]!);
    if (this.#idCount > 0) slab[at++] = 0;
    this.#body.copy(slab, at, 0, this.#at);
    this.#used = at + this.#at;
    return slab.subarray(start, this.#used);
  }

  /** An int or a long: Avro writes them alike. Also an enum's symbol and a union's branch. @throws RangeError where it is no safe integer */
  long(value: number): void {
    this.#at = putLong(this.#body, this.#at, value);
  }

  /** One of the row's chain of times. */
  time(ms: number): void {
    // What is written is the difference, which is safe for two safe times of one sign; this is about the time itself.
    if (!Number.isSafeInteger(ms)) throw notALong(ms);
    this.#at = putLong(this.#body, this.#at, ms - this.#ms);
    this.#ms = ms;
  }

  maybeTime(ms: number | null): void {
    if (this.some(ms)) this.time(ms);
  }

  /** One of the row's chain of offsets. */
  offset(offset: number): void {
    this.#at = putLong(this.#body, this.#at, offset - this.#offset);
    this.#offset = offset;
  }

  /** A string of what many users share. */
  name(text: string): void {
    let name = this.#known.get(text);
    if (name === undefined) {
      name = { bytes: bytesOf(text), row: 0, ref: 0 };
      this.#known.set(text, name);
      this.#knownBytes += name.bytes.length;
    }
    if (name.row !== this.#row) {
      name.row = this.#row;
      name.ref = this.#nameCount;
      this.#names[this.#nameCount++] = name;
      this.#tableBytes += name.bytes.length;
    }
    this.long(name.ref);
  }

  maybeName(text: string | null): void {
    if (this.some(text)) this.name(text);
  }

  /** A string of this user's own. */
  id(text: string): void {
    const count = this.#idCount;
    for (let ref = count - 1; ref >= 0 && ref >= count - RECENT_IDS; ref--) {
      if (this.#ids[ref] === text) {
        this.long(ref);
        return;
      }
    }
    this.#ids[count] = text;
    this.#idCount = count + 1;
    this.#tableBytes += mostBytes(text);
    this.long(count);
  }

  maybeId(text: string | null): void {
    if (this.some(text)) this.id(text);
  }

  /** A string in its place. */
  text(text: string): void {
    this.#at = putText(this.#body, this.#at, text);
  }

  boolean(value: boolean): void {
    this.#body[this.#at++] = value ? 1 : 0;
  }

  double(value: number): void {
    if (this.#at + 8 <= this.#body.length) this.#body.writeDoubleLE(value, this.#at);
    this.#at += 8;
  }

  /** 52 bits each, in one field of bytes. */
  hashes(hashes: readonly number[]): void {
    this.long(hashes.length * HASH_BYTES);
    const body = this.#body;
    let at = this.#at;
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i]!;
      const low = hash | 0;
      const high = (hash - (low >>> 0)) / 2 ** 32;
      body[at] = high >>> 16;
      body[at + 1] = high >>> 8;
      body[at + 2] = high;
      body[at + 3] = low >>> 24;
      body[at + 4] = low >>> 16;
      body[at + 5] = low >>> 8;
      body[at + 6] = low;
      at += HASH_BYTES;
    }
    this.#at = at;
  }

  uuid(uuid: string): void {
    const body = this.#body;
    let at = this.#at;
    let valid = uuid.length === 36;
    for (let i = 0; i < 36; i += 2) {
      if (i === 8 || i === 13 || i === 18 || i === 23) {
        valid &&= uuid.charCodeAt(i) === DASH;
        i++;
      }
      const high = HEX.indexOf(uuid.charAt(i));
      const low = HEX.indexOf(uuid.charAt(i + 1));
      valid &&= high >= 0 && low >= 0;
      body[at++] = (high << 4) | low;
    }
    if (!valid) throw new RangeError(`not a UUID in lower case: ${uuid}`);
    this.#at = at;
  }

  /** One of an enum's symbols. */
  symbol<T>(symbols: readonly T[], symbol: T): void {
    const index = symbols.indexOf(symbol);
    if (index < 0) throw new RangeError(`not one of ${symbols.join(', ')}: ${String(symbol)}`);
    this.long(index);
  }

  /** The branch of a union with null, which comes first in all of them. */
  some<T>(value: T | null): value is T {
    this.#body[this.#at++] = value === null ? 0 : 2;
    return value !== null;
  }

  /** Begins an array. Its length comes here and shows only at its end: there is room for one below 64. */
  list(): number {
    return this.#at++;
  }

  /** Ends the array that began at `start`, in one block. */
  endList(start: number, length: number): void {
    const body = this.#body;
    let more = 0;
    for (let rest = length >>> 6; rest > 0; rest >>>= 7) more++;
    if (more > 0) {
      body.copyWithin(start + 1 + more, start + 1, this.#at);
      this.#at += more;
    }
    putLong(body, start, length);
    if (length > 0) body[this.#at++] = 0;
  }
}

const HEX = '0123456789abcdef';
const DASH = 0x2d;

/** Zigzag, seven bits a byte, the least first. Returns where it ends. */
function putLong(bytes: Uint8Array, at: number, value: number): number {
  let rest: number;
  if ((value | 0) === value) {
    rest = (value << 1) ^ (value >> 31);
  } else {
    if (!Number.isSafeInteger(value)) throw notALong(value);
    // The zigzag of a large one takes 54 bits, more than a double has: 28 of them first, then the others.
    const magnitude = value < 0 ? -value - 1 : value;
    const low = magnitude % 2 ** 27;
    let bits = 2 * low + (value < 0 ? 1 : 0);
    for (let i = 0; i < 4; i++) {
      bytes[at++] = (bits & 0x7f) | 0x80;
      bits >>>= 7;
    }
    rest = (magnitude - low) / 2 ** 27;
  }
  while (rest >>> 0 > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** Up to here a loop over characters is quicker than a call out of JavaScript. And its length takes one byte. */
const SHORT_TEXT = 24;

/** The length in UTF-8, then the bytes; these are left out where they find no room. Returns where they end. */
function putText(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= SHORT_TEXT) {
    let k = 0;
    for (; k < length; k++) {
      const code = text.charCodeAt(k);
      if (code > 0x7f) break;
      bytes[at + 1 + k] = code;
    }
    if (k === length) {
      bytes[at] = 2 * length;
      return at + 1 + length;
    }
  }
  const size = Buffer.byteLength(text, 'utf8');
  const from = putLong(bytes, at, size);
  if (from + size <= bytes.length) bytes.write(text, from, size, 'utf8');
  return from + size;
}

function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(mostBytes(text));
  return Uint8Array.prototype.slice.call(bytes, 0, putText(bytes, 0, text));
}

/** A character takes three bytes at most (one beyond 16 bits is two characters and takes four), the length five. */
function mostBytes(text: string): number {
  return 5 + 3 * text.length;
}

function notALong(value: number): RangeError {
  return new RangeError(`${value} is no whole number that a row can keep exactly`);
}
