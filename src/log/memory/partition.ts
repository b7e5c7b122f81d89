import { OffsetOutOfRangeError } from '../errors.ts';
import type { FetchedBatch, Headers, LogRecord } from '../port.ts';

/** Shared by the records of one transaction, so that its end decides about all of them at once. */
export interface TransactionOutcome {
  state: 'open' | 'committed' | 'aborted';
}

/** A record before it has an offset. */
export interface UnplacedRecord {
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Headers;
}

interface Entry {
  readonly record: LogRecord;
  readonly bytes: number;
  readonly outcome: TransactionOutcome | undefined;
  /** A transaction's end takes an offset, as on a broker, and is never delivered. */
  readonly marker: boolean;
}

/** What a record takes on the wire next to key, value and headers; near enough for limits. */
const RECORD_OVERHEAD_BYTES = 70;

export function recordBytes(record: UnplacedRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of Object.entries(record.headers ?? {})) bytes += name.length + value.length;
  return bytes;
}

/** One partition: offsets, the last stable offset, and waking of those who wait for more. */
export class MemoryPartition {
  readonly #topic: string;
  readonly #partition: number;
  readonly #entries: Entry[] = [];
  /** First offset of every transaction that has records here and has not ended. */
  readonly #open = new Map<TransactionOutcome, number>();
  readonly #waiting = new Set<() => void>();
  #start = 0;
  #heldFrom = 0;

  constructor(topic: string, partition: number) {
    this.#topic = topic;
    this.#partition = partition;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#heldFrom + this.#entries.length;
  }

  get lastStableOffset(): number {
    return Math.min(this.end, ...this.#open.values());
  }

  /** Returns the first offset. */
  append(records: readonly UnplacedRecord[], outcome?: TransactionOutcome): number {
    const baseOffset = this.end;
    if (outcome !== undefined && !this.#open.has(outcome) && records.length > 0) this.#open.set(outcome, baseOffset);
    for (const record of records)
      this.#entries.push({ record: { ...record, offset: this.end }, bytes: recordBytes(record), outcome, marker: false });
    this.#wake();
    return baseOffset;
  }

  /** The end of a transaction on this partition. Its outcome is decided before this is called. */
  mark(outcome: TransactionOutcome, timestampMs: number): void {
    this.#open.delete(outcome);
    this.#entries.push({
      record: { offset: this.end, timestampMs, key: null, value: null },
      bytes: RECORD_OVERHEAD_BYTES,
      outcome,
      marker: true,
    });
    this.#wake();
  }

  deleteBefore(offset: number): void {
    if (offset > this.end) throw new OffsetOutOfRangeError(this.#topic, this.#partition, offset);
    if (offset <= this.#start) return;
    this.#entries.splice(0, offset - this.#heldFrom);
    this.#start = this.#heldFrom = offset;
    this.#wake();
  }

  read(position: number, maxBytes: number, isolation: 'read_committed' | 'read_uncommitted'): FetchedBatch {
    if (position < this.#start || position > this.end) throw new OffsetOutOfRangeError(this.#topic, this.#partition, position);
    const limit = isolation === 'read_committed' ? this.lastStableOffset : this.end;
    const records: LogRecord[] = [];
    let nextOffset = position;
    let bytes = 0;
    while (nextOffset < limit) {
      const entry = this.#entries[nextOffset - this.#heldFrom]!;
      bytes += entry.bytes;
      if (bytes > maxBytes && nextOffset > position) break;
      nextOffset++;
      if (entry.marker || (isolation === 'read_committed' && entry.outcome?.state === 'aborted')) continue;
      records.push(entry.record);
    }
    return { records, nextOffset, logStartOffset: this.#start, highWatermark: this.end, lastStableOffset: this.lastStableOffset };
  }

  /** Resolves at the next change, or after `maxWaitMs`, or when the signal fires. */
  changed(maxWaitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, maxWaitMs);
      signal.addEventListener('abort', done, { once: true });
      this.#waiting.add(done);
      if (signal.aborted) done();
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
