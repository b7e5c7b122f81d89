/** Reads the wire's big-endian and variable-length numbers. Nothing is copied: byte strings are views of the buffer. */
export class ByteReader {
  readonly #buffer: Buffer;
  offset: number;

  constructor(buffer: Buffer, offset = 0) {
    this.#buffer = buffer;
    this.offset = offset;
  }

  get left(): number {
    return this.#buffer.length - this.offset;
  }

  int8(): number {
    return this.#buffer.readInt8(this.offset++);
  }

  int16(): number {
    const value = this.#buffer.readInt16BE(this.offset);
    this.offset += 2;
    return value;
  }

  int32(): number {
    const value = this.#buffer.readInt32BE(this.offset);
    this.offset += 4;
    return value;
  }

  /** Offsets, times and producer ids: exact up to 2^53, and without the garbage of a bigint. */
  int64(): number {
    const high = this.#buffer.readInt32BE(this.offset);
    const low = this.#buffer.readUInt32BE(this.offset + 4);
    this.offset += 8;
    return high * 4_294_967_296 + low;
  }

  /** Zigzag, exact up to 2^52 in either direction: in milliseconds that is 140,000 years. */
  varint(): number {
    let byte = this.#buffer[this.offset++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.#buffer[this.offset++]!;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(length: number): Buffer {
    return this.#buffer.subarray(this.offset, (this.offset += length));
  }

  /** A string with a 16-bit length, null as ''. */
  string(): string {
    const length = this.int16();
    return length <= 0 ? '' : this.text(length);
  }

  text(length: number): string {
    return this.#buffer.toString('utf8', this.offset, (this.offset += length));
  }
}
