import type { SendCommand, TargetDevice } from '../core/output.ts';
import { failpoint } from '../engine/failpoint.ts';
import type { Clock } from '../engine/stage.ts';
import type { SenderObserver } from './observer.ts';
import type { Answer, Provider } from './provider.ts';
import type { UnitRef } from './row-index.ts';

export interface Answered {
  readonly ref: UnitRef;
  readonly answer: Answer;
  readonly sentAtMs: number;
}

export interface CallsOptions {
  readonly provider: Provider;
  readonly concurrency: number;
  readonly clock: Clock;
  readonly observer: SenderObserver;
  /** A call has ended. */
  readonly onAnswer: () => void;
}

/** The impure part: calls in flight, at most `concurrency`, and the answers that nobody has taken yet. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #abort = new AbortController();
  #answers: Answered[] = [];
  #inFlight = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Free places; answers that wait keep theirs, so that a slow commit slows the calls and not the memory. */
  get free(): number {
    return this.#options.concurrency - this.#inFlight - this.#answers.length;
  }

  get hasAnswers(): boolean {
    return this.#answers.length > 0;
  }

  start(ref: UnitRef, command: SendCommand, device: TargetDevice, attempt: number): void {
    failpoint('before-call');
    this.#inFlight++;
    void this.#call(ref, command, device, attempt);
  }

  take(): readonly Answered[] {
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  /** Ends every call in flight; their answers come at once. */
  abort(): void {
    this.#abort.abort();
  }

  async #call(ref: UnitRef, command: SendCommand, device: TargetDevice, attempt: number): Promise<void> {
    const { provider, clock, observer, onAnswer } = this.#options;
    const sentAtMs = clock.nowMs();
    // Not for longer than the journey says, nor past the end of the command's use.
    const ttlMs = Math.min(command.ttlMs, command.expiresAtMs - sentAtMs);
    let answer: Answer;
    try {
      answer = await provider.deliver(command, device, { attempt, ttlMs, signal: this.#abort.signal });
    } catch (error) {
      // A provider must not throw. If one does, nobody knows how far it got.
      observer.note('error', `sender ${provider.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      answer = { class: 'ambiguous', code: 'internal_error' };
    }
    failpoint('after-call');
    observer.answer(provider.name, answer.class, answer.code, (clock.nowMs() - sentAtMs) / 1_000);
    this.#inFlight--;
    this.#answers.push({ ref, answer, sentAtMs });
    onAnswer();
  }
}
