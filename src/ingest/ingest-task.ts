import type { Codec } from '../avro/codec.ts';
import { PoisonError } from '../avro/errors.ts';
import type { GenericDecoder, GenericRecord } from '../avro/generic-decoder.ts';
import { deadLetter, type Refusal } from '../engine/dead-letter.ts';
import type { Commit, InputPosition, StageTask, TaskContext } from '../engine/stage.ts';
import { partitionFor } from '../log/partitioner.ts';
import type { LogRecord, LogRecords, OutRecord } from '../log/port.ts';
import type { IngestObserver } from './observer.ts';
import { MAX_ITEM_ID_BYTES, MAX_TRACE_PARENT_BYTES, MAX_USER_ID_BYTES } from '../core/event.ts';
import type { MappedChange, MappedEvent, Source } from '../core/source.ts';
import { headerTexts, textOf } from './text.ts';

export interface IngestTaskOptions {
  readonly source: Source;
  /** Of what is read. */
  readonly decoder: GenericDecoder;
  /** Of what is written. */
  readonly codec: Codec;
  readonly topics: { readonly timeline: string; readonly items: string; readonly deadLetters: string };
  /** Of the timeline, of items and of dead letters. The source's topic has its own number. */
  readonly timelinePartitions: number;
  /** Whether a record's time is the broker's: then it is the event's first append time. */
  readonly hasAppendTime: boolean;
  readonly maxEventBytes: number;
  readonly observer: IngestObserver;
}

/** A transaction has at most so many bytes of values; a batch of small records may become one of large events. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * One partition of one source: each record becomes an event on its user's partition of the timeline, or the change of an item on the item's, or a dead letter, or is left.
 *
 * There is no state but the position, so nothing can be lost but that; it stands in the changelog's position row and is committed with the events in one
 * transaction. A batch that is done again after a crash gives the same events with the same ids, because the mapping is pure.
 */
export class IngestTask implements StageTask {
  readonly #options: IngestTaskOptions;
  readonly #context: TaskContext;
  #nowMs = 0;
  #out: OutRecord[] = [];
  #bytes = 0;
  #tally = newTally();

  constructor(options: IngestTaskOptions, context: TaskContext) {
    this.#options = options;
    this.#context = context;
  }

  /** The changelog has no rows beside the position. */
  restored(): readonly never[] {
    return [];
  }

  start(position: InputPosition): Promise<void> {
    this.#nowMs = position.nowMs;
    return Promise.resolve();
  }

  async process({ records, nextOffset }: { readonly records: LogRecords; readonly nextOffset: number }, commit: Commit): Promise<void> {
    await this.#options.decoder.prepare(records.map(({ value }) => value));
    for (const record of records) {
      if (this.#bytes >= MAX_BYTES) await this.#commit(commit, record.offset);
      this.#nowMs = Math.max(this.#nowMs, record.timestampMs);
      this.#take(record);
    }
    await this.#commit(commit, nextOffset);
  }

  readonly nextWakeMs = null;

  wake(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    // Nothing is ever in flight between two batches.
    return Promise.resolve();
  }

  close(): void {
    this.#out = [];
  }

  #take(record: LogRecord): void {
    const { source } = this.#options;
    const { topic } = source;
    let decoded: GenericRecord;
    try {
      decoded = this.#decode(record);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      this.#refuse(record, { reason: error.reason, detail: error.message });
      return;
    }
    const { offset, timestampMs, key, headers } = record;
    const where = { topic, partition: this.#context.partition, offset, timeMs: timestampMs };
    const mapped = source.map({ ...where, key: textOf(key), headers: headerTexts(headers), ...decoded });
    if (mapped.kind === 'event') this.#writeEvent(record, mapped.event);
    else if (mapped.kind === 'change') this.#writeChange(record, mapped.change);
    else if (mapped.kind === 'filtered') this.#tally.filtered++;
    // A tombstone of a compacted topic fails by whatever is read of it.
    else this.#refuse(record, record.value === null ? { reason: 'null_value', detail: mapped.detail } : mapped);
  }

  /** A mapping may know what a record without a value means: `when: value != null`. */
  #decode({ value }: LogRecord): GenericRecord {
    return value === null ? { schema: null, value: null } : this.#options.decoder.decode(value);
  }

  #writeEvent(record: LogRecord, event: MappedEvent): void {
    const { source, codec, topics, hasAppendTime } = this.#options;
    const key = Buffer.from(event.userId);
    if (key.length > MAX_USER_ID_BYTES) {
      this.#refuse(record, {
        reason: 'user_id_length',
        detail: `the user's id has ${key.length} bytes, 1 to ${MAX_USER_ID_BYTES} are taken`,
      });
      return;
    }
    const original = { source: source.name, topic: source.topic, partition: this.#context.partition, offset: record.offset };
    const ingested = { ...event, appendedAt: hasAppendTime ? record.timestampMs : null, ...original };
    this.#write(record, event.type, { topic: topics.timeline, key, value: codec.encode('lull.v1.Control', { ingested }) });
  }

  #writeChange(record: LogRecord, change: MappedChange): void {
    const { codec, topics } = this.#options;
    const key = Buffer.from(change.itemId);
    if (key.length > MAX_ITEM_ID_BYTES) {
      this.#refuse(record, {
        reason: 'item_id_length',
        detail: `the item's id has ${key.length} bytes, 1 to ${MAX_ITEM_ID_BYTES} are taken`,
      });
      return;
    }
    this.#write(record, change.type, { topic: topics.items, key, value: codec.encode('lull.v1.ItemChange', change) });
  }

  #write(record: LogRecord, type: string, { topic, key, value }: { topic: string; key: Buffer; value: Buffer }): void {
    const { timelinePartitions, maxEventBytes } = this.#options;
    if (value.length > maxEventBytes) {
      this.#refuse(record, { reason: 'too_large', detail: `an event of ${value.length} bytes, at most ${maxEventBytes} are taken` });
      return;
    }
    const traceParent = record.headers?.['traceparent'];
    this.#add({
      ...{ topic, partition: partitionFor(key, timelinePartitions), key, value },
      ...(traceParent !== undefined && traceParent.length <= MAX_TRACE_PARENT_BYTES ? { headers: { traceparent: traceParent } } : {}),
    });
    const { types } = this.#tally;
    types.set(type, (types.get(type) ?? 0) + 1);
    this.#tally.oldestMs = Math.min(this.#tally.oldestMs, record.timestampMs);
  }

  #refuse(record: LogRecord, refusal: Refusal): void {
    const { source, topics, timelinePartitions } = this.#options;
    const where = { topic: source.topic, partition: this.#context.partition };
    const letter = deadLetter(topics.deadLetters, where, record, refusal);
    // A foreign topic may have more partitions than ours.
    this.#add({ ...letter, partition: where.partition % timelinePartitions });
    this.#tally.refusals.push(refusal.reason);
  }

  #add(record: OutRecord): void {
    this.#out.push(record);
    this.#bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
  }

  async #commit(commit: Commit, offset: number): Promise<void> {
    await commit({ rows: [], derived: [], records: this.#out, position: { offset, nowMs: this.#nowMs } });
    this.#report();
    this.#out = [];
    this.#bytes = 0;
    this.#tally = newTally();
  }

  #report(): void {
    const { observer, source } = this.#options;
    const { types, filtered, refusals, oldestMs } = this.#tally;
    for (const [type, count] of types) observer.ingested(source.name, type, count);
    if (filtered > 0) observer.filtered(source.name, filtered);
    for (const reason of refusals) observer.deadLetter(source.name, reason);
    if (oldestMs < Infinity) observer.delay(source.name, Math.max(0, (this.#context.clock.nowMs() - oldestMs) / 1000));
  }
}

interface Tally {
  readonly types: Map<string, number>;
  filtered: number;
  readonly refusals: string[];
  oldestMs: number;
}

function newTally(): Tally {
  return { types: new Map(), filtered: 0, refusals: [], oldestMs: Infinity };
}
