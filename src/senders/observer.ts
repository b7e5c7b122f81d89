/** What a sender tells whoever watches: metrics, logs, tests. Every call is cheap and must not throw. Labels are bounded; no personal data. */
export interface SenderObserver {
  /** One call's answer. `answerClass` and `code` as in `Answer`. */
  answer(provider: string, answerClass: string, code: string, seconds: number): void;
  /** The final outcome of one (command, device). */
  outcome(provider: string, outcomeClass: string, code: string | null): void;
  /** Of one partition, now. */
  load(provider: string, partition: number, inFlight: number, waiting: number): void;
  deadLetter(provider: string, reason: string): void;
  /** One line for people. */
  note(level: 'info' | 'warn' | 'error', message: string): void;
}

const nothing = (): void => undefined;

/** The null twin. */
export const silentSenderObserver: SenderObserver = {
  answer: nothing,
  outcome: nothing,
  load: nothing,
  deadLetter: nothing,
  note: nothing,
};
