import type { Timer } from '../core/state.ts';
import { nextTimer } from '../core/timers.ts';
import { StateLostError } from '../engine/errors.ts';
import type { Overlay, User } from './overlay.ts';
import { PREFETCH_USERS } from './users.ts';

/** Users one by one as their first timers come due, in the order of (due time, user), each opened. */
export class DueUsers {
  readonly #overlay: Overlay;

  constructor(overlay: Overlay) {
    this.#overlay = overlay;
  }

  /**
   * Opens who has the next timer due at or before `dueMs`; undefined = nobody. Those in `later` are taken out of the queue instead.
   * @throws StateLostError where the timer index says something else than the user's row
   */
  async next(dueMs: number, later?: ReadonlyMap<string, unknown>): Promise<{ readonly user: User; readonly timer: Timer } | undefined> {
    const { timers } = this.#overlay;
    for (;;) {
      if (timers.needsLoad) await timers.load();
      const next = timers.peek();
      if (next === undefined || next.dueMs > dueMs) return undefined;
      const { userId } = next;
      if (later?.has(userId) === true) {
        this.#overlay.take(userId);
        continue;
      }
      // With those who come next, where the store has to be asked.
      const ahead = (): string[] => timers.ahead(dueMs, PREFETCH_USERS).map((due) => due.userId);
      const user = this.#overlay.open(userId) ?? (await this.#overlay.load(userId, ahead()));
      const timer = nextTimer(user.state);
      if (timer === null || timer.dueMs !== next.dueMs)
        throw new StateLostError(
          `the local store's timer index has a user at ${next.dueMs} whose first timer is due at ${timer?.dueMs ?? 'no time'}`,
        );
      return { user, timer };
    }
  }
}
