import type { Properties } from '../core/event.ts';
import type { Decision, Revocation, SendCommand } from '../core/output.ts';

/**
 * What the schemas in `schemas/` are in TypeScript. What the core makes (commands, revocations, decisions) has its own types, and the
 * schemas follow them field by field. Times are milliseconds since the epoch.
 */
export interface ProductEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly properties: Properties;
  readonly sentAt: number | null;
  readonly imported: boolean;
}

/** Exactly one field is not null; all are null for a kind that this version does not know. */
export interface Control {
  readonly tick: Tick | null;
  readonly forward: Forward | null;
  readonly ingested: Ingested | null;
  readonly fanOut: FanOut | null;
  readonly topology: TopologyInForce | null;
}

/** A product event that stood in another partition than its key's. */
export interface Forward extends ProductEvent {
  /** First append time, of the original; so are partition and offset. */
  readonly appendedAt: number;
  readonly partition: number;
  readonly offset: number;
}

/** What a source made of a foreign record. */
export interface Ingested extends Omit<ProductEvent, 'sentAt' | 'imported'> {
  /** First append time, where the original's topic has the broker's times; null: the record's own. */
  readonly appendedAt: number | null;
  readonly source: string;
  /** Of the original; so are partition and offset. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Something happened to an item, for one of those who are interested in it. */
export interface FanOut extends ItemChange {
  readonly userId: string;
  /** First append time: of the change; so are partition and offset. */
  readonly appendedAt: number;
  readonly partition: number;
  readonly offset: number;
}

/** Something happened to an item. */
export interface ItemChange {
  readonly eventId: string;
  readonly itemId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly properties: Properties;
}

/** A user wants to be told of an item's changes of one type. */
export interface ItemInterest {
  readonly itemId: string;
  /** The type of the changes. */
  readonly change: string;
  readonly userId: string;
  /** Of those that happen before this; 0: of none any more. */
  readonly until: number;
}

export interface Tick {
  readonly maxTimers: number;
  readonly upTo: number | null;
  readonly nonce: string;
}

/** Which version a partition goes by from this record on. */
export interface TopologyInForce {
  readonly hash: string;
  readonly number: number;
  readonly name: string;
}

export interface Outcome {
  readonly commandId: string;
  readonly userId: string;
  readonly channel: string;
  /** null: the whole command ended without a call. `hash` is of the address, which never is here. */
  readonly device: { readonly deviceId: string; readonly kind: string; readonly hash: string } | null;
  readonly provider: string;
  /** `ok`, `retry`, `drop`, `device`, `halt`, `ambiguous`, `unknown`, `expired`, `revoked`, `superseded`; newer writers may know more. */
  readonly class: string;
  readonly final: boolean;
  readonly code: string | null;
  readonly providerMessageId: string | null;
  readonly attempt: number;
  readonly atMs: number;
}

export interface RecordTypes {
  readonly 'lull.v1.ProductEvent': ProductEvent;
  readonly 'lull.v1.Control': Control;
  readonly 'lull.v1.SendCommand': SendCommand;
  readonly 'lull.v1.Revocation': Revocation;
  readonly 'lull.v1.Decision': Decision;
  readonly 'lull.v1.Outcome': Outcome;
  readonly 'lull.v1.ItemChange': ItemChange;
  readonly 'lull.v1.ItemInterest': ItemInterest;
}

export type RecordName = keyof RecordTypes;

/** What `encode` takes: fields with a default in the schema may be left out. */
export interface EncodableTypes extends Omit<RecordTypes, 'lull.v1.ProductEvent' | 'lull.v1.Control'> {
  readonly 'lull.v1.ProductEvent': Omit<ProductEvent, 'sentAt' | 'imported'> & Partial<Pick<ProductEvent, 'sentAt' | 'imported'>>;
  readonly 'lull.v1.Control': {
    readonly tick?: (Pick<Tick, 'maxTimers'> & Partial<Tick>) | null;
    readonly forward?: Forward | null;
    readonly ingested?: Ingested | null;
    readonly fanOut?: FanOut | null;
    readonly topology?: TopologyInForce | null;
  };
}

/** `value` is what `record` says. */
export type DecodedValue = { readonly [Name in RecordName]: { readonly record: Name; readonly value: RecordTypes[Name] } }[RecordName];
