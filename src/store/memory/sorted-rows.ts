import type { ScanRange } from '../port.ts';

/**
 * Rows in ascending byte order of their keys: a Map for reads and a sorted list of its keys for scans. Keys are held as latin1
 * strings, whose order is the order of the bytes. Rows are copied in and out, as a store on disk would.
 */
export class SortedRows {
  readonly #values = new Map<string, Buffer>();
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: Buffer): Buffer | null {
    const value = this.#values.get(key.toString('latin1'));
    return value === undefined ? null : Buffer.from(value);
  }

  set(key: Buffer, value: Buffer): void {
    const text = key.toString('latin1');
    if (!this.#values.has(text)) this.#keys.splice(this.#firstNotBelow(text), 0, text);
    this.#values.set(text, Buffer.from(value));
  }

  delete(key: Buffer): void {
    const text = key.toString('latin1');
    if (this.#values.delete(text)) this.#keys.splice(this.#firstNotBelow(text), 1);
  }

  clear(): void {
    this.#values.clear();
    this.#keys.length = 0;
  }

  scan(range: ScanRange): { readonly key: Buffer; readonly value: Buffer }[] {
    const from = range.gte === undefined ? 0 : this.#firstNotBelow(range.gte.toString('latin1'));
    const to = range.lt === undefined ? this.#keys.length : this.#firstNotBelow(range.lt.toString('latin1'));
    const rows: { key: Buffer; value: Buffer }[] = [];
    for (const key of this.#keys.slice(from, Math.min(to, from + Math.max(0, range.limit)))) {
      const value = this.#values.get(key);
      if (value !== undefined) rows.push({ key: Buffer.from(key, 'latin1'), value: Buffer.from(value) });
    }
    return rows;
  }

  /** Index of the first key at or above `key`; behind the last one when all are below. */
  #firstNotBelow(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
