import { commandHeaders, revocationHeaders } from '../avro/dispatch-headers.ts';
import type { Codec } from '../avro/codec.ts';
import type { Effects } from '../core/output.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { OutRecord } from '../log/port.ts';

export interface ProcessorTopics {
  /** The input, whatever its name: historical input may be any topic. */
  readonly timeline: string;
  readonly state: string;
  readonly dispatch: string;
  readonly decisions: string;
  readonly deadLetters: string;
  /** Where interest in items goes; without it (historical input that has no such topic) it is not written. */
  readonly items?: string;
}

/** Gathers what the batch in work will write, in order. What goes to a user's topics keeps the user's partition; what goes to an item's has the item's. */
export class Outbox {
  readonly #codec: Codec;
  readonly #topics: ProcessorTopics;
  readonly #partition: number;
  /** Of every topic. */
  readonly #partitions: number;
  records: OutRecord[] = [];
  /** Of the records' values. */
  bytes = 0;

  constructor(
    codec: Codec,
    topics: ProcessorTopics,
    { partition, partitions }: { readonly partition: number; readonly partitions: number },
  ) {
    this.#codec = codec;
    this.#topics = topics;
    this.#partition = partition;
    this.#partitions = partitions;
  }

  /** The records of one step, encoded but not yet taken: the step may still be refused for their size. */
  encode(effects: Effects): OutRecord[] {
    const partition = this.#partition;
    const { dispatch, decisions } = this.#topics;
    return [
      ...effects.revocations.map((revocation) => ({
        topic: dispatch,
        partition,
        key: Buffer.from(revocation.userId),
        value: this.#codec.encode('lull.v1.Revocation', revocation),
        headers: revocationHeaders(revocation),
      })),
      ...effects.commands.map((command) => ({
        topic: dispatch,
        partition,
        key: Buffer.from(command.userId),
        value: this.#codec.encode('lull.v1.SendCommand', command),
        headers: commandHeaders(command),
      })),
      ...effects.decisions.map((decision) => ({
        topic: decisions,
        partition,
        key: Buffer.from(decision.userId),
        value: this.#codec.encode('lull.v1.Decision', decision),
      })),
      ...this.#interests(effects),
    ];
  }

  #interests({ interests }: Effects): OutRecord[] {
    const { items } = this.#topics;
    if (items === undefined) return [];
    return interests.map(({ itemId, change, userId, untilMs: until }) => {
      const key = Buffer.from(itemId);
      const value = this.#codec.encode('lull.v1.ItemInterest', { itemId, change, userId, until });
      return { topic: items, partition: partitionFor(key, this.#partitions), key, value };
    });
  }

  take(records: readonly OutRecord[]): void {
    for (const record of records) this.add(record);
  }

  add(record: OutRecord): void {
    this.records.push(record);
    this.bytes += record.value?.length ?? 0;
  }

  /** The next batch fills a new list: a commit may still hold this one. */
  clear(): void {
    this.records = [];
    this.bytes = 0;
  }
}
