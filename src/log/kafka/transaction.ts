import { UnknownResultError } from '../errors.ts';
import type { AppendedTo, OutRecord, TopicPartition } from '../port.ts';
import { Backoff } from './backoff.ts';
import type { Calls } from './calls.ts';
import type { KafkaClient } from './client.ts';
import { Code, describeCode, isCoordinatorMove, isLeaderMove, transactionError } from './codes.ts';
import type { Connections } from './connections.ts';
import { ProducerSession } from './producer-session.ts';
import { splitIntoBatches } from './split.ts';
import { type Address, NoAnswerError } from './wire.ts';

export interface TransactionalProducer {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** While the previous transaction's markers are written, the next one is refused: for a few milliseconds, so this is where a commit's time goes. */
const RETRY_FIRST_MS = 3;
const RETRY_MAX_MS = 200;

/**
 * The requests of one transaction after another of a fenced producer. A refusal that says "not now" (51, a coordinator or leader that moved) is definite
 * and tried again in place, except for EndTxn. An answer that does not come makes the result unknown, and is never asked for again: the first
 * request may still arrive, in the middle of the next transaction.
 */
export class KafkaTransaction {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  readonly #producer: Omit<TransactionalProducer, 'transactionTimeoutMs'>;
  readonly #timeoutMs: number;
  readonly #session: ProducerSession;
  readonly #partitions = new Set<string>();
  readonly #groups = new Set<string>();
  readonly #groupCoordinators = new Map<string, Address>();
  #coordinator: Address | undefined;
  #beganMs = 0;

  constructor(client: KafkaClient, connections: Connections, producer: TransactionalProducer, coordinator: Address) {
    const { transactionalId, producerId, producerEpoch } = producer;
    this.#client = client;
    this.#connections = connections;
    this.#producer = { transactionalId, producerId, producerEpoch };
    this.#timeoutMs = producer.transactionTimeoutMs;
    this.#session = new ProducerSession(client, connections, producer, transactionalId);
    this.#coordinator = coordinator;
  }

  begin(): void {
    this.#beganMs = performance.now();
    this.#partitions.clear();
    this.#groups.clear();
  }

  async send(records: readonly OutRecord[]): Promise<readonly AppendedTo[]> {
    const partitions = splitIntoBatches(records);
    await this.#addPartitions(partitions.filter(({ name }) => !this.#partitions.has(name)));
    return this.#session.send(partitions, this.#leftMs);
  }

  async sendOffsets(groupId: string, offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    if (offsets.length === 0) return;
    if (!this.#groups.has(groupId)) {
      await this.#untilAccepted(
        () => `adding group ${groupId}`,
        async () => {
          const { errorCode } = await this.#callCoordinator('AddOffsetsToTxn', { ...this.#producer, groupId });
          if (isCoordinatorMove(errorCode)) this.#coordinator = undefined;
          return errorCode;
        },
      );
      this.#groups.add(groupId);
    }
    const topics = topicsOf(offsets, ({ partition, offset }) => ({ partition, offset: String(offset) }));
    await this.#untilAccepted(
      () => `committing offsets of ${groupId}`,
      async () => {
        const answer = await this.#callGroupCoordinator(groupId, { ...this.#producer, groupId, topics });
        const codes = answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
        const code = worstOf(codes);
        if (isCoordinatorMove(code)) this.#groupCoordinators.delete(groupId);
        return code;
      },
    );
  }

  async end(commit: boolean): Promise<void> {
    // Nothing was added: the coordinator knows of no transaction, and would call its end an error.
    if (this.#partitions.size === 0 && this.#groups.size === 0) return;
    const { errorCode } = await this.#callCoordinator('EndTxn', { ...this.#producer, transactionResult: commit });
    const what = this.#what(commit ? 'commit' : 'abort');
    if (isCoordinatorMove(errorCode)) throw new UnknownResultError(`${what}: the coordinator moved (Kafka error ${errorCode})`);
    if (errorCode !== Code.none) throw transactionError(what, errorCode);
  }

  async #addPartitions(added: readonly (TopicPartition & { readonly name: string })[]): Promise<void> {
    if (added.length === 0) return;
    const topics = topicsOf(added, ({ partition }) => partition);
    // Before the request: what may have been added has to be ended, even if the answer gets lost.
    for (const { name } of added) this.#partitions.add(name);
    let refused = added.map(({ name }) => name);
    await this.#untilAccepted(
      () => `adding ${refused.join(', ')}`,
      async () => {
        const { errors } = await this.#callCoordinator('AddPartitionsToTxn', { ...this.#producer, topics });
        const answers = errors.flatMap(({ topic, partitionErrors }) => partitionErrors.map((answer) => ({ topic, ...answer })));
        const code = worstOf(answers.map(({ errorCode }) => errorCode));
        refused = answers.filter(({ errorCode }) => errorCode === code).map(({ topic, partition }) => `${topic}-${partition}`);
        if (isCoordinatorMove(code)) this.#coordinator = undefined;
        return code;
      },
    );
  }

  async #untilAccepted(step: () => string, attempt: () => Promise<number>): Promise<void> {
    const backoff = new Backoff({
      firstMs: RETRY_FIRST_MS,
      maxMs: RETRY_MAX_MS,
      deadlineMs: this.#leftMs,
      signal: this.#connections.signal,
    });
    for (;;) {
      const code = await attempt();
      if (code === Code.none) return;
      const notNow = code === Code.concurrentTransactions || isCoordinatorMove(code) || isLeaderMove(code);
      if (!notNow) throw transactionError(this.#what(step()), code);
      if (!(await backoff.wait())) throw new UnknownResultError(`${this.#what(step())}: ${describeCode(code)} until the deadline`);
    }
  }

  async #callCoordinator<K extends 'AddPartitionsToTxn' | 'AddOffsetsToTxn' | 'EndTxn'>(
    api: K,
    args: Calls[K]['args'],
  ): Promise<Calls[K]['answer']> {
    this.#coordinator ??= await this.#client.cluster.coordinator('transaction', this.#producer.transactionalId, this.#connections.signal);
    return this.#call(this.#coordinator, api, args);
  }

  async #callGroupCoordinator(groupId: string, args: Calls['TxnOffsetCommit']['args']): Promise<Calls['TxnOffsetCommit']['answer']> {
    let coordinator = this.#groupCoordinators.get(groupId);
    if (coordinator === undefined) {
      coordinator = await this.#client.cluster.coordinator('group', groupId, this.#connections.signal);
      this.#groupCoordinators.set(groupId, coordinator);
    }
    return this.#call(coordinator, 'TxnOffsetCommit', args);
  }

  async #call<K extends keyof Calls>(address: Address, api: K, args: Calls[K]['args']): Promise<Calls[K]['answer']> {
    const connection = this.#connections.to(address);
    try {
      return await connection.call(api, args);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      await this.#connections.drop(connection);
      throw new UnknownResultError(`${this.#what(api)}: ${error.message}`, { cause: error });
    }
  }

  /** Longer than the transaction lasts nothing is worth another try: its end by the coordinator would look like a rival. */
  get #leftMs(): number {
    return Math.max(0, Math.min(this.#client.deadlineMs, this.#beganMs + this.#timeoutMs - performance.now()));
  }

  #what(step: string): string {
    return `transaction of ${this.#producer.transactionalId}, ${step}`;
  }
}

/** The code that decides: a refusal for good before one for now. What was not even tried, because of another partition, says nothing. */
function worstOf(codes: readonly number[]): number {
  const refusals = codes.filter((code) => code !== Code.none && code !== Code.operationNotAttempted);
  const forNow = (code: number) => code === Code.concurrentTransactions || isCoordinatorMove(code) || isLeaderMove(code);
  return refusals.find((code) => !forNow(code)) ?? refusals[0] ?? Code.none;
}

function topicsOf<T extends TopicPartition, R>(
  items: readonly T[],
  map: (item: T) => R,
): { readonly topic: string; readonly partitions: readonly R[] }[] {
  return [...Map.groupBy(items, ({ topic }) => topic)].map(([topic, group]) => ({ topic, partitions: group.map(map) }));
}
