/**
 * Users' rows by id, in bounded memory and outside of the garbage collector's: as objects, the states of tens of thousands of users would be marked and moved by it
 * over and over, which costs more than decoding those that are asked for.
 *
 * Two halves, each one block of memory that is filled from its start. A row that is asked for or written goes to the newer half; when that is full it becomes the
 * older one, and what was not used since is gone.
 */
export class RowCache {
  readonly #halfBytes: number;
  #newer = half(Buffer.alloc(0));
  #older = half(Buffer.alloc(0));

  /** Of both halves together. */
  constructor(bytes: number) {
    this.#halfBytes = Math.max(0, Math.floor(bytes / 2));
  }

  has(key: string): boolean {
    return this.#newer.rows.has(key) || this.#older.rows.has(key);
  }

  /** A view: good until the next `set` or `get`. */
  get(key: string): Buffer | undefined {
    const row = read(this.#newer, key);
    if (row !== undefined) return row;
    const old = read(this.#older, key);
    if (old !== undefined && this.#fits(old)) this.#append(key, old);
    return old;
  }

  set(key: string, row: Buffer): void {
    this.delete(key);
    if (row.length > this.#halfBytes) return;
    if (!this.#fits(row)) {
      // The memory of what is dropped takes what comes.
      const block = this.#older.block.length > 0 ? this.#older.block : Buffer.allocUnsafeSlow(this.#halfBytes);
      this.#older = this.#newer;
      this.#newer = half(block);
    }
    this.#append(key, row);
  }

  delete(key: string): void {
    this.#newer.rows.delete(key);
    this.#older.rows.delete(key);
  }

  #fits(row: Buffer): boolean {
    return this.#newer.end + row.length <= this.#newer.block.length;
  }

  #append(key: string, row: Buffer): void {
    const at = this.#newer.end;
    row.copy(this.#newer.block, at);
    this.#newer.rows.set(key, at * MAX_ROW_BYTES + row.length);
    this.#newer.end = at + row.length;
  }
}

interface Half {
  readonly block: Buffer;
  /** Where a row stands, and its length, in one number. */
  readonly rows: Map<string, number>;
  end: number;
}

/** Longer than any row that is kept. */
const MAX_ROW_BYTES = 2 ** 20;

function half(block: Buffer): Half {
  return { block, rows: new Map(), end: 0 };
}

function read({ block, rows }: Half, key: string): Buffer | undefined {
  const place = rows.get(key);
  if (place === undefined) return undefined;
  const at = Math.floor(place / MAX_ROW_BYTES);
  return block.subarray(at, at + (place % MAX_ROW_BYTES));
}
