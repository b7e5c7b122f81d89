import type { Codec } from '../../avro/codec.ts';
import { PoisonError } from '../../avro/errors.ts';
import type { DecodedValue } from '../../avro/records.ts';
import { isReserved, RESERVED_EVENTS } from '../../core/reserved.ts';
import { POSITION_KEY } from '../../engine/position.ts';
import type { FetchedBatch, Log, LogRecord, TopicPartition } from '../../log/port.ts';
import type { TopicNames } from '../../log/topics.ts';
import { readInput } from '../../processor/input.ts';
import { decodeUserState } from '../../processor/user-state-codec.ts';
import type { Tally } from './tally.ts';

/** What Lull's own senders write to the timeline: not product events, though they travel as such. */
const FEEDBACK: ReadonlySet<string> = new Set(RESERVED_EVENTS.filter(({ writer }) => writer === 'sender').map(({ type }) => type));
const MAX_EVENT_BYTES = 256 * 1024;

export interface FollowOptions {
  readonly log: Log;
  readonly codec: Codec;
  readonly topics: TopicNames;
  readonly tally: Tally;
  /** Called once, at the first product event that is read back. */
  readonly onFirstEvent?: () => void;
}

/** Every topic that says something of the run's end. */
export function followedTopics(topics: TopicNames): readonly string[] {
  const { timeline, state, dispatch, decisions, outcomes, deadLetters, items } = topics;
  return [timeline, state, dispatch, decisions, outcomes, deadLetters, items];
}

interface Followed extends TopicPartition {
  /** What the next fetch reads from. */
  position: number;
  /** The last record's own offset; -1 before the first. Behind it there may be markers only. */
  lastRecord: number;
}

/**
 * Reads every topic of a run read_committed, from the first record on, into a tally. One reader a partition; what cannot be decoded is skipped,
 * because the processor makes a dead letter of it and that is counted.
 */
export class Follower {
  readonly #options: FollowOptions;
  readonly #partitions: readonly Followed[];
  readonly #closing = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  #loops: readonly Promise<void>[] = [];
  #begun = false;

  private constructor(options: FollowOptions, partitions: readonly Followed[]) {
    this.#options = options;
    this.#partitions = partitions;
    // It is there for whoever waits for it; a run that never asks must not end the process.
    this.#failed.promise.catch(() => undefined);
  }

  static async start(options: FollowOptions): Promise<Follower> {
    const { topics, log } = options;
    const partitions: Followed[] = [];
    for (const topic of followedTopics(topics))
      for (const [partition, { start }] of await log.admin.offsets(topic))
        partitions.push({ topic, partition, position: start, lastRecord: -1 });
    const follower = new Follower(options, partitions);
    follower.#loops = partitions.map((followed) => follower.#follow(followed).catch((error: unknown) => follower.#fail(error)));
    return follower;
  }

  /** Rejects when a topic cannot be read any more. */
  get failure(): Promise<never> {
    return this.#failed.promise;
  }

  get partitions(): readonly Readonly<Followed>[] {
    return this.#partitions;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#loops);
  }

  #fail(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#failed.reject(error);
  }

  async #follow(followed: Followed): Promise<void> {
    const { topic, partition, position } = followed;
    const reader = this.#options.log.reader({ topic, partition, offset: position });
    try {
      while (!this.#closing.signal.aborted) {
        const batch = await reader.fetch({ signal: this.#closing.signal });
        await this.#take(followed, batch);
        followed.position = batch.nextOffset;
      }
    } finally {
      await reader.close();
    }
  }

  async #take(followed: Followed, { records }: FetchedBatch): Promise<void> {
    const { codec, topics } = this.#options;
    const { topic } = followed;
    // Of the items only how far they are counts here: what becomes of a change stands on the timeline.
    const isAvro = topic !== topics.state && topic !== topics.deadLetters && topic !== topics.items;
    if (isAvro) await codec.prepare(records.map((record) => record.value));
    for (const record of records) {
      if (topic === topics.timeline) this.#timeline(followed, record);
      else if (topic === topics.state) this.#state(record);
      else if (topic === topics.deadLetters) this.#options.tally.deadLetter();
      else if (topic !== topics.items) this.#output(record);
      followed.lastRecord = record.offset;
    }
  }

  #timeline(source: TopicPartition, record: LogRecord): void {
    const input = readInput(this.#options.codec, source, record, MAX_EVENT_BYTES);
    if (input.kind !== 'event' || isForged(input.event.type)) return;
    if (input.itemId !== null) {
      this.#options.tally.told(input.event);
      return;
    }
    if (FEEDBACK.has(input.event.type)) {
      this.#options.tally.feedback(input.event);
      return;
    }
    this.#options.tally.event(input.event);
    if (this.#begun) return;
    this.#begun = true;
    this.#options.onFirstEvent?.();
  }

  #state({ key, value }: LogRecord): void {
    if (key === null || key.equals(POSITION_KEY)) return;
    const userId = key.toString('utf8');
    this.#options.tally.user(userId, value === null ? null : decodeUserState(value, userId));
  }

  #output(record: LogRecord): void {
    const decoded = this.#decode(record);
    const { tally } = this.#options;
    if (decoded?.record === 'lull.v1.SendCommand') tally.command(decoded.value);
    else if (decoded?.record === 'lull.v1.Decision') tally.decision(decoded.value);
    else if (decoded?.record === 'lull.v1.Outcome') {
      const { commandId, device, final, class: outcome, code } = decoded.value;
      const accepted = outcome === 'ok';
      tally.outcome({ commandId, deviceId: device?.deviceId ?? null, final, accepted, reason: reasonOf(outcome, code) });
    }
  }

  #decode({ value }: LogRecord): DecodedValue | undefined {
    if (value === null) return undefined;
    try {
      return this.#options.codec.decode(value);
    } catch (error) {
      if (error instanceof PoisonError) return undefined;
      throw error;
    }
  }
}

/** A reserved name that means nothing: the processor refuses it. */
function isForged(type: string): boolean {
  return type.startsWith('$') && !isReserved(type);
}

/** The sender's class says what it means; the provider's code only helps where the class alone does not. */
function reasonOf(outcome: string, code: string | null): string {
  return outcome === 'device' ? 'device_dead' : outcome === 'drop' && code !== null ? `dropped_${code}` : outcome;
}
