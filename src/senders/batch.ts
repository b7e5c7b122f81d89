import { parseDispatchHeaders, type DispatchHeader } from '../avro/dispatch-headers.ts';
import type { LogRecord, LogRecords } from '../log/port.ts';

/** A dispatch record by its headers alone; its value is decoded when its turn comes. */
export type Entry =
  /** Another sender's. */
  | { readonly kind: 'skip'; readonly record: LogRecord }
  | { readonly kind: 'command'; readonly record: LogRecord; readonly header: DispatchHeader; readonly userId: string }
  | { readonly kind: 'revocation'; readonly record: LogRecord; readonly header: DispatchHeader }
  | { readonly kind: 'refused'; readonly record: LogRecord; readonly reason: string; readonly detail: string };

export function readEntry(record: LogRecord, channel: string): Entry {
  const header = parseDispatchHeaders(record.headers);
  if (header === undefined)
    return { kind: 'refused', record, reason: 'dispatch_headers', detail: "a dispatch record without Lull's headers" };
  if (header.channel !== channel) return { kind: 'skip', record };
  if (header.kind === 'revocation') return { kind: 'revocation', record, header };
  if (record.key === null) return { kind: 'refused', record, reason: 'null_key', detail: 'a command without a key' };
  return { kind: 'command', record, header, userId: record.key.toString('utf8') };
}

/** One fetched batch, taken entry by entry. */
export class Batch {
  readonly entries: readonly Entry[];
  readonly #nextOffset: number;
  #taken = 0;
  #nowMs: number;

  constructor(records: LogRecords, nextOffset: number, channel: string, nowMs: number) {
    this.entries = records.map((record) => readEntry(record, channel));
    this.#nextOffset = nextOffset;
    this.#nowMs = nowMs;
  }

  get done(): boolean {
    return this.#taken === this.entries.length;
  }

  /** Behind what was taken; behind the batch, markers included, once all was. */
  get position(): { readonly offset: number; readonly nowMs: number } {
    return { offset: this.done ? this.#nextOffset : (this.entries[this.#taken]?.record.offset ?? this.#nextOffset), nowMs: this.#nowMs };
  }

  take(): Entry | undefined {
    const entry = this.entries[this.#taken];
    if (entry === undefined) return undefined;
    this.#taken++;
    this.#nowMs = Math.max(this.#nowMs, entry.record.timestampMs);
    return entry;
  }
}
