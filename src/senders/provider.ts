import type { SendCommand, TargetDevice } from '../core/output.ts';

/**
 * What an answer means for the unit (command, device), whoever gave it:
 * - `ok`: the provider accepted it. Not delivered: only a device can say that.
 * - `retry`: provably not delivered; later.
 * - `drop`: provably not delivered, and never will be; the device is fine.
 * - `device`: the address is dead. The sender prunes nothing, it tells the timeline.
 * - `halt`: our own fault (credentials, project). Provably not delivered; this sender stops without moving on.
 * - `ambiguous`: it may have been delivered. The command's promise decides.
 */
export type AnswerClass = 'ok' | 'retry' | 'drop' | 'device' | 'halt' | 'ambiguous';

export interface Answer {
  readonly class: AnswerClass;
  /** From a bounded set: it becomes a metric label and a reason in outcomes. Never text of the provider, never the address. */
  readonly code: string;
  readonly providerMessageId?: string;
  /** What the provider asked for, in milliseconds from the answer. */
  readonly retryAfterMs?: number;
  /** How long the provider says that it keeps the message, where it says so. */
  readonly grantedTtlMs?: number;
}

export interface DeliverOptions {
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** What is left of the command's TTL. */
  readonly ttlMs: number;
  /** The call is given up: its answer is `ambiguous`, or `retry` where nothing was written. */
  readonly signal: AbortSignal;
}

/** One way to reach devices. Knows nothing of Kafka, retries or promises: one `deliver` is one visible attempt. */
export interface Provider {
  /** The sender's name: `fcm`, `webpush`. Also the `channel` of its commands and the `kind` of its devices. */
  readonly name: string;
  /** One attempt, bounded by the provider's own deadline. Never rejects: whatever goes wrong is an answer. */
  deliver(command: SendCommand, device: TargetDevice, options: DeliverOptions): Promise<Answer>;
  close(): Promise<void>;
}
