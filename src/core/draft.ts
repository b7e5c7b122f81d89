import type { ProgramIndex } from './program-index.ts';
import type { Decision, Effects, Interest, Revocation, SendCommand } from './output.ts';
import type { Program } from './program.ts';
import type { UserState } from './state.ts';

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
  /** null until the first effect: most events have none. */
  effects: DraftEffects | null;
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
