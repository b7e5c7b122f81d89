import { RecordTooLargeError, UnknownResultError } from '../errors.ts';
import type { AppendedTo, OutRecord } from '../port.ts';
import { Backoff } from './backoff.ts';
import type { KafkaClient } from './client.ts';
import { Code, describeCode, isFenced, isLeaderMove, transactionError } from './codes.ts';
import type { Connections } from './connections.ts';
import { encodeBatch, type ProducerIdentity, recordBytesAtMost } from './encode-batch.ts';
import { decodeProduce, encodeProduce, PRODUCE_VERSION, type PartitionResult } from './produce.ts';
import type { PartitionRecords } from './split.ts';
import { type Address, NoAnswerError } from './wire.ts';

const MAX_SEQUENCE = 2 ** 31;

interface Progress {
  readonly to: PartitionRecords;
  next: number;
  firstOffset: number;
  nextOffset: number;
}

/**
 * The produce requests of one producer id and epoch. Every batch carries a sequence number per partition, which only moves when the broker has
 * answered for that partition: so a batch that is sent again is recognised, and one that was refused leaves no gap. One request per broker at a time.
 */
export class ProducerSession {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  readonly #producer: ProducerIdentity;
  readonly #transactionalId: string | null;
  readonly #sequences = new Map<string, number>();

  constructor(client: KafkaClient, connections: Connections, producer: ProducerIdentity, transactionalId: string | null) {
    this.#client = client;
    this.#connections = connections;
    this.#producer = producer;
    this.#transactionalId = transactionalId;
  }

  /**
   * Appends all records, batch after batch. Where the answer does not come, a transaction gives up (its task does), and a plain append
   * sends the same batches again until the deadline: the sequence numbers make that safe.
   */
  async send(partitions: readonly PartitionRecords[], deadlineMs = this.#client.deadlineMs): Promise<readonly AppendedTo[]> {
    const all: Progress[] = partitions.map((to) => ({ to, next: 0, firstOffset: -1, nextOffset: -1 }));
    const { signal } = this.#connections;
    const backoff = new Backoff({ firstMs: 3, maxMs: 200, deadlineMs, signal });
    for (let left = all; left.length > 0; left = all.filter(({ to, next }) => next < to.batches.length)) {
      const retry = await this.#round(left, { deadlineMs: backoff.leftMs, signal });
      if (retry !== undefined && !(await backoff.wait()))
        throw new UnknownResultError(`${this.#what(retry.name)}: ${retry.reason}, tried until the deadline`);
    }
    return all.map(({ to, firstOffset, nextOffset }) => ({
      topic: to.topic,
      partition: to.partition,
      baseOffset: firstOffset,
      nextOffset,
    }));
  }

  /** The next batch of each partition, one request per leader. Gives a partition that has to be tried again. */
  async #round(
    left: readonly Progress[],
    wait: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<{ readonly name: string; readonly reason: string } | undefined> {
    const byLeader = new Map<string, { readonly address: Address; readonly progress: Progress[] }>();
    for (const progress of left) {
      const address = await this.#client.cluster.leader(progress.to.topic, progress.to.partition, wait);
      const name = `${address.host}:${address.port}`;
      const group = byLeader.get(name);
      if (group === undefined) byLeader.set(name, { address, progress: [progress] });
      else group.progress.push(progress);
    }
    const answers = await Promise.allSettled([...byLeader.values()].map(({ address, progress }) => this.#request(address, progress)));
    let retry: { name: string; reason: string } | undefined;
    let refused: Error | undefined;
    for (const answer of answers) {
      if (answer.status === 'fulfilled') retry ??= answer.value;
      // What a task must do about it comes before what only concerns one record.
      else if (refused === undefined || refused instanceof RecordTooLargeError) refused = answer.reason as Error;
    }
    if (refused !== undefined) throw refused;
    return retry;
  }

  async #request(address: Address, progress: readonly Progress[]): Promise<{ readonly name: string; readonly reason: string } | undefined> {
    const connection = this.#connections.to(address);
    const now = Date.now();
    const batches = progress.map(({ to, next }) => ({
      topic: to.topic,
      partition: to.partition,
      batch: encodeBatch(to.batches[next]!, this.#producer, this.#sequences.get(to.name) ?? 0, this.#transactionalId !== null, now),
    }));
    let results: readonly PartitionResult[];
    try {
      results = await connection.callRaw(
        {
          api: 'Produce',
          version: PRODUCE_VERSION,
          body: encodeProduce(this.#transactionalId, batches, this.#client.requestTimeoutMs),
        },
        decodeProduce,
      );
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      await this.#connections.drop(connection);
      // It may be gone, and its partitions have another leader: whoever tries next, here or as a new writer, has to ask.
      for (const { to } of progress) this.#client.cluster.invalidate(to.topic);
      const { name } = progress[0]!.to;
      if (this.#transactionalId !== null) throw new UnknownResultError(`${this.#what(name)}: ${error.message}`, { cause: error });
      return { name, reason: error.message };
    }
    return this.#settle(progress, results);
  }

  #settle(
    progress: readonly Progress[],
    results: readonly PartitionResult[],
  ): { readonly name: string; readonly reason: string } | undefined {
    let retry: { name: string; reason: string } | undefined;
    let refused: Error | undefined;
    for (const one of progress) {
      const { topic, partition, name, batches } = one.to;
      const result = results.find((answer) => answer.topic === topic && answer.partition === partition);
      const code = result?.errorCode ?? Code.requestTimedOut;
      const batch = batches[one.next]!;
      if (code === Code.none) {
        this.#sequences.set(name, ((this.#sequences.get(name) ?? 0) + batch.length) % MAX_SEQUENCE);
        if (one.next === 0) one.firstOffset = result!.baseOffset;
        one.nextOffset = result!.baseOffset + batch.length;
        one.next++;
      } else if (code === Code.messageTooLarge || code === Code.recordListTooLarge) {
        refused ??= tooLarge(name, batch);
      } else if (isRetried(code)) {
        this.#client.cluster.invalidate(topic);
        retry ??= { name, reason: describeCode(code) };
      } else if (refused === undefined || refused instanceof RecordTooLargeError) {
        refused = this.#refusal(name, code);
      }
    }
    if (refused !== undefined) throw refused;
    return retry;
  }

  #refusal(partition: string, code: number): Error {
    const what = this.#what(partition);
    if (this.#transactionalId !== null || !isFenced(code)) return transactionError(what, code);
    return new UnknownResultError(`${what}: the broker no longer knows the producer id (Kafka error ${code})`);
  }

  #what(partition: string): string {
    return this.#transactionalId === null ? `append to ${partition}` : `send to ${partition} in a transaction of ${this.#transactionalId}`;
  }
}

/** Refused for now, or possibly appended and recognised by its sequence number when it comes again. */
function isRetried(code: number): boolean {
  return (
    isLeaderMove(code) ||
    code === Code.corruptMessage ||
    code === Code.requestTimedOut ||
    code === Code.networkException ||
    code === Code.notEnoughReplicas ||
    code === Code.notEnoughReplicasAfterAppend ||
    code === Code.concurrentTransactions
  );
}

function tooLarge(name: string, batch: readonly OutRecord[]): RecordTooLargeError {
  const largest = Math.max(...batch.map(recordBytesAtMost));
  return new RecordTooLargeError(
    `${name}: the topic refused a batch of ${batch.length} records, the largest of about ${largest} bytes: see max.message.bytes`,
  );
}
