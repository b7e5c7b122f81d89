/** Errors of the log, named by what to do about them. Messages name topic, partition and offset where there is one. */

/** Another producer with the same transactional id took over (Kafka codes 47, 49, 59, 90), or the transaction timed out: discard task and producer. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

/** Nobody knows whether the request took effect: discard task and producer, fence anew, restore. */
export class UnknownResultError extends Error {
  override readonly name = 'UnknownResultError';
}

/** The position is outside of the log: a clear stop (input) or a wipe and restore (changelog), never a jump. */
export class OffsetOutOfRangeError extends Error {
  override readonly name = 'OffsetOutOfRangeError';
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  constructor(topic: string, partition: number, offset: number, log?: { readonly start: number; readonly end: number }) {
    const span = log === undefined ? '' : ` (${log.start} to ${log.end})`;
    super(
      `${topic}-${partition}: the position ${offset} is outside of the log${span}: records were deleted before they were read, or the topic was recreated. ` +
        `Nothing is skipped silently; restore the topic, or start over with another --prefix`,
    );
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
  }
}

/** One record is larger than the topic takes. */
export class RecordTooLargeError extends Error {
  override readonly name = 'RecordTooLargeError';
}

/** Retrying does not help (authorization, unknown topic, unsupported version): stop with this one line. */
export class FatalLogError extends Error {
  override readonly name = 'FatalLogError';
}

/** The cluster cannot be reached within the deadline of the call. */
export class LogUnavailableError extends Error {
  override readonly name = 'LogUnavailableError';
}
