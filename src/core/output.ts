import type { Position } from './event.ts';

/** What a step asks the shell to write. Everything in it is a function of the log, never of clock, attempt or batch. */
export interface Effects {
  readonly commands: readonly SendCommand[];
  readonly revocations: readonly Revocation[];
  readonly decisions: readonly Decision[];
  readonly interests: readonly Interest[];
  /** Suppressors and goals that came after the send they would have stopped. */
  readonly lateSuppressions: number;
  /** The event was seen before (its id is in the ring): nothing happened. */
  readonly duplicate: boolean;
}

/**
 * That a user is interested in an item: whoever keeps the items tells them of its changes of one type. A later one of the same user, item and change takes the place of the earlier.
 * It only says whom to tell: whether the user is interested enough is asked of the user's own log when the change has come.
 */
export interface Interest {
  /** The key of the topic of items. */
  readonly itemId: string;
  /** The type of the changes, as in the catalogue. */
  readonly change: string;
  readonly userId: string;
  /** Of changes that happened before this; 0 = of none any more. */
  readonly untilMs: number;
}

export interface Content {
  readonly title: string;
  readonly body: string;
  readonly url: string | null;
  readonly image: string | null;
}

/** `lull.v1.SendCommand` */
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
  /** The moment that the pattern became true: its deadline, or the event's time. */
  readonly dueAtMs: number;
  /** `now` of the decision. */
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

export interface CommandTrigger extends Position {
  readonly eventId: string;
}

export interface TargetDevice {
  readonly deviceId: string;
  readonly kind: string;
  readonly value: string;
}

/** `lull.v1.Revocation`: a command without a final outcome is no longer wanted. */
export interface Revocation {
  readonly commandId: string;
  readonly userId: string;
  readonly channel: string;
  readonly reason: string;
  readonly atMs: number;
}

/** `lull.v1.Decision`: one per candidate, and one where a run ends early. */
export interface Decision {
  readonly userId: string;
  readonly journey: string;
  readonly step: string;
  readonly occurrence: string;
  readonly key: string;
  /** `exited`: not about a message: a run ended at the step, before its end. */
  readonly outcome: 'sent' | 'rejected' | 'exited';
  /** `sent`, or the first check that failed: `suppressed`, `goal`, `expired`, `audience`, `consent`, `permission`, `no_device`, `active` (the user is in the app), `duplicate`, `reentry`, `cap`, `priority` (another of that moment was sent), `render_error`, `shadow` (it would have been sent); `condition_error`; `limit` (too many of the journey waited); of a run that exited: `goal`, `suppressed`, `exit` (at a step of that kind), `step_removed`, `journey_removed` (an edit has taken it away, and the run is not pinned). */
  readonly reason: string;
  /** Every check in the gate's order, also behind the first that failed. */
  readonly checks: readonly Check[];
  readonly commandId: string;
  readonly channel: string | null;
  readonly trigger: CommandTrigger;
  readonly dueAtMs: number;
  readonly decidedAtMs: number;
  readonly topology: string;
  readonly topologyHash: string;
}

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  /** For people: which event, how many of how many, until when. No personal data. */
  readonly detail: string;
}
