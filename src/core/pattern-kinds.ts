import type { Condition, EventMatcher } from './condition.ts';
import type { Scalar } from './event.ts';

export type Pattern =
  | { readonly kind: 'event'; readonly on: EventMatcher }
  | SequencePattern
  | CountPattern
  | MilestonePattern
  | StreakPattern
  | AttributePattern
  | DatePattern
  | ItemPattern
  /** No activity for `forMs` (append time) after `since`, or after any activity where `since` is null. */
  | { readonly kind: 'inactive'; readonly since: EventMatcher | null; readonly forMs: number }
  /** The session has ended (last + gap) and `delayMs` have passed; `where` sees the session as it ended in `trigger.session`. */
  | { readonly kind: 'session_ended'; readonly where: Condition | null; readonly delayMs: number };

/**
 * Events in an order, in event time: `on`, then the links, all before `withinMs` have passed since `on`. Of several `on` in a row the last counts.
 *
 * - Without `withoutId` it comes true with its last event, whichever of them reaches us last, and uses up what it was made of.
 * - With `withoutId` it comes true at the deadline, if nothing of that tracker came behind the last. Without links this is an absence; its tracker includes `on`.
 */
export interface SequencePattern {
  readonly kind: 'sequence';
  readonly on: EventMatcher;
  readonly links: readonly SequenceLink[];
  readonly withoutId: string | null;
  readonly withinMs: number;
}

export interface SequenceLink {
  /** The tracker of the event that has to come. */
  readonly trackerId: string;
  /** The tracker of what must not come between the event before and this one; null = anything may. */
  readonly withoutId: string | null;
}

/** `times` of `on`, each at most used once: the last of them less than `withinMs` behind the first, or all in one session where that is null. */
export interface CountPattern {
  readonly kind: 'count';
  readonly on: EventMatcher;
  /** Of `on`. */
  readonly trackerId: string;
  /** The tracker of what must not come between the first and the last; null = anything may. */
  readonly withoutId: string | null;
  readonly times: number;
  readonly withinMs: number | null;
}

/**
 * A change (`on`) of an item that the user is interested in: `times` of a tracker's moments less than `withinMs` before it, and nothing of `withoutId` behind the last of them. Both
 * trackers are kept per item, which is the journey's key.
 */
export interface ItemPattern {
  readonly kind: 'item';
  readonly on: EventMatcher;
  readonly trackerId: string;
  /** The tracker of what ends the interest; null = nothing but time. */
  readonly withoutId: string | null;
  readonly times: number;
  readonly withinMs: number;
}

/** The event that makes the number of its kind, over the lifetime, one of these. The occurrence is the number. */
export interface MilestonePattern {
  readonly kind: 'milestone';
  readonly on: EventMatcher;
  readonly tallyId: string;
  readonly isReached: (count: number) => boolean;
}

/** So many days in a row, in the user's zone, each with the event. */
export interface StreakPattern {
  readonly kind: 'streak';
  readonly on: EventMatcher;
  readonly tallyId: string;
  readonly isReached: (days: number) => boolean;
  /** null: at the event that makes it so long. Else: on the day behind it, at this local time, if that day has none yet. */
  readonly breaksAtMinutes: number | null;
}

/** A change of what an attribute, or a condition on attributes (a segment), was before. */
export interface AttributePattern {
  readonly kind: 'attribute';
  /** The attribute whose values `trigger.from` and `trigger.to` are; null of a segment. */
  readonly attribute: string | null;
  /** Of a segment: the attributes that its condition reads. Not given where it may be any; a change of others is not looked at. */
  readonly reads?: ReadonlySet<string>;
  readonly changed: (before: Attributes, after: Attributes) => boolean;
}

/** At a date that an attribute names, in milliseconds since the epoch: before, at or after it. A changed attribute moves it; one that has passed is left out. */
export interface DatePattern {
  readonly kind: 'date';
  readonly attribute: string;
  readonly offsetMs: number;
  /** At this local time, on the day that it falls on; null = to the millisecond. */
  readonly atMinutes: number | null;
  readonly yearly: boolean;
}

export type Attributes = Readonly<Record<string, Scalar>>;
