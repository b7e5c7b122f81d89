/** Of a varint of 64 bits. */
const MAX_VARINT_BYTES = 10;
/** As many fit into a double, exactly. */
const EXACT_VARINT_BYTES = 7;

/** Reads Avro's binary encoding from a value, front to back. Every read is checked against the bytes that are left. */
export class Cursor {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  begin(bytes: Buffer, from: number): void {
    this.#bytes = bytes;
    this.#at = from;
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  boolean(): boolean {
    return this.#bytes[this.#skip(1)] !== 0;
  }

  /** An int or a long. */
  long(): bigint {
    let [zigzag, factor, length] = [0, 1, 0];
    for (; length < EXACT_VARINT_BYTES; length++) {
      const byte = this.#bytes[this.#skip(1)]!;
      zigzag += (byte & 0x7f) * factor;
      if (byte < 0x80) return BigInt(zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
      factor *= 128;
    }
    let large = BigInt(zigzag);
    for (; length < MAX_VARINT_BYTES; length++) {
      const byte = this.#bytes[this.#skip(1)]!;
      large |= BigInt(byte & 0x7f) << BigInt(7 * length);
      if (byte < 0x80) return BigInt.asIntN(64, large & 1n ? -((large + 1n) >> 1n) : large >> 1n);
    }
    throw new Error('a long of more than 10 bytes');
  }

  /** The index of a branch or a symbol, a length, a count: small, and mostly of one byte. */
  index(): number {
    const byte = this.#bytes[this.#at];
    if (byte !== undefined && byte < 0x80) {
      this.#at++;
      return byte & 1 ? -((byte + 1) >> 1) : byte >> 1;
    }
    return Number(this.long());
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#skip(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  /** A copy: a value that is kept must not keep everything that was fetched with it. */
  bytes(length: number = this.index()): Uint8Array {
    const from = this.#skip(length);
    return new Uint8Array(this.#bytes.subarray(from, from + length));
  }

  text(): string {
    const length = this.index();
    const from = this.#skip(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  /**
   * Entries of the next block of an array or a map, 0 behind the last one. A negative count is followed by the block's size in bytes, which is not needed here. Every
   * entry takes a byte at least: a forged count would otherwise be looped over for years. (Items of no bytes are possible in Avro, and nobody has them.)
   */
  blockCount(): number {
    let count = this.index();
    if (count < 0) {
      count = -count;
      this.index();
    }
    if (count > this.left) throw new Error('truncated buffer');
    return count;
  }

  #skip(length: number): number {
    if (!(length >= 0 && length <= this.left)) throw new Error('truncated buffer');
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
