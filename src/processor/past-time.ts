import { nextTimer } from '../core/timers.ts';
import type { DueUsers } from './due-users.ts';
import { ENOUGH, type Overlay, type User } from './overlay.ts';
import type { Segment } from './segment.ts';
import type { Turns } from './turns.ts';

/**
 * Historical input has no ticks, or none that count: a timer fires when the records' own time has passed it. Of those who have a record in a segment, that is part of their turn; of
 * all others, this.
 */
export class PastTime {
  readonly #overlay: Overlay;
  readonly #due: DueUsers;
  readonly #turns: Turns;

  constructor(overlay: Overlay, due: DueUsers, turns: Turns) {
    this.#overlay = overlay;
    this.#due = due;
    this.#turns = turns;
  }

  /** Fires what is due within the segment of all who have no record in it. `commit` where the transaction is full: many of them may take several. */
  async passSegment(segment: Segment, commit: () => Promise<void>): Promise<void> {
    const { from, to, runs, horizonMs } = segment;
    if (!this.#overlay.timers.mayBeDueBefore(horizonMs)) return;
    await this.#pass(horizonMs, commit, (user) => this.#turns.fireUntil(segment, user, from, to - 1), runs);
  }

  /** Behind the last record: fires what is due up to a time, each user's by itself, since it moves nobody else's. `nowMs` is how far the records have come. */
  async passTo(untilMs: number, offset: number, nowMs: number, commit: () => Promise<void>): Promise<void> {
    const end = { offset, timestampMs: untilMs, key: null, value: null };
    await this.#pass(untilMs + 1, commit, (user) => {
      for (let timer = nextTimer(user.state); timer !== null && timer.dueMs <= untilMs; timer = nextTimer(user.state))
        this.#turns.fire(end, user, timer, Math.max(nowMs, timer.dueMs));
    });
  }

  /** Lets `fire` fire what is due before the horizon, user by user, but for those in `later`. */
  async #pass(
    horizonMs: number,
    commit: () => Promise<void>,
    fire: (user: User) => void,
    later?: ReadonlyMap<string, unknown>,
  ): Promise<void> {
    for (;;) {
      const due = await this.#due.next(horizonMs - 1, later);
      if (due === undefined) return;
      fire(due.user);
      this.#overlay.close(due.user);
      if (this.#overlay.fill >= ENOUGH) await commit();
    }
  }
}
