import { abortError, eitherSignal, orAbort } from '../abort.ts';
import { FatalLogError, LogUnavailableError, OffsetOutOfRangeError } from '../errors.ts';
import type { FetchedBatch, LogReader, ReaderOptions } from '../port.ts';
import { Backoff } from './backoff.ts';
import type { KafkaClient } from './client.ts';
import { Code, describeCode, isLeaderMove } from './codes.ts';
import { filterBatches } from './committed.ts';
import type { Connections } from './connections.ts';
import { decodeFetch, encodeFetch, FETCH_VERSION, type FetchResponse } from './fetch.ts';
import { batchesOf } from './record-batch.ts';
import { type Address, NoAnswerError } from './wire.ts';

const DEFAULT_MAX_BYTES = 1_048_576;
const DEFAULT_MAX_WAIT_MS = 500;

/** Fetches from the partition's leader over a connection of its own. */
export class KafkaReader implements LogReader {
  readonly #client: KafkaClient;
  readonly #options: ReaderOptions;
  readonly #connections: Connections;
  readonly #closed = new AbortController();
  readonly #onClose: () => void;
  #position: number;
  #fetching = false;

  constructor(client: KafkaClient, options: ReaderOptions, onClose: () => void) {
    this.#client = client;
    this.#options = options;
    this.#position = options.offset;
    this.#connections = client.connections();
    this.#onClose = onClose;
  }

  get position(): number {
    return this.#position;
  }

  async fetch(options: Parameters<LogReader['fetch']>[0] = {}): Promise<FetchedBatch> {
    if (this.#fetching) throw new Error(`${this.#name}: one fetch at a time`);
    this.#fetching = true;
    const { signal, release } = eitherSignal(this.#closed.signal, options.signal);
    try {
      const response = await this.#fetch(options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS, signal, options.deadlineMs);
      const { highWatermark, lastStableOffset, logStartOffset } = response;
      const aborted = this.#committedOnly ? response.aborted : undefined;
      const { records, nextOffset } = filterBatches(batchesOf(response.records), this.#position, aborted);
      if (nextOffset === this.#position && response.records.length > 0)
        throw new FatalLogError(
          `${this.#name}: the ${response.records.length} bytes fetched at offset ${this.#position} hold no complete record batch`,
        );
      this.#position = nextOffset;
      return { records, nextOffset, logStartOffset, highWatermark, lastStableOffset };
    } catch (error) {
      if (error instanceof FatalLogError && !error.message.includes(this.#options.topic))
        throw new FatalLogError(`${this.#name}: ${error.message}`, { cause: error });
      throw error;
    } finally {
      release();
      this.#fetching = false;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#onClose();
    await this.#connections.close();
  }

  get #name(): string {
    return `${this.#options.topic}-${this.#options.partition}`;
  }

  get #committedOnly(): boolean {
    return this.#options.isolation !== 'read_uncommitted';
  }

  /** Tries until there is an answer that means something: leaders move and connections break, and a reader outlives both. */
  async #fetch(maxWaitMs: number, signal: AbortSignal, deadlineMs = Infinity): Promise<FetchResponse> {
    const { topic, partition } = this.#options;
    const backoff = new Backoff({ firstMs: 20, maxMs: 1_000, signal, deadlineMs });
    for (;;) {
      const failure = await this.#attempt(maxWaitMs, signal, backoff.leftMs);
      if (typeof failure === 'object') return failure;
      this.#client.cluster.invalidate(topic);
      if (backoff.attempts % 20 === 5) this.#client.warn({ topic, partition, reason: failure }, 'fetching fails, trying on');
      if (!(await backoff.wait()))
        throw new LogUnavailableError(`${this.#name}: nothing could be fetched for ${Math.round(deadlineMs / 1000)} s: ${failure}`);
    }
  }

  async #leader(signal: AbortSignal, deadlineMs: number): Promise<Address | string> {
    const { topic, partition } = this.#options;
    const asked = this.#client.cluster.leader(topic, partition, { signal, deadlineMs });
    try {
      return await orAbort(asked, signal, `${this.#name}: the fetch was given up`);
    } catch (error) {
      // At a start an unreachable cluster is a wrong address and an error; later it is an outage, which a reader sits out.
      if (error instanceof LogUnavailableError && this.#client.cluster.answered) return error.message;
      throw error;
    }
  }

  /** The answer, or why there is none yet. */
  async #attempt(maxWaitMs: number, signal: AbortSignal, deadlineMs: number): Promise<FetchResponse | string> {
    if (signal.aborted) throw abortError(`${this.#name}: the fetch was given up`);
    const { topic, partition, maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    const address = await this.#leader(signal, deadlineMs);
    if (typeof address === 'string') return address;
    const connection = this.#connections.to(address);
    const request = { topic, partition, offset: this.#position, maxBytes, maxWaitMs, committedOnly: this.#committedOnly };
    // A long poll cannot be called back: giving it up gives up its connection.
    const giveUp = () => void this.#connections.drop(connection);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const response = await connection.callRaw(
        { api: 'Fetch', version: FETCH_VERSION, body: [encodeFetch(request)], waitMs: maxWaitMs + this.#client.requestTimeoutMs },
        decodeFetch,
      );
      if (response.errorCode === Code.none) return response;
      if (response.errorCode === Code.offsetOutOfRange) throw new OffsetOutOfRangeError(topic, partition, this.#position);
      if (!isLeaderMove(response.errorCode) && response.errorCode !== Code.requestTimedOut && response.errorCode !== Code.unknownTopicId)
        throw new FatalLogError(`${this.#name}: ${describeCode(response.errorCode)}`);
      return `Kafka error ${response.errorCode}`;
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      if (isAborted(signal)) throw abortError(`${this.#name}: the fetch was given up`);
      await this.#connections.drop(connection);
      return error.message;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
