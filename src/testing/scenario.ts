import type { Properties, Scalar } from '../core/event.ts';
import type { Program } from '../core/program.ts';
import type { Place } from '../topology/source.ts';
import type { AppendedEvent } from './simulation.ts';

/** A scenario, checked and with absolute times: what happens, and everything that must come of it. */
export interface Scenario {
  readonly name: string;
  /** What it proves, by id (`A6`). */
  readonly features: readonly string[];
  readonly file: string;
  readonly place: Place;
  readonly userId: string;
  readonly startMs: number;
  readonly steps: readonly TimelineStep[];
  /** null: until nothing waits any more. */
  readonly untilMs: number | null;
  readonly expected: readonly Expected[];
  readonly never: readonly { readonly journey: string; readonly place: Place }[];
}

export type TimelineStep =
  | { readonly kind: 'append'; readonly atMs: number; readonly event: AppendedEvent; readonly place: Place }
  /** A change of an item, `event` as it reaches the user, if they are interested. */
  | { readonly kind: 'change'; readonly atMs: number; readonly itemId: string; readonly event: AppendedEvent; readonly place: Place }
  /** A report of the device about the message that a step sent last. */
  | {
      readonly kind: 'answer';
      readonly atMs: number;
      readonly type: string;
      readonly eventId: string;
      readonly journey: string;
      readonly step: string;
      readonly place: Place;
    }
  /** Whatever is due by now is decided before what comes next in the list. */
  | { readonly kind: 'tick'; readonly atMs: number }
  /** From here on this program is in force: an edit of the one before. */
  | { readonly kind: 'edit'; readonly atMs: number; readonly program: Program }
  | { readonly kind: 'down'; readonly atMs: number; readonly untilMs: number }
  | { readonly kind: 'waiting'; readonly atMs: number; readonly expected: readonly Waiting[]; readonly place: Place };

export interface Waiting {
  readonly journey: string;
  /** The wait where the run stands; null: not looked at. */
  readonly step: string | null;
  readonly key: string | null;
  readonly untilMs: number | null;
}

/** A decision or a revocation that must come. Fields that are not there are not looked at. */
export interface Expected {
  readonly kind: 'sent' | 'rejected' | 'revoked' | 'exited';
  readonly atMs: number;
  readonly fields: Readonly<Record<string, string | null>>;
  readonly place: Place;
}

// The files' form, once schemas/topology/scenarios.schema.json has accepted it.

export interface ScenariosFile {
  readonly defaults?: DefaultsForm;
  readonly scenarios: readonly ScenarioForm[];
}

export interface DefaultsForm {
  readonly user?: string;
  readonly start?: string;
  readonly given?: FactsForm;
  readonly events?: Readonly<Record<string, Properties>>;
}

export interface FactsForm {
  readonly profile?: Properties;
  readonly devices?: readonly DeviceForm[];
  readonly consent?: Readonly<Record<string, 'in' | 'out'>>;
}

export type DeviceForm =
  | string
  | {
      readonly id?: string;
      readonly kind: string;
      readonly permission?: string;
      readonly locale?: string;
      readonly zone?: string;
      readonly app_version?: string;
    };

export interface ScenarioForm {
  readonly name: string;
  readonly features?: readonly string[];
  readonly user?: string;
  readonly start?: string;
  readonly given?: FactsForm;
  readonly timeline: readonly EntryForm[];
  readonly until?: string;
  readonly expect: {
    readonly sent?: readonly SentForm[];
    readonly rejected?: readonly ExpectedForm[];
    readonly revoked?: readonly ExpectedForm[];
    readonly exited?: readonly ExpectedForm[];
    readonly never?: readonly string[];
  };
}

export interface EntryForm extends FactsForm {
  readonly at: string;
  readonly event?: string;
  /** A change of an item. */
  readonly item?: string;
  readonly with?: Properties;
  readonly occurred?: string;
  readonly sent?: string;
  readonly id?: string;
  readonly imported?: boolean;
  readonly delivered?: string;
  readonly opened?: string;
  readonly clicked?: string;
  readonly dismissed?: string;
  /** Whose message it is, where several journeys have a step of that name. */
  readonly journey?: string;
  readonly tick?: true;
  readonly down_for?: string;
  readonly edit?: readonly string[] | { readonly journeys?: readonly string[]; readonly remove?: readonly string[] };
  readonly waiting?: readonly { readonly journey: string; readonly step?: string; readonly key?: string; readonly until?: string }[];
}

export interface ExpectedForm {
  readonly at: string;
  readonly journey: string;
  readonly step?: string;
  readonly key?: string;
  readonly occurrence?: string;
  readonly reason?: string;
}

export interface SentForm extends ExpectedForm {
  readonly channel?: string;
  readonly devices?: readonly string[];
  readonly title?: string;
  readonly body?: string;
  readonly url?: string | null;
  readonly image?: string | null;
  readonly data?: Readonly<Record<string, Scalar>>;
}
