import { abortError, eitherSignal } from '../abort.ts';
import type { FetchedBatch, LogReader, ReaderOptions } from '../port.ts';
import type { MemoryBroker } from './broker.ts';

const DEFAULT_MAX_BYTES = 1_048_576;
const DEFAULT_MAX_WAIT_MS = 500;

export class MemoryReader implements LogReader {
  readonly #broker: MemoryBroker;
  readonly #options: ReaderOptions;
  readonly #closed = new AbortController();
  #position: number;
  #fetching = false;

  constructor(broker: MemoryBroker, options: ReaderOptions) {
    this.#broker = broker;
    this.#options = options;
    this.#position = options.offset;
  }

  get position(): number {
    return this.#position;
  }

  async fetch(options: { readonly maxWaitMs?: number; readonly signal?: AbortSignal } = {}): Promise<FetchedBatch> {
    if (this.#fetching) throw new Error(`${this.#name}: one fetch at a time`);
    const { signal, release } = eitherSignal(this.#closed.signal, options.signal);
    this.#fetching = true;
    try {
      let batch = this.#read(signal);
      if (batch.nextOffset === this.#position) {
        const until = performance.now() + (options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS);
        // An append that the last stable offset hides wakes too: wait for the rest of the time.
        for (let left = until - performance.now(); left > 0 && batch.nextOffset === this.#position; left = until - performance.now()) {
          await this.#broker.topics.partition(this.#options).changed(left, signal);
          batch = this.#read(signal);
        }
      }
      this.#position = batch.nextOffset;
      return batch;
    } finally {
      release();
      this.#fetching = false;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  get #name(): string {
    return `${this.#options.topic}-${this.#options.partition}`;
  }

  #read(signal: AbortSignal): FetchedBatch {
    if (signal.aborted) throw abortError(`${this.#name}: the fetch was given up`);
    const { topic, maxBytes = DEFAULT_MAX_BYTES, isolation = 'read_committed' } = this.#options;
    return this.#broker.faults.run('fetch', topic, () => {
      this.#broker.transactions.expire();
      return this.#broker.topics.partition(this.#options).read(this.#position, maxBytes, isolation);
    });
  }
}
