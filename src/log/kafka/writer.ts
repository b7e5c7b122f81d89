import { abortError, eitherSignal, isAbortError } from '../abort.ts';
import { LogUnavailableError, UnknownResultError } from '../errors.ts';
import type { AppendedTo, LogTransaction, OutRecord, TopicPartition, TransactionalWriter } from '../port.ts';
import { WriterState } from '../writer-state.ts';
import { Backoff } from './backoff.ts';
import type { KafkaClient } from './client.ts';
import { Code, isCoordinatorMove, transactionError } from './codes.ts';
import type { Connections } from './connections.ts';
import { KafkaTransaction } from './transaction.ts';
import { NoAnswerError } from './wire.ts';

const DEFAULT_TRANSACTION_TIMEOUT_MS = 10_000;

export interface KafkaWriterOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs?: number;
}

/** One transactional id, with connections of its own: to its coordinator, the group's coordinator, and the leaders that it writes to. */
export class KafkaWriter implements TransactionalWriter {
  readonly #client: KafkaClient;
  readonly #options: KafkaWriterOptions;
  readonly #state: WriterState;
  readonly #connections: Connections;
  readonly #onClose: () => void;
  #transaction: KafkaTransaction | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: KafkaClient, options: KafkaWriterOptions, onClose: () => void) {
    this.#client = client;
    this.#options = options;
    this.#state = new WriterState(options.transactionalId);
    this.#connections = client.connections(Math.min(client.requestTimeoutMs, this.#timeoutMs));
    this.#onClose = onClose;
  }

  async fence(signal?: AbortSignal): Promise<void> {
    const either = eitherSignal(this.#connections.signal, signal);
    try {
      await this.#state.step('unfenced', 'ready', () => this.#fence(either.signal));
    } finally {
      either.release();
    }
  }

  async begin(): Promise<LogTransaction> {
    await this.#state.step('ready', 'open', async () => undefined);
    const transaction = this.#transaction!;
    transaction.begin();
    return {
      send: (records: readonly OutRecord[]): Promise<readonly AppendedTo[]> => this.#inTransaction('open', () => transaction.send(records)),
      sendOffsets: (groupId: string, offsets: readonly (TopicPartition & { readonly offset: number })[]) =>
        this.#inTransaction('open', () => transaction.sendOffsets(groupId, offsets)),
      commit: () => this.#inTransaction('ready', () => transaction.end(true)),
      abort: () => this.#inTransaction('ready', () => transaction.end(false)),
    };
  }

  /** Frees the sockets at once, whatever is under way. An open transaction is left to the next fence or its timeout. */
  async close(): Promise<void> {
    this.#state.close();
    this.#onClose();
    await this.#connections.close();
  }

  get #timeoutMs(): number {
    return this.#options.transactionTimeoutMs ?? DEFAULT_TRANSACTION_TIMEOUT_MS;
  }

  /** One step at a time, in the order of the calls. A cluster that is out of reach, or a writer that is closed meanwhile, leaves the result unknown. */
  #inTransaction<T>(to: 'ready' | 'open', work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() =>
      this.#state.step('open', to, async () => {
        try {
          return await work();
        } catch (error) {
          if (error instanceof LogUnavailableError || isAbortError(error))
            throw new UnknownResultError(`transaction of ${this.#options.transactionalId}: ${(error as Error).message}`, { cause: error });
          throw error;
        }
      }),
    );
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /**
   * InitProducerId until it is answered. Asking twice is harmless: each answer is a newer epoch. "Concurrent transactions" means that the
   * predecessor's transaction is being ended, and passes in milliseconds.
   */
  async #fence(signal: AbortSignal): Promise<void> {
    const { transactionalId } = this.#options;
    const transactionTimeoutMs = this.#timeoutMs;
    const what = `fencing ${transactionalId}`;
    if (signal.aborted) throw abortError(`${what} was given up`);
    const backoff = new Backoff({ firstMs: 5, maxMs: 500, deadlineMs: this.#client.deadlineMs, signal });
    for (;;) {
      const connection = this.#connections.to(await this.#client.cluster.coordinator('transaction', transactionalId, signal));
      let reason: string;
      try {
        const answer = await connection.call('InitProducerId', { transactionalId, transactionTimeout: transactionTimeoutMs });
        if (answer.errorCode === Code.none) {
          this.#transaction = new KafkaTransaction(
            this.#client,
            this.#connections,
            { transactionalId, transactionTimeoutMs, ...answer },
            connection.address,
          );
          return;
        }
        if (!isCoordinatorMove(answer.errorCode) && answer.errorCode !== Code.concurrentTransactions)
          throw transactionError(what, answer.errorCode);
        reason = `Kafka error ${answer.errorCode}`;
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        if (isAborted(signal)) throw abortError(`${what} was given up`);
        await this.#connections.drop(connection);
        reason = error.message;
      }
      if (!(await backoff.wait())) throw new LogUnavailableError(`${what}: no success within ${this.#client.deadlineMs} ms (${reason})`);
    }
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
