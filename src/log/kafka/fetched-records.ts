import { FatalLogError } from '../errors.ts';
import type { Headers, LogRecord, LogRecords } from '../port.ts';
import { ByteReader } from './byte-reader.ts';
import { type BatchHeader, decompressed, hasAppendTime } from './record-batch.ts';

/** Of a record, in `#places`: its batch, how far its offset is behind the batch's, and where key, value and headers stand. */
const [BATCH, BEHIND, KEY_AT, KEY_LENGTH, VALUE_AT, VALUE_LENGTH, HEADERS_AT, WIDTH] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const FIRST_CAPACITY = 1_024;
/** Length, attributes, time, offset, lengths of key and value, number of headers: a byte each. */
const LEAST_BYTES = 7;

interface Base {
  readonly bytes: Buffer;
  readonly offset: number;
}

/**
 * What was fetched, as numbers in two blocks of memory: a record is made when it is asked for, and each time anew. Tens of thousands wait for their turn together, in several
 * partitions; as objects they would outlive the collections of the young generation, be copied by each, and be garbage right after.
 */
export class FetchedRecords implements LogRecords {
  length = 0;
  readonly #bases: Base[] = [];
  #places = new Int32Array(0);
  #timesMs = new Float64Array(0);

  /** Appends a batch's records from the offset `from` on. @throws FatalLogError where they cannot be read */
  add(batch: BatchHeader, from: number): void {
    const bytes = decompressed(batch);
    if (batch.count < 0 || batch.count * LEAST_BYTES > bytes.length)
      throw new FatalLogError(`the records from offset ${batch.baseOffset} on are damaged: ${batch.count} in ${bytes.length} bytes`);
    const reader = new ByteReader(bytes);
    const base = this.#bases.push({ bytes, offset: batch.baseOffset }) - 1;
    const isAppendTime = hasAppendTime(batch);
    this.#makeRoom(this.length + batch.count);
    const places = this.#places;
    for (let i = 0; i < batch.count; i++) {
      const length = reader.varint();
      if (length < 0 || length > reader.left)
        throw new FatalLogError(`the records from offset ${batch.baseOffset} on are damaged: number ${i} is not whole`);
      const end = reader.offset + length;
      reader.offset++; // attributes: unused
      const givenMs = reader.varint();
      const behind = reader.varint();
      if (batch.baseOffset + behind >= from) {
        const at = this.length * WIDTH;
        this.#timesMs[this.length++] = isAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs + givenMs;
        places[at + BATCH] = base;
        places[at + BEHIND] = behind;
        const keyLength = reader.varint();
        places[at + KEY_LENGTH] = keyLength;
        places[at + KEY_AT] = reader.offset;
        reader.offset += Math.max(0, keyLength);
        const valueLength = reader.varint();
        places[at + VALUE_LENGTH] = valueLength;
        places[at + VALUE_AT] = reader.offset;
        reader.offset += Math.max(0, valueLength);
        places[at + HEADERS_AT] = reader.offset;
      }
      reader.offset = end;
    }
  }

  at(index: number): LogRecord | undefined {
    return index >= 0 && index < this.length ? new FetchedRecord(this, index) : undefined;
  }

  *[Symbol.iterator](): Generator<LogRecord> {
    for (let index = 0; index < this.length; index++) yield new FetchedRecord(this, index);
  }

  slice(from: number, to = this.length): readonly LogRecord[] {
    const records: LogRecord[] = [];
    for (let index = from; index < Math.min(to, this.length); index++) records.push(new FetchedRecord(this, index));
    return records;
  }

  map<T>(make: (record: LogRecord) => T): T[] {
    return this.slice(0).map((record) => make(record));
  }

  filter(keep: (record: LogRecord) => boolean): readonly LogRecord[] {
    return this.slice(0).filter((record) => keep(record));
  }

  offset(index: number): number {
    return this.#bases[this.#places[index * WIDTH + BATCH]!]!.offset + this.#places[index * WIDTH + BEHIND]!;
  }

  timestampMs(index: number): number {
    return this.#timesMs[index]!;
  }

  key(index: number): Buffer | null {
    return this.#view(index, KEY_AT, KEY_LENGTH);
  }

  value(index: number): Buffer | null {
    return this.#view(index, VALUE_AT, VALUE_LENGTH);
  }

  headers(index: number): Headers | undefined {
    const { bytes } = this.#bases[this.#places[index * WIDTH + BATCH]!]!;
    const at = this.#places[index * WIDTH + HEADERS_AT]!;
    // None: nearly always, and not worth a reader.
    return bytes[at] === 0 ? undefined : readHeaders(new ByteReader(bytes, at));
  }

  /** null where the length is negative. */
  #view(index: number, at: number, length: number): Buffer | null {
    const place = index * WIDTH;
    const bytes = this.#places[place + length]!;
    if (bytes < 0) return null;
    const from = this.#places[place + at]!;
    return this.#bases[this.#places[place + BATCH]!]!.bytes.subarray(from, from + bytes);
  }

  #makeRoom(records: number): void {
    if (records <= this.#timesMs.length) return;
    const capacity = Math.max(records, FIRST_CAPACITY, 2 * this.#timesMs.length);
    const [places, timesMs] = [new Int32Array(capacity * WIDTH), new Float64Array(capacity)];
    places.set(this.#places);
    timesMs.set(this.#timesMs);
    this.#places = places;
    this.#timesMs = timesMs;
  }
}

class FetchedRecord implements LogRecord {
  readonly #of: FetchedRecords;
  readonly #index: number;

  constructor(of: FetchedRecords, index: number) {
    this.#of = of;
    this.#index = index;
  }

  get offset(): number {
    return this.#of.offset(this.#index);
  }

  get timestampMs(): number {
    return this.#of.timestampMs(this.#index);
  }

  get key(): Buffer | null {
    return this.#of.key(this.#index);
  }

  get value(): Buffer | null {
    return this.#of.value(this.#index);
  }

  get headers(): Headers | undefined {
    return this.#of.headers(this.#index);
  }
}

function readHeaders(reader: ByteReader): Headers {
  // Names come from outside: none of them may reach a prototype.
  const headers = Object.create(null) as Record<string, Buffer>;
  for (let count = reader.varint(); count > 0; count--) {
    const name = reader.text(reader.varint());
    const length = reader.varint();
    headers[name] = length < 0 ? Buffer.alloc(0) : reader.bytes(length);
  }
  return headers;
}
