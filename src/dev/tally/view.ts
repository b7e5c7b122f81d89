import type { Properties } from '../../core/event.ts';
import type { Check } from '../../core/output.ts';

/**
 * What the tally tells of the topics: plain JSON, for the page and for the last line of `lull dev`. No push address is ever in it. Times are
 * milliseconds since the epoch, by the broker's clock.
 */
export interface Figures {
  /** Product events on the timeline, `$profile` and the like included; ticks, what senders report back and what happens to items not. */
  readonly events: number;
  /** Session windows that were opened: the sum over the users in the processor's changelog. */
  readonly sessions: number;
  readonly openSessions: number;
  /** Events that changes of items became: one for each person who is interested. */
  readonly told: number;
  readonly decisions: number;
  /** The decisions by their journey. `heldBack`: everything but sent. */
  readonly journeys: Readonly<Record<string, { readonly sent: number; readonly heldBack: number }>>;
  /** Send commands on the dispatch topic. In the end, `accepted` + all of `undelivered`. */
  readonly commands: number;
  /** Commands that a provider accepted for at least one device. */
  readonly accepted: number;
  /** Candidates that the gate stopped, by the first check that failed. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Commands that no device took, by why. */
  readonly undelivered: Readonly<Record<string, number>>;
  /** (command, device) pairs that were POSTed again though the first may have been delivered, counted at the local push services. */
  readonly duplicates: number;
  readonly deadLetters: number;
}

export interface EventView {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly atMs: number;
  /** What it tells of: what the person did, what happened to an item that interests them, or what a sender reports back. */
  readonly of: 'person' | 'item' | 'sender';
  /** Those that a person would want to read; never a push address. */
  readonly properties: Properties;
}

export interface PersonView {
  readonly userId: string;
  /** From `$profile`; null where nobody said. */
  readonly name: string | null;
  readonly sessions: number;
  readonly session: { readonly id: string; readonly startMs: number; readonly lastMs: number; readonly count: number } | null;
  /** What the processor waits for: at `dueMs` the journey decides, unless something comes first. */
  readonly waits: readonly { readonly journey: string; readonly dueMs: number }[];
  readonly consent: Readonly<Record<string, 'in' | 'out'>>;
  readonly devices: readonly {
    readonly deviceId: string;
    readonly kind: string;
    readonly permission: string;
    readonly reachable: boolean;
  }[];
}

export interface DecisionView {
  /** Unique in the page's life. */
  readonly id: string;
  readonly userId: string;
  readonly name: string | null;
  readonly journey: string;
  readonly sent: boolean;
  readonly reason: string;
  readonly checks: readonly Check[];
  readonly commandId: string;
  readonly channel: string | null;
  readonly dueAtMs: number;
  readonly decidedAtMs: number;
}

export interface PushView {
  readonly commandId: string;
  readonly userId: string;
  readonly name: string | null;
  readonly journey: string;
  readonly title: string;
  readonly body: string;
  /** Address of the message's picture. */
  readonly image: string | null;
  readonly channel: string;
  readonly decidedAtMs: number;
  /** `waiting` until the first acceptance, or until every device has its final answer. */
  readonly state: 'waiting' | 'accepted' | 'undelivered';
  /** Why undelivered; null otherwise. */
  readonly reason: string | null;
}

/** What changed since the last one was taken. Lists are oldest first and bounded: what does not fit is in the figures only. */
export interface Changes {
  readonly figures: Figures;
  readonly people: readonly PersonView[];
  readonly events: readonly EventView[];
  readonly decisions: readonly DecisionView[];
  readonly pushes: readonly PushView[];
}

/** One user, as far back as the tally remembers. Oldest first. */
export interface PersonHistory {
  readonly person: PersonView;
  readonly events: readonly EventView[];
  readonly decisions: readonly DecisionView[];
  readonly pushes: readonly PushView[];
}
