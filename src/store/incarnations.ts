import { StaleStoreError } from './port.ts';

/** Calls in flight on something that can be closed: `close` refuses what comes later and waits for what is running. */
class InFlight {
  readonly #refusal: string;
  readonly #closed = Promise.withResolvers<undefined>();
  #open = true;
  #count = 0;

  constructor(refusal: string) {
    this.#refusal = refusal;
  }

  /** Resolves when closed and nothing is in flight any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  refuseClosed(): void {
    if (!this.#open) throw new StaleStoreError(this.#refusal);
  }

  async run<T>(call: () => T | Promise<T>): Promise<T> {
    this.refuseClosed();
    this.#count += 1;
    try {
      return await call();
    } finally {
      this.#count -= 1;
      this.#settle();
    }
  }

  close(): Promise<void> {
    this.#open = false;
    this.#settle();
    return this.#closed.promise;
  }

  #settle(): void {
    if (!this.#open && this.#count === 0) this.#closed.resolve(undefined);
  }
}

/**
 * One opening of a partition. Every call on its store goes through `run`: a former owner's slow write must never land on top of
 * its successor's.
 */
export class Incarnation {
  readonly partition: number;
  readonly #calls: InFlight;

  constructor(partition: number) {
    this.partition = partition;
    this.#calls = new InFlight(`partition ${partition}: this opening of its store is closed; open it again`);
  }

  get closed(): Promise<void> {
    return this.#calls.closed;
  }

  /** @throws StaleStoreError when closed */
  run<T>(call: () => T | Promise<T>): Promise<T> {
    return this.#calls.run(call);
  }

  close(): Promise<void> {
    return this.#calls.close();
  }
}

/** Who has which partition open: at most one incarnation each, in the order of the calls to `open`. */
export class Incarnations {
  readonly #latest = new Map<number, Incarnation>();
  /** All that have not closed yet: the latest ones, and those that a waiting `open` has queued up behind. */
  readonly #live = new Set<Incarnation>();
  readonly #store = new InFlight('the store is closed');

  /** A call on the store as a whole. @throws StaleStoreError when closed */
  run<T>(call: () => T | Promise<T>): Promise<T> {
    return this.#store.run(call);
  }

  /** Waits until the last incarnation of the partition has closed. */
  async open(partition: number): Promise<Incarnation> {
    if (!Number.isInteger(partition) || partition < 0 || partition > 0x7fffffff) {
      throw new RangeError(`${partition} is not a partition`);
    }
    this.#store.refuseClosed();
    const previous = this.#latest.get(partition);
    const next = new Incarnation(partition);
    // Taken before waiting: two that wait at once queue up behind each other instead of both seeing the partition free.
    this.#latest.set(partition, next);
    this.#live.add(next);
    void next.closed.then(() => this.#live.delete(next));
    await previous?.closed;
    // The store may have closed meanwhile, and with it `next`.
    await next.run(() => undefined);
    return next;
  }

  /** Closes every incarnation and waits for what is in flight. */
  async close(): Promise<void> {
    const closed = this.#store.close();
    await Promise.all([closed, ...[...this.#live].map((incarnation) => incarnation.close())]);
  }
}
