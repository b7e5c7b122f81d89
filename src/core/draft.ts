import type { Event } from './event.ts';
import type { Moment } from './moments.ts';
import type { ProgramIndex } from './program-index.ts';
import type { Decision, Effects, Interest, Revocation, SendCommand } from './output.ts';
import type { Journey } from './journey.ts';
import type { Program } from './program.ts';
import type { Match, UserState } from './state.ts';

/** A user's state while one step works on it. Only its top level is mutable: what hangs below is shared with the state before, and replaced, never changed. */
export type Draft = { -readonly [K in keyof UserState]: UserState[K] };

/** One step at work: the draft, what it may read, and what it has to say so far. */
export interface Turn {
  readonly state: Draft;
  readonly nowMs: number;
  readonly program: Program;
  readonly index: ProgramIndex;
  /** Tallies that this step's event has changed; null where it has none. */
  grown: Map<string, { readonly before: readonly number[]; readonly after: readonly number[] }> | null;
  /** Runs that have come to a message and wait for the others of this moment; null where there are none. */
  candidates: Candidate[] | null;
  /** Of them, the one that was sent. */
  winner: Winner | null;
  /** null until the first effect: most events have none. */
  effects: DraftEffects | null;
}

/** A run on its way: from when on a wait counts, and behind which moment it looks for events. */
export interface Going {
  readonly run: Match;
  readonly journey: Journey;
  readonly event: Event | null;
  readonly doneMs: number;
  readonly since: Moment;
  /** It has sent a message: re-entry is not asked again. */
  readonly entered: boolean;
}

/** A run that has come to a message of which one moment lets only one through. `at`: the step's index. */
export interface Candidate {
  readonly going: Going;
  readonly at: number;
}

export interface Winner {
  readonly journey: string;
  readonly occurrence: string;
  readonly priority: number;
}

interface DraftEffects {
  readonly commands: SendCommand[];
  readonly revocations: Revocation[];
  readonly decisions: Decision[];
  readonly interests: Interest[];
  lateSuppressions: number;
  readonly duplicate: false;
}

/** The new state, and what the shell has to write with it, in one transaction. */
export interface Step {
  readonly state: UserState;
  readonly effects: Effects;
}

export const NO_EFFECTS: Effects = Object.freeze({
  commands: Object.freeze([]),
  revocations: Object.freeze([]),
  decisions: Object.freeze([]),
  interests: Object.freeze([]),
  lateSuppressions: 0,
  duplicate: false,
});

/** An event whose id is in the ring: the state is unchanged. */
export const DUPLICATE: Effects = Object.freeze({ ...NO_EFFECTS, duplicate: true });

export function effectsOf(turn: Turn): DraftEffects {
  turn.effects ??= { commands: [], revocations: [], decisions: [], interests: [], lateSuppressions: 0, duplicate: false };
  return turn.effects;
}
