/** What LZ4 and Snappy share: output made of literals, and of copies of what was put out before. Corrupt input throws RangeError. */
export class LzOutput {
  #buffer: Buffer;
  #length = 0;

  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafe(Math.max(expectedBytes, 64));
  }

  literal(input: Buffer, from: number, length: number): void {
    if (from + length > input.length) throw new RangeError('it ends in the middle of a literal');
    this.#grow(length);
    input.copy(this.#buffer, this.#length, from, from + length);
    this.#length += length;
  }

  /** A copy may reach into what it puts out itself: that is how a repetition is written. */
  copy(distance: number, length: number): void {
    if (distance < 1 || distance > this.#length) throw new RangeError('it refers to something before its start');
    this.#grow(length);
    const from = this.#length - distance;
    if (distance >= length) this.#buffer.copy(this.#buffer, this.#length, from, from + length);
    else for (let i = 0; i < length; i++) this.#buffer[this.#length + i] = this.#buffer[from + i]!;
    this.#length += length;
  }

  result(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #grow(by: number): void {
    if (this.#length + by <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + by));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
