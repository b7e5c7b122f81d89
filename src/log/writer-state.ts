import { RecordTooLargeError } from './errors.ts';
import { mutant } from './mutant.ts';

/**
 * The life of a transactional writer, the same for every implementation of the port:
 *
 *     unfenced --fence--> ready <--begin / commit, abort--> open
 *         any --error other than RecordTooLargeError--> broken --close--> closed
 *
 * A broken writer refuses everything: a request whose answer got lost may still arrive, and would then act on the *next* transaction of the same epoch.
 */
export class WriterState {
  readonly #transactionalId: string;
  #state: 'unfenced' | 'ready' | 'open' | 'broken' | 'closed' = 'unfenced';
  #cause: unknown;

  constructor(transactionalId: string) {
    this.#transactionalId = transactionalId;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** Runs one step that is legal in `from`, and moves to `to` when it succeeds. A step that fails breaks the writer. */
  async step<T>(from: 'unfenced' | 'ready' | 'open', to: 'ready' | 'open', work: () => Promise<T>): Promise<T> {
    this.#require(from);
    try {
      const result = await work();
      if (this.#state === from) this.#state = to;
      return result;
    } catch (error) {
      if (!(error instanceof RecordTooLargeError) && this.#state !== 'closed') {
        this.#state = mutant('producer-reused') ? 'ready' : 'broken';
        this.#cause = error;
      }
      throw error;
    }
  }

  close(): void {
    this.#state = 'closed';
  }

  #require(state: 'unfenced' | 'ready' | 'open'): void {
    if (this.#state === state) return;
    const why = {
      unfenced: 'fence it first',
      ready: state === 'unfenced' ? 'it is fenced already' : 'no transaction is open',
      open: 'a transaction is open',
      broken: 'an earlier error left it in an unknown state: close it and fence a new one',
      closed: 'it is closed',
    }[this.#state];
    throw new Error(`writer ${this.#transactionalId}: ${why}`, { cause: this.#cause });
  }
}
