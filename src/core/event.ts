/** Of a user's id in UTF-8: ids are keys, metrics' neighbours and part of every row. */
export const MAX_USER_ID_BYTES = 256;
/** Of an item's id, which is a key too. */
export const MAX_ITEM_ID_BYTES = 256;
/** Of a trace context: W3C's has 55 characters. What is much longer is none, and would be kept with each match. */
export const MAX_TRACE_PARENT_BYTES = 128;

/** A property's value: what Avro's null | boolean | long | double | string becomes. Longs over 2^53 never get here (dead letter). */
export type Scalar = null | boolean | number | string;
export type Properties = Readonly<Record<string, Scalar>>;

/** Where a record stands in the log. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A product event or a reserved (`$...`) event, as the core sees it. Times are milliseconds since the epoch. */
export interface Event extends Position {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  /** What the client said. `occurredAtOf` corrects and clamps it. */
  readonly occurredAtMs: number;
  /** When the client sent it by the client's own clock, where it says so. */
  readonly sentAtMs: number | null;
  readonly properties: Properties;
  /** Backfills and imports update facts and never trigger. */
  readonly imported: boolean;
  /** First append time (the broker's clock). */
  readonly appendedAtMs: number;
  /** W3C trace context of the record, carried unchanged to the command. */
  readonly traceParent: string | null;
}
