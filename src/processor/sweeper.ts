import { hasDates } from '../core/attributes.ts';
import type { Program } from '../core/program.ts';
import { keyBehind } from '../store/key-behind.ts';
import type { PartitionStore } from '../store/port.ts';
import { ENOUGH, type Overlay } from './overlay.ts';
import { decodeRow } from './rows.ts';
import type { Turns } from './turns.ts';
import { USER_TABLE } from './users.ts';
import type { Sweep } from './versions.ts';

/** Rows that are read together; and those that one transaction looks at, so that a kill costs no more than these. */
const CHUNK = 250;
const MAX_CHUNKS = 200;

/**
 * Goes through all users of a partition, in the order of their ids, where a topology has come into force with new journeys on dates: those who have had the date since before are to be
 * told too. The partition does nothing else meanwhile, so that it all happens at one place of the log, however often it is interrupted.
 */
export class Sweeper {
  readonly #store: PartitionStore;
  readonly #overlay: Overlay;
  readonly #turns: Turns;

  constructor(store: PartitionStore, overlay: Overlay, turns: Turns) {
    this.#store = store;
    this.#overlay = overlay;
    this.#turns = turns;
  }

  /**
   * As many as one transaction takes. What came before must be committed: it reads the store.
   * @returns the last of them; null = there are no more
   * @throws StateLostError where a row cannot be read
   */
  async some({ dates, offset, after }: Sweep, program: Program, nowMs: number): Promise<string | null> {
    for (let chunks = 0; chunks < MAX_CHUNKS && this.#overlay.fill < ENOUGH; chunks++) {
      const from = after === null ? {} : { gte: keyBehind(Buffer.from(after, 'utf8')) };
      const rows = await this.#store.scan(USER_TABLE, { ...from, limit: CHUNK });
      if (rows.length === 0) return null;
      const concerned: string[] = [];
      for (const { key, value } of rows) {
        after = key.toString('utf8');
        if (hasDates(decodeRow(value, after), dates, program)) concerned.push(after);
      }
      await this.#overlay.users.load(concerned);
      for (const userId of concerned) {
        const user = this.#overlay.open(userId)!;
        this.#turns.learn({ offset, timestampMs: nowMs, key: user.key, value: null }, user, dates, nowMs);
        this.#overlay.close(user);
        // One of enormous rows is cut short.
        if (this.#overlay.fill >= 1) {
          after = userId;
          break;
        }
      }
    }
    return after;
  }
}
