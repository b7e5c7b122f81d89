import { abortError } from '../abort.ts';
import type { AppendedTo, LogTransaction, OutRecord, TopicPartition, TransactionalWriter } from '../port.ts';
import { WriterState } from '../writer-state.ts';
import type { MemoryBroker } from './broker.ts';
import type { FaultStep } from './faults.ts';
import type { Lease } from './transactions.ts';

const DEFAULT_TRANSACTION_TIMEOUT_MS = 10_000;

export interface MemoryWriterOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs?: number;
}

export class MemoryWriter implements TransactionalWriter {
  readonly #broker: MemoryBroker;
  readonly #options: MemoryWriterOptions;
  readonly #state: WriterState;
  #lease: Lease | undefined;

  constructor(broker: MemoryBroker, options: MemoryWriterOptions) {
    this.#broker = broker;
    this.#options = options;
    this.#state = new WriterState(options.transactionalId);
  }

  async fence(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw abortError(`writer ${this.#options.transactionalId}: fencing was given up`);
    const { transactionalId, transactionTimeoutMs = DEFAULT_TRANSACTION_TIMEOUT_MS } = this.#options;
    await this.#state.step('unfenced', 'ready', () =>
      this.#run('fence', () => {
        this.#lease = this.#broker.transactions.fence(transactionalId, transactionTimeoutMs);
      }),
    );
  }

  async begin(): Promise<LogTransaction> {
    await this.#state.step('ready', 'open', async () => undefined);
    const { transactions } = this.#broker;
    const lease = this.#lease!;
    return {
      send: (records: readonly OutRecord[]): Promise<readonly AppendedTo[]> =>
        this.#state.step('open', 'open', () => this.#run('send', () => (records.length === 0 ? [] : transactions.send(lease, records)))),
      sendOffsets: (groupId: string, offsets: readonly (TopicPartition & { readonly offset: number })[]) =>
        this.#state.step('open', 'open', () => this.#run('sendOffsets', () => transactions.sendOffsets(lease, groupId, offsets))),
      commit: () => this.#state.step('open', 'ready', () => this.#run('commit', () => transactions.end(lease, 'committed'))),
      abort: () => this.#state.step('open', 'ready', () => this.#run('abort', () => transactions.end(lease, 'aborted'))),
    };
  }

  /** Leaves an open transaction to the next fence or its timeout, as a producer that goes away does. */
  async close(): Promise<void> {
    this.#state.close();
  }

  async #run<T>(step: FaultStep, work: () => T): Promise<T> {
    return this.#broker.faults.run(step, this.#options.transactionalId, work);
  }
}
