import type { Event } from './event.ts';
import type { Trigger, UserState } from './state.ts';

export type Condition = (scope: Scope) => boolean;

/** What conditions, templates and data expressions may read. `user.*` and `session.*` are read at the moment of evaluation, `trigger.*` was captured. */
export interface Scope {
  readonly event: Event | null;
  readonly trigger: Trigger | null;
  readonly state: UserState;
  readonly nowMs: number;
}

/** The value of the correlation key in this event; null where the event has none (then it matches nothing keyed). */
export type KeyOf = (event: Event) => string | null;

export interface EventMatcher {
  /** A type of the catalogue, or `*`: every activity. */
  readonly type: string;
  readonly where: Condition | null;
}

/** A condition, template or data expression could not be evaluated (missing value, wrong type at run time). */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}
