import type { EventMatcher, KeyOf } from './condition.ts';
import type { Event } from './event.ts';
import type { Journey } from './journey.ts';

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

/** Counts an event over the lifetime, or the days that had one: lasting, and small. Same definition, same tally. */
export interface Tally {
  readonly id: string;
  readonly of: 'events' | 'days';
  readonly on: EventMatcher;
  readonly key: KeyOf | null;
}

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
