import type { Decision, SendCommand } from '../core/output.ts';

/** What the processor tells whoever watches. Called after the commit that made it true. */
export interface ProcessorObserver {
  /** Product and reserved events by type; a type that the catalogue does not know is `other`. */
  events(type: string, count: number): void;
  duplicates(count: number): void;
  /** Session windows that were opened. */
  sessionsOpened(count: number): void;
  decision(decision: Decision): void;
  command(command: SendCommand, latencySeconds: number): void;
  deadLetter(reason: string): void;
  lateSuppressions(count: number): void;
  /** How long behind their due time (in append time) timers fired. */
  timerFired(latenessSeconds: number): void;
  tick(): void;
  /** Records whose key belongs to another partition. */
  wrongPartition(count: number): void;
  /** Interest in items: that it began, was prolonged or ended. */
  interests(count: number): void;
}

const nothing = (): void => undefined;

/** The null twin. */
export const silentProcessorObserver: ProcessorObserver = {
  events: nothing,
  duplicates: nothing,
  sessionsOpened: nothing,
  decision: nothing,
  command: nothing,
  deadLetter: nothing,
  lateSuppressions: nothing,
  timerFired: nothing,
  tick: nothing,
  wrongPartition: nothing,
  interests: nothing,
};
