import { SharedText } from '../avro/shared-text.ts';
import { HASH_BYTES, UUID_BYTES } from './user-row.ts';

/** Bytes that are no row: cut, longer than their content, or damaged. */
export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';
}

/**
 * Reads the parts of one row, in the order in which `RowOutput` wrote them.
 *
 * - Behind its end a row reads as zeros; `end` finds that out, once. What could make such a row run long or grow large is checked at once: every length against
 *   the bytes that are left.
 * - Names are the same string in all states, so that a cache of users holds each once. In the string table of the engine, too: they become keys of records.
 */
export class RowInput {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #ms = 0;
  #offset = 0;
  readonly #names: string[] = [];
  #nameCount = 0;
  readonly #ids: string[] = [];
  #idCount = 0;
  readonly #shared = new SharedText();
  readonly #uuid = Buffer.from('00000000-0000-0000-0000-000000000000');

  /** Of the row that is being read: what older rows do not have is not looked for. */
  version = 0;

  /** Reads the version and the tables. */
  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.version = bytes[0] ?? 0;
    this.#at = 1;
    this.#ms = 0;
    this.#offset = 0;
    this.#nameCount = this.list();
    for (let i = 0; i < this.#nameCount; i++) this.#names[i] = this.#sharedText();
    this.endList(this.#nameCount);
    this.#idCount = this.list();
    for (let i = 0; i < this.#idCount; i++) this.#ids[i] = this.text();
    this.endList(this.#idCount);
  }

  /** @throws DamagedRowError where the row does not end here */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new DamagedRowError('its content does not end where it does');
  }

  long(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let low = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = bytes[this.#at++]!;
      low |= (byte & 0x7f) << shift;
      if (!(byte >= 0x80)) return (low >>> 1) ^ -(low & 1);
    }
    let high = 0;
    for (let shift = 0; byte >= 0x80; shift += 7) {
      if (shift === 28) throw new DamagedRowError('a number takes more than 8 bytes');
      byte = bytes[this.#at++]!;
      high |= (byte & 0x7f) << shift;
    }
    const magnitude = high * 2 ** 27 + (low >>> 1);
    const value = low & 1 ? -magnitude - 1 : magnitude;
    if (!Number.isSafeInteger(value)) throw new DamagedRowError('a number is over 2^53');
    return value;
  }

  time(): number {
    return (this.#ms = safe(this.#ms + this.long()));
  }

  maybeTime(): number | null {
    return this.some() ? this.time() : null;
  }

  offset(): number {
    return (this.#offset = safe(this.#offset + this.long()));
  }

  name(): string {
    return this.#ref(this.#names, this.#nameCount);
  }

  maybeName(): string | null {
    return this.some() ? this.name() : null;
  }

  id(): string {
    return this.#ref(this.#ids, this.#idCount);
  }

  maybeId(): string | null {
    return this.some() ? this.id() : null;
  }

  text(): string {
    const length = this.#size();
    const from = this.#at;
    this.#at += length;
    return this.#bytes.toString('utf8', from, this.#at);
  }

  boolean(): boolean {
    const byte = this.#bytes[this.#at++];
    if (byte !== 0 && byte !== 1) throw new DamagedRowError('a boolean that is neither');
    return byte === 1;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  hashes(): readonly number[] {
    const size = this.#size();
    if (size % HASH_BYTES !== 0) throw new DamagedRowError(`${size} bytes of event ids, which have ${HASH_BYTES} each`);
    const bytes = this.#bytes;
    let at = this.#at;
    this.#at += size;
    const hashes = new Array<number>(size / HASH_BYTES);
    for (let i = 0; i < hashes.length; i++) {
      const high = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      const low = (bytes[at + 3]! << 24) | (bytes[at + 4]! << 16) | (bytes[at + 5]! << 8) | bytes[at + 6]!;
      if (high >= 2 ** 21) throw new DamagedRowError('a hash of an event id is over 2^53');
      hashes[i] = high * 2 ** 32 + (low >>> 0);
      at += HASH_BYTES;
    }
    return hashes;
  }

  uuid(): string {
    this.#need(UUID_BYTES);
    const text = this.#uuid;
    for (let i = 0; i < text.length; i++) {
      if (i === 8 || i === 13 || i === 18 || i === 23) continue;
      const byte = this.#bytes[this.#at++]!;
      text[i++] = HEX.charCodeAt(byte >>> 4);
      text[i] = HEX.charCodeAt(byte & 0xf);
    }
    return text.toString('latin1');
  }

  symbol<T>(symbols: readonly T[]): T {
    const index = this.long();
    const symbol = symbols[index];
    if (symbol === undefined) throw new DamagedRowError(`symbol ${index} of ${symbols.length}`);
    return symbol;
  }

  /** The branch of a union with null. */
  some(): boolean {
    const branch = this.long();
    if (branch !== 0 && branch !== 1) throw new DamagedRowError(`branch ${branch} of a union of 2`);
    return branch === 1;
  }

  /** An array's length. */
  list(): number {
    // Every item takes a byte at least.
    return this.#size();
  }

  /** Behind the last item: as Lull writes it, an array is one block. */
  endList(length: number): void {
    if (length > 0 && this.long() !== 0) throw new DamagedRowError('an array does not end where it should');
  }

  #ref(table: readonly string[], length: number): string {
    const ref = this.long();
    if (!(ref >= 0 && ref < length)) throw new DamagedRowError(`it refers to string ${ref} of ${length}`);
    return table[ref]!;
  }

  /** A number of bytes, or of items. */
  #size(): number {
    const size = this.long();
    if (!(size >= 0)) throw new DamagedRowError(`a length of ${size}`);
    this.#need(size);
    return size;
  }

  #need(size: number): void {
    const left = this.#bytes.length - this.#at;
    if (size > left) throw new DamagedRowError(`${size} bytes are to come where ${Math.max(0, left)} are left`);
  }

  #sharedText(): string {
    const length = this.#size();
    const from = this.#at;
    this.#at += length;
    return this.#shared.read(this.#bytes, from, length);
  }
}

const HEX = '0123456789abcdef';

function safe(sum: number): number {
  if (!Number.isSafeInteger(sum)) throw new DamagedRowError('a time or an offset is over 2^53');
  return sum;
}
