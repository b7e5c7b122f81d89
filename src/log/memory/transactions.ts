import { FencedError } from '../errors.ts';
import type { AppendedTo, OutRecord, TopicPartition } from '../port.ts';
import type { MemoryGroups } from './groups.ts';
import type { MemoryPartition, TransactionOutcome } from './partition.ts';
import type { MemoryTopics } from './topics.ts';

interface OpenTransaction {
  readonly outcome: TransactionOutcome;
  readonly startedAtMs: number;
  readonly timeoutMs: number;
  readonly partitions: Set<MemoryPartition>;
  readonly offsets: { readonly groupId: string; readonly topic: string; readonly partition: number; readonly offset: number }[];
}

interface Producer {
  epoch: number;
  open: OpenTransaction | undefined;
}

/** A producer's right to write, until somebody else fences the same transactional id. */
export interface Lease {
  readonly transactionalId: string;
  readonly epoch: number;
  readonly timeoutMs: number;
}

/** The transaction coordinator: epochs, markers, timeouts. A transaction begins with its first record or offset, as on a broker. */
export class MemoryTransactions {
  readonly #producers = new Map<string, Producer>();
  readonly #topics: MemoryTopics;
  readonly #groups: MemoryGroups;
  readonly #now: () => number;

  constructor(topics: MemoryTopics, groups: MemoryGroups, now: () => number) {
    this.#topics = topics;
    this.#groups = groups;
    this.#now = now;
  }

  fence(transactionalId: string, timeoutMs: number): Lease {
    const producer = this.#producers.get(transactionalId) ?? { epoch: -1, open: undefined };
    this.#producers.set(transactionalId, producer);
    this.#end(producer, 'aborted');
    return { transactionalId, timeoutMs, epoch: ++producer.epoch };
  }

  send(lease: Lease, records: readonly OutRecord[]): readonly AppendedTo[] {
    const open = this.#join(lease);
    return this.#topics.append(records, open.outcome, (partition) => open.partitions.add(partition));
  }

  sendOffsets(lease: Lease, groupId: string, offsets: readonly (TopicPartition & { readonly offset: number })[]): void {
    this.#join(lease).offsets.push(...offsets.map(({ topic, partition, offset }) => ({ groupId, topic, partition, offset })));
  }

  end(lease: Lease, state: 'committed' | 'aborted'): void {
    this.#end(this.#producer(lease), state);
  }

  /** Aborts what outlived its timeout, and takes the epoch from its producer. Called before anything that depends on it. */
  expire(): void {
    for (const producer of this.#producers.values()) {
      if (producer.open === undefined || this.#now() - producer.open.startedAtMs <= producer.open.timeoutMs) continue;
      this.#end(producer, 'aborted');
      producer.epoch++;
    }
  }

  #producer(lease: Lease): Producer {
    this.expire();
    const producer = this.#producers.get(lease.transactionalId);
    if (producer?.epoch !== lease.epoch)
      throw new FencedError(`transactional id ${lease.transactionalId}: another producer took over, or the transaction timed out`);
    return producer;
  }

  #join(lease: Lease): OpenTransaction {
    const producer = this.#producer(lease);
    return (producer.open ??= {
      outcome: { state: 'open' },
      startedAtMs: this.#now(),
      timeoutMs: lease.timeoutMs,
      partitions: new Set(),
      offsets: [],
    });
  }

  #end(producer: Producer, state: 'committed' | 'aborted'): void {
    const open = producer.open;
    if (open === undefined) return;
    producer.open = undefined;
    open.outcome.state = state;
    const now = this.#now();
    for (const partition of open.partitions) partition.mark(open.outcome, now);
    if (state === 'committed')
      for (const { groupId, topic, partition, offset } of open.offsets) this.#groups.commit(groupId, topic, [[partition, offset]]);
  }
}
