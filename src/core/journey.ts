import type { Condition, KeyOf, Scope } from './condition.ts';
import type { Scalar } from './event.ts';
import type { Content } from './output.ts';
import type { Pattern } from './pattern-kinds.ts';

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

export type Reentry =
  | { readonly kind: 'always' }
  | { readonly kind: 'once' }
  | { readonly kind: 'every'; readonly intervalMs: number }
  /** Once in each session of the user. */
  | { readonly kind: 'session' };

/** A step of a journey. `next` is an index in its steps behind this one, so that every run comes to an end; null = the run is over. */
export type JourneyStep = SendStep | WaitStep | BranchStep | SplitStep | UpdateStep | ExitStep;

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
