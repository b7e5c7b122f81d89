import type { Decision, Effects, SendCommand } from '../core/output.ts';
import type { ProcessorObserver } from './observer.ts';

/** What the batch in work will be reported as, once it is committed. A batch that is rolled back was never there. */
export class Tally {
  readonly events = new Map<string, number>();
  readonly refused: string[] = [];
  readonly #commands: SendCommand[] = [];
  readonly #decisions: Decision[] = [];
  readonly #lateness: number[] = [];
  #duplicates = 0;
  #lateSuppressions = 0;
  #interests = 0;
  sessionsOpened = 0;
  wrongPartition = 0;
  ticks = 0;

  timerFired(latenessSeconds: number): void {
    this.#lateness.push(latenessSeconds);
  }

  event(type: string): void {
    this.events.set(type, (this.events.get(type) ?? 0) + 1);
  }

  effects(effects: Effects): void {
    this.#commands.push(...effects.commands);
    this.#decisions.push(...effects.decisions);
    this.#lateSuppressions += effects.lateSuppressions;
    this.#interests += effects.interests.length;
    if (effects.duplicate) this.#duplicates++;
  }

  /** `nowMs` is the wall clock after the commit. */
  report(observer: ProcessorObserver, nowMs: number): void {
    for (const [type, count] of this.events) observer.events(type, count);
    for (const decision of this.#decisions) observer.decision(decision);
    for (const command of this.#commands) observer.command(command, Math.max(0, nowMs - command.dueAtMs) / 1000);
    for (const reason of this.refused) observer.deadLetter(reason);
    for (const seconds of this.#lateness) observer.timerFired(seconds);
    for (let i = 0; i < this.ticks; i++) observer.tick();
    if (this.#duplicates > 0) observer.duplicates(this.#duplicates);
    if (this.#lateSuppressions > 0) observer.lateSuppressions(this.#lateSuppressions);
    if (this.#interests > 0) observer.interests(this.#interests);
    if (this.sessionsOpened > 0) observer.sessionsOpened(this.sessionsOpened);
    if (this.wrongPartition > 0) observer.wrongPartition(this.wrongPartition);
  }

  clear(): void {
    this.events.clear();
    this.refused.length = 0;
    this.#commands.length = 0;
    this.#decisions.length = 0;
    this.#lateness.length = 0;
    this.#duplicates = 0;
    this.#lateSuppressions = 0;
    this.#interests = 0;
    this.sessionsOpened = 0;
    this.wrongPartition = 0;
    this.ticks = 0;
  }
}
