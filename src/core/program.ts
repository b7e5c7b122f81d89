import type { Event, Scalar } from './event.ts';
import type { Content } from './output.ts';
import type { Trigger, UserState } from './state.ts';

/**
 * A compiled topology: what `topology/` makes of files and the core runs. Durations are milliseconds. Functions are pure
 * and may throw only `EvaluationError` (a condition or a template that cannot be evaluated: not sent, recorded).
 */
export interface Program {
  /** The topology's name (its folder). */
  readonly name: string;
  /** Hash of the checked topology's canonical text, with its params applied. */
  readonly hash: string;
  /** Its number among the versions that were published, ascending; 0 where nothing is published (a scenario, historical input). */
  readonly version: number;
  /** The prefix: one app, one prefix. Part of every command id. */
  readonly app: string;
  readonly sessionGapMs: number;
  /** For so long after the last activity (append time) a user counts as being in the app. */
  readonly activeMs: number;
  readonly maxEventAgeMs: number;
  /** IANA zone of users of whom none is known. */
  readonly timeZone: string;
  /** The catalogue. A type that is not in it changes nothing but the dedup ring. */
  readonly eventTypes: ReadonlyMap<string, EventType>;
  readonly sums: readonly SessionSum[];
  readonly trackers: readonly Tracker[];
  readonly tallies: readonly Tally[];
  readonly journeys: readonly Journey[];
  readonly classes: ReadonlyMap<string, MessageClass>;
  /** Consent categories; the default holds for a user who never said. */
  readonly categories: ReadonlyMap<string, { readonly consent: 'in' | 'out' }>;
  /** Channels; `device: false` needs no registered device (bench, log). */
  readonly channels: ReadonlyMap<string, { readonly device: boolean }>;
  readonly caps: readonly Cap[];
  readonly limits: Limits;
  /** Journeys of earlier versions, for the runs that are pinned to them (`pinned.ts`). Default none. */
  readonly retired?: readonly RetiredJourney[];
}

/** A journey as a version had it. It starts nothing. */
export interface RetiredJourney {
  readonly version: number;
  readonly journey: Journey;
}

export interface EventType {
  readonly type: string;
  /** Feedback and back-office events do not count as activity: they open no session and end no silence. */
  readonly activity: boolean;
  /** The property that names the item, where it is an item's change: told to those who are interested, and by the topic of items. */
  readonly item?: string;
}

/** A sum over a session's events, kept because a journey asks for it. */
export interface SessionSum {
  readonly name: string;
  readonly type: string;
  readonly value: (event: Event) => number;
}

/**
 * Remembers the last moments of the events that negate or cancel, per correlation key, so that a pattern is exact however late an
 * event arrives. Same definition, same tracker: its id is made from the definition.
 */
export interface Tracker {
  readonly id: string;
  readonly matches: readonly EventMatcher[];
  /** null = per user. */
  readonly key: KeyOf | null;
  /** Moments older than this (against `now`) are forgotten. */
  readonly keepMs: number;
  /** Moments kept per key, latest first to stay. */
  readonly cap: number;
  /** A condition that cannot be evaluated counts as met where the tracker holds something back, and as not met where it leads to a message. */
  readonly restrains: boolean;
}

export interface EventMatcher {
  /** A type of the catalogue, or `*`: every activity. */
  readonly type: string;
  readonly where: Condition | null;
}

/** The value of the correlation key in this event; null where the event has none (then it matches nothing keyed). */
export type KeyOf = (event: Event) => string | null;

export type Condition = (scope: Scope) => boolean;

/** What conditions, templates and data expressions may read. `user.*` and `session.*` are read at the moment of evaluation, `trigger.*` was captured. */
export interface Scope {
  readonly event: Event | null;
  readonly trigger: Trigger | null;
  readonly state: UserState;
  readonly nowMs: number;
}

export interface Journey {
  readonly name: string;
  /** The journey's correlation key; null = per user. */
  readonly key: KeyOf | null;
  readonly pattern: Pattern;
  /** Names of the trigger's properties that templates, data and conditions read; only these are kept. */
  readonly capture: readonly string[];
  readonly captureSession: boolean;
  /** Whatever of these is in the log at firing and not older than the trigger cancels. Ids of trackers; `goal` names the reason. */
  readonly cancelOn: readonly { readonly trackerId: string; readonly label: string; readonly goal: boolean }[];
  /** A candidate later than this after its due moment is `expired` (downtime); null = never. */
  readonly expiresAfterMs: number | null;
  readonly audience: Condition | null;
  readonly reentry: Reentry;
  /** Of the messages that one moment brings to a user, that of the journey with the highest priority goes out; null = it takes no part in that. */
  readonly priority: number | null;
  /** Decides as if it were live, and sends nothing. */
  readonly shadow: boolean;
  /** The first is where a run begins; each says where it goes on. */
  readonly steps: readonly JourneyStep[];
  /** Where a run goes on that waits at a step which an edit has removed: old name -> name of a wait that is there. */
  readonly moved: ReadonlyMap<string, string>;
  /** How runs go on that began under an earlier version: by these steps, or by those that they began with. Default `follow`. */
  readonly inFlight?: 'follow' | 'pinned';
}

/** A step of a journey. `next` is an index in its steps behind this one, so that every run comes to an end; null = the run is over. */
export type JourneyStep = SendStep | WaitStep | BranchStep | SplitStep | UpdateStep | ExitStep;

/** Until one of some events comes, or its time is over. */
export interface WaitStep {
  readonly kind: 'wait';
  readonly name: string;
  /** From when the step before was done. */
  readonly forMs: number;
  /** And then until it is so many minutes past midnight where the user is; null = not. */
  readonly atMinutes: number | null;
  readonly until: readonly WaitUntil[];
  /** Look back for events from the trigger on, not from the step before. */
  readonly fromTrigger: boolean;
  /** When the time is over. */
  readonly next: number | null;
}

export interface WaitUntil {
  /** The tracker of the events that end the wait. */
  readonly trackerId: string;
  /** Which value of the tracker's key counts: the run's key, or its occurrence (an answer to this run's own message). */
  readonly by: 'key' | 'occurrence';
  readonly next: number | null;
}

/** The first case that holds; `next` where none does. One that cannot be evaluated does not hold. */
export interface BranchStep {
  readonly kind: 'branch';
  readonly name: string;
  readonly cases: readonly { readonly when: Condition; readonly next: number | null }[];
  readonly next: number | null;
}

/** By a hash of salt and user, never by a draw. Growing an arm only adds users to it, if it is the first. */
export interface SplitStep {
  readonly kind: 'split';
  readonly name: string;
  readonly salt: string;
  /** `upTo` of 10,000 buckets, ascending; the last has all that are left. */
  readonly arms: readonly { readonly name: string; readonly upTo: number; readonly next: number | null }[];
}

/** Sets attributes of the user; one whose value cannot be computed, or is too long, and a new one that there is no room for, stays as it is. */
export interface UpdateStep {
  readonly kind: 'update';
  readonly name: string;
  readonly set: ReadonlyMap<string, (scope: Scope) => Scalar>;
  readonly next: number | null;
}

export interface ExitStep {
  readonly kind: 'exit';
  readonly name: string;
}

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

/** Counts an event over the lifetime, or the days that had one: lasting, and small. Same definition, same tally. */
export interface Tally {
  readonly id: string;
  readonly of: 'events' | 'days';
  readonly on: EventMatcher;
  readonly key: KeyOf | null;
}

export type Reentry =
  | { readonly kind: 'always' }
  | { readonly kind: 'once' }
  | { readonly kind: 'every'; readonly intervalMs: number }
  /** Once in each session of the user. */
  | { readonly kind: 'session' };

export interface SendStep {
  readonly kind: 'send';
  readonly name: string;
  /** In order of preference: the first with a reachable device is used. */
  readonly channels: readonly string[];
  readonly class: string;
  readonly category: string | null;
  /** How long the message is worth showing, from the decision. */
  readonly ttlMs: number;
  readonly collapseKey: string | null;
  /** null: the command carries data only. The channel is the one that was chosen: a template may say it differently there. */
  readonly render: ((scope: Scope, locale: string | null, channel: string) => Content) | null;
  readonly data: (scope: Scope) => Readonly<Record<string, string>>;
  /** What becomes of it while the user is in the app; null = it goes out all the same. */
  readonly whileActive: WhileActive | null;
  readonly next: number | null;
}

export type WhileActive =
  /** It waits until the user has left, at most so long from when it was due; then it is left out. */
  | { readonly kind: 'hold'; readonly atMostMs: number }
  /** It goes out on these channels instead. */
  | { readonly kind: 'instead'; readonly channels: readonly string[] }
  /** It is left out. */
  | { readonly kind: 'drop' };

export interface MessageClass {
  readonly name: string;
  readonly promise: 'at_most_once' | 'at_least_once';
  /** Transactional: needs no consent, is not stopped by caps. */
  readonly needsConsent: boolean;
  readonly capped: boolean;
}

/** At most `max` messages in a rolling window. */
export interface Cap {
  readonly name: string;
  readonly max: number;
  readonly windowMs: number;
  readonly category: string | null;
  readonly channel: string | null;
}

export interface Limits {
  readonly recentEventIds: number;
  readonly matchesPerJourney: number;
  readonly keysPerTracker: number;
  readonly ledger: number;
  readonly devices: number;
  readonly profileAttributes: number;
}

/** A condition, template or data expression could not be evaluated (missing value, wrong type at run time). */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}
