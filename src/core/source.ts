import type { Scalar } from './event.ts';

/** A record of a foreign topic as a mapping sees it: decoded, whatever its schema. Whole numbers of `value` are bigint, its records and maps are Map. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timeMs: number;
  /** null where it has none, or it is no text. */
  readonly key: string | null;
  readonly headers: ReadonlyMap<string, string>;
  /** Full name of the value's Avro record; null where it is none. */
  readonly schema: string | null;
  readonly value: unknown;
}

/** Of the timeline, as far as the source says it. */
export interface MappedEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly properties: Readonly<Record<string, Scalar>>;
}

/** Of an item: everybody who is interested in it will be told. */
export interface MappedChange extends Omit<MappedEvent, 'userId'> {
  readonly itemId: string;
}

export type Mapped =
  | { readonly kind: 'event'; readonly event: MappedEvent }
  | { readonly kind: 'change'; readonly change: MappedChange }
  /** `when` says no. */
  | { readonly kind: 'filtered' }
  /** A dead letter: `reason` is a stable word, `detail` for people, without values of the record. */
  | { readonly kind: 'refused'; readonly reason: string; readonly detail: string };

/** A foreign topic and its mapping, as a topology has them compiled. Pure: the same record gives the same event, however often it is read. */
export interface Source {
  /** `orders`: part of the names of its stage, group and changelog. */
  readonly name: string;
  readonly topic: string;
  readonly map: (record: SourceRecord) => Mapped;
}
