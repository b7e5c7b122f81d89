import { newDates } from '../core/attributes.ts';
import type { Event, Properties } from '../core/event.ts';
import type { Decision, Effects, Revocation, SendCommand } from '../core/output.ts';
import { stillNeeded, withEarlier, type EarlierVersion } from '../core/pinned.ts';
import type { Program } from '../core/program.ts';
import { emptyState, onEvent, onTimer, onTopology } from '../core/step.ts';
import type { Timer, UserState } from '../core/state.ts';
import { timersOf } from '../core/timers.ts';

/** An event as it is about to be appended. */
export interface AppendedEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  readonly occurredAtMs: number;
  readonly sentAtMs: number | null;
  readonly properties: Properties;
  readonly imported: boolean;
}

/** Everything that came out, in order. */
export interface Output {
  readonly commands: readonly SendCommand[];
  readonly decisions: readonly Decision[];
  readonly revocations: readonly Revocation[];
  readonly lateSuppressions: number;
  readonly duplicates: number;
}

const TOPIC = 'timeline';

/**
 * One partition of the timeline in virtual time, over the same core that runs in production. Time moves only by ticks, as there: a tick is appended when
 * something is due, takes an offset, and fires what is due at or before its time in (due, user, timer) order. Timers that are armed while firing and already
 * due take part in the same tick.
 */
export class Simulation {
  /** In force, with what earlier ones still have runs for. */
  #program: Program;
  #own: Program;
  #earlier: readonly EarlierVersion[] = [];
  readonly #users = new Map<string, UserState>();
  readonly #commands: SendCommand[] = [];
  readonly #decisions: Decision[] = [];
  readonly #revocations: Revocation[] = [];
  readonly #waits = new Set<string>();
  /** Until when who is interested in which item's changes: what the stage of items keeps. */
  readonly #interests = new Map<string, number>();
  #lateSuppressions = 0;
  #duplicates = 0;
  #nowMs: number;
  #offset = 0;
  /** No tick before this: the processor is down. */
  #downUntilMs: number;
  readonly #allowedLatenessMs: number | null;

  /**
   * @param allowedLatenessMs for historical input: a tick for each due time that lies further than this before a record. Without it, ticks are
   * those of a live processor.
   */
  constructor(program: Program, startMs: number, { allowedLatenessMs }: { readonly allowedLatenessMs?: number } = {}) {
    this.#program = this.#own = program;
    this.#allowedLatenessMs = allowedLatenessMs ?? null;
    this.#nowMs = startMs;
    this.#downUntilMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get output(): Output {
    return {
      commands: this.#commands,
      decisions: this.#decisions,
      revocations: this.#revocations,
      lateSuppressions: this.#lateSuppressions,
      duplicates: this.#duplicates,
    };
  }

  /** Waits in which a run has stood, as `journey/step`: they decide nothing. */
  get waits(): ReadonlySet<string> {
    return this.#waits;
  }

  stateOf(userId: string): UserState {
    return this.#users.get(userId) ?? emptyState(userId);
  }

  /**
   * Appends an event at `atMs`. Everything due before that moment has been decided by then; what is due at that very moment is decided
   * behind the event, by the next tick.
   */
  append(event: AppendedEvent, atMs: number): void {
    this.#tickTo(atMs - (this.#allowedLatenessMs ?? 0), false);
    this.#nowMs = Math.max(this.#nowMs, atMs);
    const record: Event = { ...event, topic: TOPIC, partition: 0, offset: this.#offset++, appendedAtMs: atMs, traceParent: null };
    const { state, effects } = onEvent(this.stateOf(event.userId), record, this.#nowMs, this.#program);
    this.#keep(state, effects);
  }

  /** A change of an item: it is told to the event's user, if they are interested in it by then. Returns whether it was. */
  change(itemId: string, event: AppendedEvent, atMs: number): boolean {
    this.#tickTo(atMs - (this.#allowedLatenessMs ?? 0), false);
    const untilMs = this.#interests.get(interestOf(itemId, event.type, event.userId)) ?? 0;
    if (untilMs <= Math.min(event.occurredAtMs, atMs)) return false;
    this.append(event, atMs);
    return true;
  }

  /** Another version is in force from `atMs` on; what is due at that very moment is decided by it. */
  activate(program: Program, atMs: number): void {
    this.#tickTo(atMs - (this.#allowedLatenessMs ?? 0), false);
    this.#nowMs = Math.max(this.#nowMs, atMs);
    const position = { topic: TOPIC, partition: 0, offset: this.#offset++ };
    const dates = newDates(this.#own, program);
    this.#earlier = stillNeeded([...this.#earlier, { program: this.#own, replacedAtMs: this.#nowMs }], this.#nowMs);
    this.#own = program;
    this.#program = withEarlier(
      program,
      this.#earlier.map((one) => one.program),
    );
    for (const state of this.#users.values()) {
      const step = onTopology(state, dates, { ...position, number: program.version, atMs: this.#nowMs }, this.#program);
      this.#keep(step.state, step.effects);
    }
  }

  /** Time passes, `atMs` included: whatever is due until then is decided. */
  passTo(atMs: number): void {
    this.#tickTo(atMs, true);
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  /** Nothing is decided until `untilMs`: the processor is down. Events are still appended. */
  stopUntil(untilMs: number): void {
    this.#downUntilMs = Math.max(this.#downUntilMs, untilMs);
  }

  /** When the next thing is due that somebody waits for: a pattern, or the end of a session. null where nothing is. */
  nextDueMs(): number | null {
    let next: number | null = null;
    for (const { timer } of this.#timers()) {
      // What only tidies up would keep a scenario running for months.
      if (timer.id !== 'tidy' && (next === null || timer.dueMs < next)) next = timer.dueMs;
    }
    return next === null ? null : Math.max(next, this.#nowMs, this.#downUntilMs);
  }

  #tickTo(limitMs: number, inclusive: boolean): void {
    for (;;) {
      const first = this.#firstDue(Infinity);
      if (first === null) return;
      // A live tick takes the broker's time; one of historical input has its due time, though `now` may be further.
      const nowMs = Math.max(first.timer.dueMs, this.#nowMs, this.#downUntilMs);
      const tickMs = this.#allowedLatenessMs === null ? nowMs : first.timer.dueMs;
      if (inclusive ? tickMs > limitMs : tickMs >= limitMs) return;
      this.#nowMs = nowMs;
      // Nothing is written to historical input.
      if (this.#allowedLatenessMs === null) this.#offset++;
      for (let due = this.#firstDue(tickMs); due !== null; due = this.#firstDue(tickMs)) this.#fire(due.userId, due.timer);
    }
  }

  #fire(userId: string, timer: Timer): void {
    const before = this.stateOf(userId);
    const { state, effects } = onTimer(before, timer, this.#nowMs, this.#program);
    if (state === before) throw new Error(`timer ${timer.id} of ${userId} fires without an end`);
    this.#keep(state, effects);
  }

  /** The first timer at or before `limitMs`, in (due, user, timer) order. */
  #firstDue(limitMs: number): Due | null {
    let first: Due | null = null;
    for (const candidate of this.#timers()) {
      if (candidate.timer.dueMs <= limitMs && (first === null || isBefore(candidate, first))) first = candidate;
    }
    return first;
  }

  *#timers(): Generator<Due> {
    for (const [userId, state] of this.#users) for (const timer of timersOf(state)) yield { userId, timer };
  }

  #keep(state: UserState, effects: Effects): void {
    this.#users.set(state.userId, state);
    for (const { journey, wait } of state.matches) if (wait !== null) this.#waits.add(`${journey}/${wait.step}`);
    for (const { itemId, change, userId, untilMs } of effects.interests) this.#interests.set(interestOf(itemId, change, userId), untilMs);
    this.#commands.push(...effects.commands);
    this.#decisions.push(...effects.decisions);
    this.#revocations.push(...effects.revocations);
    this.#lateSuppressions += effects.lateSuppressions;
    if (effects.duplicate) this.#duplicates++;
  }
}

function interestOf(itemId: string, change: string, userId: string): string {
  return JSON.stringify([itemId, change, userId]);
}

interface Due {
  readonly userId: string;
  readonly timer: Timer;
}

function isBefore(a: Due, b: Due): boolean {
  if (a.timer.dueMs !== b.timer.dueMs) return a.timer.dueMs < b.timer.dueMs;
  if (a.userId !== b.userId) return a.userId < b.userId;
  return a.timer.id < b.timer.id;
}
