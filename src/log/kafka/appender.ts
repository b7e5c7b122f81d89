import { LogUnavailableError, RecordTooLargeError } from '../errors.ts';
import type { AppendedTo, OutRecord } from '../port.ts';
import { Backoff } from './backoff.ts';
import type { KafkaClient } from './client.ts';
import { Code, isCoordinatorMove, transactionError } from './codes.ts';
import type { Connections } from './connections.ts';
import { ProducerSession } from './producer-session.ts';
import { splitIntoBatches } from './split.ts';

/** Appends outside of transactions, one call after another. After an error the next call begins with a new producer id. */
export class KafkaAppender {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  #session: ProducerSession | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: KafkaClient) {
    this.#client = client;
    this.#connections = client.connections();
  }

  append(records: readonly OutRecord[]): Promise<readonly AppendedTo[]> {
    const turn = this.#last.then(() => this.#append(records));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #append(records: readonly OutRecord[]): Promise<readonly AppendedTo[]> {
    if (records.length === 0) return [];
    this.#session ??= await this.#open();
    try {
      return await this.#session.send(splitIntoBatches(records));
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) this.#session = undefined;
      throw error;
    }
  }

  async #open(): Promise<ProducerSession> {
    const backoff = new Backoff({ firstMs: 20, maxMs: 500, deadlineMs: this.#client.deadlineMs, signal: this.#connections.signal });
    for (;;) {
      const answer = await this.#client.cluster.ask('InitProducerId', { transactionTimeout: 0 });
      if (answer.errorCode === Code.none) return new ProducerSession(this.#client, this.#connections, answer, null);
      if (!isCoordinatorMove(answer.errorCode)) throw transactionError('asking for a producer id', answer.errorCode);
      if (!(await backoff.wait())) throw new LogUnavailableError(`Kafka gives no producer id (Kafka error ${answer.errorCode})`);
    }
  }
}
