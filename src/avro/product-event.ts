import type { Properties, Scalar } from '../core/event.ts';
import { LongOverflowError } from './exact-long.ts';
import type { ProductEvent } from './records.ts';
import { isTextAt, SharedText } from './shared-text.ts';

/** Of a 64-bit varint. */
const MAX_VARINT_BYTES = 10;

/**
 * Reads product events that were written with one of the two schemas that Lull has published: the first five fields, or all. They are nearly all that a processor reads,
 * one by one; this takes half of what avsc's general way takes, whose result it gives. Other writers' schemas go that way.
 *
 * Behind the end bytes read as zeros, which `read` finds out, once; lengths and counts are checked at once, against the bytes that are left.
 */
export class ProductEventReader {
  readonly #names = new SharedText();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** A user's events are read one after the other. */
  #userId = '';

  /** @throws Error, LongOverflowError as the avsc types of this folder do; `offset` is behind the value, -1 where it ends early */
  read(bytes: Buffer, from: number, fields: 'first' | 'all'): { readonly value: ProductEvent; readonly offset: number } {
    this.#bytes = bytes;
    this.#at = from;
    const eventId = this.#text();
    const userId = this.#sameText(this.#userId);
    this.#userId = userId;
    const type = this.#name();
    const occurredAt = this.#long();
    const properties = this.#properties();
    const sentAt = fields === 'first' || !this.#branch() ? null : this.#long();
    const imported = fields === 'first' ? false : this.#boolean();
    const value = { eventId, userId, type, occurredAt, properties, sentAt, imported };
    return { value, offset: this.#at > bytes.length ? -1 : this.#at };
  }

  #properties(): Properties {
    const properties: Record<string, Scalar> = {};
    for (let count = this.#blockCount(); count > 0; count = this.#blockCount()) {
      for (; count > 0; count--) {
        const key = this.#name();
        if (key === '__proto__') throw new Error('a map must not have the key "__proto__"');
        properties[key] = this.#scalar();
      }
    }
    return properties;
  }

  #scalar(): Scalar {
    switch (this.#inexact()) {
      case 0:
        return null;
      case 1:
        return this.#boolean();
      case 2:
        return this.#long();
      case 3:
        return this.#double();
      case 4:
        return this.#text();
      default:
        throw new Error('invalid union index');
    }
  }

  /** A negative count is followed by the block's size in bytes, which is not needed here. Every entry takes a byte at least. */
  #blockCount(): number {
    let count = this.#inexact();
    if (count < 0) {
      count = -count;
      this.#inexact();
    }
    if (count > this.#bytes.length - this.#at) throw new Error('truncated buffer');
    return count;
  }

  #branch(): boolean {
    const branch = this.#inexact();
    if (branch !== 0 && branch !== 1) throw new Error('invalid union index');
    return branch === 1;
  }

  #boolean(): boolean {
    return (this.#bytes[this.#at++] ?? 0) !== 0;
  }

  #double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  #name(): string {
    const length = this.#length();
    const from = this.#at;
    this.#at += length;
    return this.#names.read(this.#bytes, from, length);
  }

  #text(): string {
    const length = this.#length();
    const from = this.#at;
    this.#at += length;
    return this.#bytes.toString('utf8', from, this.#at);
  }

  #sameText(as: string): string {
    const length = this.#length();
    const from = this.#at;
    this.#at += length;
    return isTextAt(this.#bytes, from, length, as) ? as : this.#bytes.toString('utf8', from, this.#at);
  }

  #length(): number {
    const length = this.#inexact();
    if (length < 0) throw new Error('a negative length');
    this.#need(length);
    return length;
  }

  #need(size: number): void {
    if (size > this.#bytes.length - this.#at) throw new Error('truncated buffer');
  }

  #long(): number {
    const value = this.#inexact();
    if (!Number.isSafeInteger(value)) throw new LongOverflowError('a long over 2^53');
    return value;
  }

  /** One over 2^53 is rounded: good enough for what cannot be so much. */
  #inexact(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    let byte = bytes[this.#at++] ?? 0;
    let low = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift === 28) return this.#longFrom(start, low);
      byte = bytes[this.#at++] ?? 0;
      low |= (byte & 0x7f) << shift;
    }
    return (low >>> 1) ^ -(low & 1);
  }

  /** One that takes more than four bytes: doubles hold it up to 2^53, zigzag in two parts. */
  #longFrom(start: number, low: number): number {
    const bytes = this.#bytes;
    let high = 0;
    let scale = 1;
    for (let byte = 0x80; byte >= 0x80; scale *= 0x80) {
      if (this.#at - start >= MAX_VARINT_BYTES) throw new Error('a long of more than 10 bytes');
      byte = bytes[this.#at++] ?? 0;
      high += (byte & 0x7f) * scale;
    }
    const magnitude = high * 2 ** 27 + (low >>> 1);
    return low & 1 ? -magnitude - 1 : magnitude;
  }
}
