/**
 * The log port: what Lull needs of Kafka, and nothing else of it. `kafka/` is the adapter, `memory/` the twin; one conformance
 * suite (`test/conformance/log.ts`) holds both to this contract. Offsets and times are numbers: 2^53 of either is out of reach.
 */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export type Headers = Readonly<Record<string, Buffer>>;

/** Key, value and headers may be views of all the bytes that were fetched together: copy what is kept for long, or it keeps all of them. */
export interface LogRecord {
  readonly offset: number;
  /** The record's time: the broker's append time where the topic is LogAppendTime, else what its producer wrote. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Headers | undefined;
}

/** Records of one partition, in order: an array, or what makes each record when it is asked for. There are thousands at a time: keep none for longer than its turn. */
export interface LogRecords extends Iterable<LogRecord> {
  readonly length: number;
  at(index: number): LogRecord | undefined;
  slice(from: number, to?: number): readonly LogRecord[];
  map<T>(make: (record: LogRecord) => T): T[];
  filter(keep: (record: LogRecord) => boolean): readonly LogRecord[];
}

/** What one fetch returned. `records` may be empty while `nextOffset` moved: markers and aborted records take offsets too. */
export interface FetchedBatch {
  readonly records: LogRecords;
  /** The position behind this batch; what the next fetch reads from. */
  readonly nextOffset: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
}

/**
 * Reads one partition from an explicit position. Each reader has a connection of its own, so that a long poll on one partition never holds
 * back another. Transient broker trouble (leader moved, connection lost) is retried inside, with back-off, until `close` or
 * the signal; `OffsetOutOfRangeError` is thrown, never answered by a jump.
 */
export interface LogReader {
  readonly position: number;
  /**
   * Waits up to `maxWaitMs` (default 500) for at least one byte. Resolves with an empty batch when there is nothing new.
   * One call at a time.
   * @throws OffsetOutOfRangeError, FatalLogError; AbortError when the signal fires or the reader is closed; LogUnavailableError, which names the cause,
   *   when no broker has answered for `deadlineMs` (default: it tries for ever)
   */
  fetch(options?: { readonly maxWaitMs?: number; readonly signal?: AbortSignal; readonly deadlineMs?: number }): Promise<FetchedBatch>;
  close(): Promise<void>;
}

export interface ReaderOptions extends TopicPartition {
  readonly offset: number;
  /** At most this much is asked for a fetch (a first record larger than it is still returned). Default 1 MiB. */
  readonly maxBytes?: number;
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted';
}

/** A record to append. The partition is always explicit: `partitioner.ts` has Kafka's murmur2. */
export interface OutRecord extends TopicPartition {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Headers;
  /** Only for topics that are not LogAppendTime. Default: the wall clock of the adapter. */
  readonly timestampMs?: number;
}

/** The offset behind the last record that a send put on this partition. */
export interface AppendedTo extends TopicPartition {
  readonly baseOffset: number;
  readonly nextOffset: number;
}

export interface LogTransaction {
  /**
   * Appends, one record batch per partition, split so that none passes 900 KiB (the broker's limit is on the batch). After `RecordTooLargeError` some
   * of the records may be in the transaction: abort it. The writer can begin another.
   * @throws FencedError | UnknownResultError | RecordTooLargeError | FatalLogError
   */
  send(records: readonly OutRecord[]): Promise<readonly AppendedTo[]>;
  /** Commits input positions with the transaction. Send rows first: Kafka's AddOffsetsToTxn has no retry in the client (code 51 is retried here). */
  sendOffsets(groupId: string, offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/**
 * One transactional id, one task. After any error other than `RecordTooLargeError` the writer must be closed and never used again: a late EndTxn
 * could end the next transaction of the same epoch.
 */
export interface TransactionalWriter {
  /** InitProducerId: fences the predecessor and aborts or finishes its transaction. Retries what is transient by itself. */
  fence(signal?: AbortSignal): Promise<void>;
  /** @throws Error when not fenced, or a transaction is open */
  begin(): Promise<LogTransaction>;
  close(): Promise<void>;
}

/** One generation of the group: every one closes all tasks and starts the assigned ones. */
export interface Generation {
  readonly generationId: number;
  readonly memberId: string;
  /** Of the one subscribed topic, ascending. */
  readonly partitions: readonly number[];
  /** What the one that assigned has for this member beyond its partitions; empty where there is nothing. */
  readonly userData: Buffer;
}

/** A member as the one that assigns sees it. */
export interface GroupMember {
  readonly memberId: string;
  /** What the member says of itself; empty for a build that says nothing. */
  readonly userData: Buffer;
}

export interface MemberShare {
  readonly memberId: string;
  readonly partitions: readonly number[];
  readonly userData: Buffer;
}

/** Shares the partitions (0 to `partitionCount` - 1) out over the members: each partition to at most one. */
export type Assign = (members: readonly GroupMember[], partitionCount: number) => readonly MemberShare[];

/** Group membership, and nothing else: no reading, no committing. */
export interface GroupMembership {
  /**
   * Joins, and resolves after the first `onGeneration`, which is called for each generation, in order, until `leave`. `onFatal` when the group
   * cannot be kept later on. An outage is neither: it is sat out, with `current()` undefined.
   * @throws FatalLogError when the group cannot be joined in the first place; LogUnavailableError where no broker has ever answered
   */
  join(handlers: { readonly onGeneration: (generation: Generation) => void; readonly onFatal: (error: Error) => void }): Promise<void>;
  /** The latest generation while heartbeats succeed (last success within the session timeout), else undefined. */
  current(): Generation | undefined;
  /** What this member says of itself has changed: asks the group for a new generation, which comes in its own time. */
  rejoin(): void;
  leave(): Promise<void>;
}

export interface MembershipOptions {
  readonly groupId: string;
  readonly topic: string;
  /** Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** How soon a member hears of a new generation. Default 1,000, at most a third of the session timeout. */
  readonly heartbeatIntervalMs?: number;
  /** What this member says of itself, asked for at each join. Opaque to the log. Default: nothing. */
  readonly userData?: () => Buffer;
  /** Runs on the member that the group made its leader. Default: partitions in turn (`in-turn.ts`). */
  readonly assign?: Assign;
  /**
   * Of this member's predecessor, where it is known to be dead (its lock is ours): its place in the group is taken over. Without it the group waits
   * until the dead one's session times out. An id that the group does not know any more does no harm.
   */
  readonly memberId?: string;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Kafka topic configuration, e.g. `{ 'cleanup.policy': 'compact' }`. */
  readonly config: Readonly<Record<string, string>>;
}

export interface LogAdmin {
  /** The partition count of a topic, or undefined where it does not exist. */
  partitions(topic: string): Promise<number | undefined>;
  /** Existing topics only; others are absent from the map. */
  describeTopics(topics: readonly string[]): Promise<ReadonlyMap<string, TopicSpec>>;
  createTopics(specs: readonly TopicSpec[]): Promise<void>;
  /** Log start and end of every partition, by partition number. `end` is the high watermark. */
  offsets(topic: string): Promise<ReadonlyMap<number, { readonly start: number; readonly end: number }>>;
  /** Committed offsets of a group on one topic; partitions without one are absent. */
  groupOffsets(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /** Commits offsets from outside (the group must be empty). For `lull reset` and tests. */
  setGroupOffsets(groupId: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void>;
  /** Deletes records before an offset. For tests of truncation. */
  deleteRecords(topic: string, before: ReadonlyMap<number, number>): Promise<void>;
  deleteTopics(topics: readonly string[]): Promise<void>;
}

export interface Log {
  readonly admin: LogAdmin;
  reader(options: ReaderOptions): LogReader;
  transactionalWriter(options: {
    readonly transactionalId: string;
    /** Default 10,000. An open transaction stalls read_committed readers this long. */
    readonly transactionTimeoutMs?: number;
  }): TransactionalWriter;
  /** Appends outside a transaction, acks all, idempotent: ticks, and tools. */
  append(records: readonly OutRecord[]): Promise<readonly AppendedTo[]>;
  membership(options: MembershipOptions): GroupMembership;
  /** Closes every connection that this log opened. */
  close(): Promise<void>;
}
