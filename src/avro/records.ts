/** What the schemas in `schemas/` are in TypeScript. Times are milliseconds since the epoch. */
export interface ProductEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly occurredAt: number;
  readonly properties: Readonly<Record<string, Scalar>>;
  readonly sentAt: number | null;
  readonly imported: boolean;
}

export type Scalar = null | boolean | number | string;

/** Exactly one field is not null; all are null for a kind that this version does not know. */
export interface Control {
  readonly tick: Tick | null;
}

export interface Tick {
  readonly maxTimers: number;
  readonly upTo: number | null;
  readonly nonce: string;
}

export interface SendCommand {
  readonly commandId: string;
  readonly app: string;
  readonly userId: string;
  readonly journey: string;
  readonly step: string;
  readonly occurrence: string;
  readonly class: string;
  readonly promise: 'at_most_once' | 'at_least_once';
  readonly category: string | null;
  readonly channel: string;
  readonly trigger: CommandTrigger;
  readonly dueAtMs: number;
  readonly decidedAtMs: number;
  readonly expiresAtMs: number;
  readonly ttlMs: number;
  readonly collapseKey: string | null;
  readonly content: Content | null;
  readonly data: Readonly<Record<string, string>>;
  readonly devices: readonly TargetDevice[];
  readonly topologyHash: string;
  readonly traceParent: string | null;
}

export interface CommandTrigger {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly eventId: string;
}

export interface Content {
  readonly title: string;
  readonly body: string;
  readonly url: string | null;
  readonly image: string | null;
}

export interface TargetDevice {
  readonly deviceId: string;
  readonly kind: string;
  readonly value: string;
}

export interface Revocation {
  readonly commandId: string;
  readonly userId: string;
  readonly channel: string;
  readonly reason: string;
  readonly atMs: number;
}

export interface Decision {
  readonly userId: string;
  readonly journey: string;
  readonly step: string;
  readonly occurrence: string;
  readonly key: string;
  readonly outcome: 'sent' | 'rejected';
  readonly reason: string;
  readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[];
  readonly commandId: string;
  readonly channel: string | null;
  readonly trigger: CommandTrigger;
  readonly dueAtMs: number;
  readonly decidedAtMs: number;
  readonly topology: string;
  readonly topologyHash: string;
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
}

export type RecordName = keyof RecordTypes;

/** What `encode` takes: fields with a default in the schema may be left out. */
export interface EncodableTypes extends Omit<RecordTypes, 'lull.v1.ProductEvent' | 'lull.v1.Control'> {
  readonly 'lull.v1.ProductEvent': Omit<ProductEvent, 'sentAt' | 'imported'> & Partial<Pick<ProductEvent, 'sentAt' | 'imported'>>;
  readonly 'lull.v1.Control': { readonly tick: Pick<Tick, 'maxTimers'> & Partial<Tick> };
}

/** `value` is what `record` says. */
export type DecodedValue = { readonly [Name in RecordName]: { readonly record: Name; readonly value: RecordTypes[Name] } }[RecordName];
