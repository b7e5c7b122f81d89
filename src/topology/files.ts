import type { Scalar } from '../core/event.ts';
import type { ParamValue } from './params.ts';

/** The files' shapes once the schemas in `schemas/topology/` have accepted them and params are replaced. */
export interface TopologyFile {
  readonly description?: string;
  readonly params?: Readonly<Record<string, ParamValue>>;
  readonly session?: {
    readonly gap?: string;
    readonly active?: string;
    readonly sums?: Readonly<Record<string, { readonly on: string; readonly add: Expression }>>;
  };
  readonly max_event_age?: string;
  readonly time_zone?: string;
  readonly segments?: Readonly<Record<string, { readonly when: ConditionForm; readonly description?: string }>>;
  readonly profile?: Readonly<Record<string, PropertyForm>>;
  readonly channels?: Readonly<Record<string, { readonly device?: boolean; readonly description?: string } | null>>;
  readonly categories?: Readonly<Record<string, { readonly default: 'in' | 'out'; readonly description?: string }>>;
  readonly classes?: Readonly<Record<string, ClassForm>>;
  readonly caps?: Readonly<Record<string, CapForm>>;
  readonly limits?: Readonly<Partial<Record<LimitName, number>>>;
  readonly sources?: Readonly<Record<string, SourceForm>>;
}

export interface SourceForm {
  readonly description?: string;
  readonly topic: string;
  /** Whose event it is; or, in its place, which item's. */
  readonly user?: Expression;
  readonly item?: Expression;
  readonly when?: ConditionForm;
  readonly event: string | { readonly cel: Expression };
  readonly time?: Expression;
  readonly id?: Expression;
  readonly properties?: Readonly<Record<string, Expression>>;
}

export interface ClassForm {
  readonly consent: 'required' | 'not_needed';
  readonly capped: boolean;
  readonly promise: 'at_most_once' | 'at_least_once';
  readonly description?: string;
}

export interface CapForm {
  readonly max: number;
  readonly per: string;
  readonly category?: string;
  readonly channel?: string;
}

export type LimitName =
  'recent_event_ids' | 'matches_per_journey' | 'keys_per_tracker' | 'moments_per_key' | 'ledger' | 'devices' | 'profile_attributes';

/** `string`, `long?`, or the long form of it. */
export type PropertyForm = string | { readonly type: string; readonly description?: string };

export type EventsFile = Readonly<Record<string, EventForm | null>>;

export interface EventForm {
  readonly description?: string;
  readonly activity?: boolean;
  /** The property that names the item, where it is an item's change. */
  readonly item?: string;
  readonly properties?: Readonly<Record<string, PropertyForm>> | null;
}

/** CEL. YAML reads `true` and `3` as what they are: they are valid CEL all the same. */
export type Expression = string | number | boolean;
export type ConditionForm = string | boolean | null;
export type MatcherForm = string | { readonly event: string; readonly where?: ConditionForm; readonly per?: 'key' | 'user' };
export type MatchersForm = MatcherForm | readonly MatcherForm[];

export type SequenceElementForm = MatcherForm | { readonly without: MatchersForm };

export interface JourneyFile {
  readonly name: string;
  readonly description?: string;
  readonly on: string | OnForm;
  readonly key?: string;
  readonly audience?: ConditionForm;
  readonly cancel_on?: MatchersForm;
  readonly goal?: MatchersForm;
  readonly expires?: string;
  readonly reentry?: string;
  readonly priority?: number;
  readonly mode?: 'draft' | 'shadow' | 'live';
  readonly steps: readonly StepForm[];
  /** Where runs go on that wait at a step which is no longer there. */
  readonly moved?: Readonly<Record<string, string>>;
  /** How runs go on that began under an earlier version. */
  readonly in_flight?: 'follow' | 'pinned';
}

export type StepForm = SendForm | WaitForm | BranchForm | SplitForm | UpdateForm | ExitForm;

export interface WaitForm {
  readonly wait: string;
  readonly for?: string;
  readonly at?: string;
  readonly until?: UntilForm | readonly UntilForm[];
  readonly look_back?: 'trigger';
  readonly then?: readonly StepForm[];
  readonly else?: readonly StepForm[];
}

export type UntilForm =
  | MatcherForm
  | { readonly delivered: string }
  | { readonly opened: string }
  | { readonly clicked: string }
  | { readonly dismissed: string };

export interface BranchForm {
  readonly branch: string;
  readonly cases: readonly { readonly when: ConditionForm; readonly steps?: readonly StepForm[] }[];
  readonly else?: readonly StepForm[];
}

export interface SplitForm {
  readonly split: string;
  readonly salt?: string;
  /** `share` in percent. */
  readonly arms: readonly { readonly name: string; readonly share: number; readonly steps?: readonly StepForm[] }[];
}

export interface UpdateForm {
  readonly update: string;
  readonly set: Readonly<Record<string, Expression>>;
}

export interface ExitForm {
  readonly exit: string;
}

export interface OnForm {
  readonly event?: string;
  readonly where?: ConditionForm;
  readonly absence?: { readonly after: MatcherForm; readonly without: MatchersForm; readonly within: string };
  readonly count?: {
    readonly of: MatcherForm;
    readonly times: number;
    readonly within: string;
    readonly without?: MatchersForm;
  };
  readonly sequence?: { readonly of: readonly SequenceElementForm[]; readonly within: string };
  readonly inactive?: { readonly after?: MatcherForm; readonly for: string };
  readonly milestone?: { readonly of: MatcherForm; readonly at?: number | readonly number[]; readonly every?: number };
  readonly streak?: {
    readonly of: MatcherForm;
    readonly days?: number | readonly number[];
    readonly at_least?: number;
    readonly breaks_at?: string;
  };
  readonly attribute?: { readonly of: string; readonly from?: Scalar; readonly to?: Scalar };
  readonly segment?: { readonly entered?: string; readonly left?: string };
  readonly date?: { readonly of: string; readonly before?: string; readonly after?: string; readonly at?: string };
  readonly anniversary?: { readonly of: string; readonly at?: string };
  readonly item?: {
    readonly change: string;
    readonly where?: ConditionForm;
    readonly interest: { readonly of: MatchersForm; readonly times?: number; readonly within: string; readonly without?: MatchersForm };
  };
  readonly dormant?: { readonly for: string };
  readonly session_started?: { readonly where?: ConditionForm } | null;
  readonly session_ended?: { readonly where?: ConditionForm; readonly delay?: string } | null;
}

export interface SendForm {
  readonly send: string;
  readonly channels: readonly string[];
  readonly class: string;
  readonly category?: string;
  readonly template?: string;
  readonly ttl: string;
  readonly collapse_key?: string;
  readonly while_active?: 'drop' | { readonly hold: string } | { readonly channels: readonly string[] };
  readonly data?: Readonly<Record<string, Expression>>;
}

export interface TemplateFile {
  readonly name: string;
  readonly description?: string;
  readonly default: string;
  readonly messages: Readonly<Record<string, MessageForm>>;
}

export type MessageField = 'title' | 'body' | 'url' | 'image';

export interface MessageForm {
  readonly title: string | number;
  readonly body: string | number;
  readonly url?: string | number;
  readonly image?: string | number;
  readonly channels?: Readonly<Record<string, Readonly<Partial<Record<MessageField, string | number>>>>>;
}
