import type { LogRecords } from '../log/port.ts';

/** A row for each of them, in one transaction. */
export const MAX_USERS = 5_000;
/** Records; where ticks stand close, segments are short. */
const FIRST_ROOM = 64;

/** One user's records of a segment: the first of a chain, of which `Segment.next` gives the others. */
export interface Run {
  /** As the key reads in UTF-8. */
  readonly userId: string;
  readonly first: number;
  last: number;
}

/**
 * A stretch of a batch in which users do not meet: events alone, with no tick in between. So each user's events can be worked through in one go (a *run*), whatever order
 * the users are taken in: the state is decoded once, lives for the length of the run, and is encoded once. What is held for a whole batch instead outlives the
 * collections of the young generation, which costs more than all of the decoding.
 *
 * Records are meant by their index in the batch.
 */
export class Segment {
  readonly records: LogRecords;
  readonly from: number;
  /** Behind the last. */
  readonly to: number;
  /** By user, in the order of their first records. */
  readonly runs: ReadonlyMap<string, Run>;
  /** Those that are nobody's. */
  readonly keyless: readonly number[];
  /** One more than the index of the user's next record; 0 = none. */
  #next = new Int32Array(FIRST_ROOM);
  /** The largest append time up to each record, the partition's before the segment included. */
  #nowMs = new Float64Array(FIRST_ROOM);
  /** The largest record time up to each record, of the segment alone. */
  #recordMs = new Float64Array(FIRST_ROOM);
  readonly #allowedLatenessMs: number;
  /** The largest append time seen before the segment. */
  readonly #startMs: number;

  /** Ends behind `most` records or the first of user number `MAX_USERS`, or where `endsAtKeyless` before the first that is nobody's. */
  constructor(
    records: LogRecords,
    range: { readonly from: number; readonly most: number; readonly endsAtKeyless: boolean },
    time: { readonly nowMs: number; readonly allowedLatenessMs: number },
  ) {
    const { from, endsAtKeyless } = range;
    const most = Math.min(range.most, records.length - from);
    this.records = records;
    this.from = from;
    this.#allowedLatenessMs = time.allowedLatenessMs;
    this.#startMs = time.nowMs;
    const runs = new Map<string, Run>();
    const keyless: number[] = [];
    let { nowMs } = time;
    let recordMs = -Infinity;
    let i = from;
    for (; i < from + most && runs.size < MAX_USERS; i++) {
      const record = records.at(i)!;
      // A key is its user's id, or the record is refused.
      const userId = record.key?.toString('utf8') ?? null;
      if (userId === null && endsAtKeyless) break;
      const { timestampMs } = record;
      if (i - from === this.#next.length) this.#makeRoom();
      nowMs = Math.max(nowMs, timestampMs);
      recordMs = Math.max(recordMs, timestampMs);
      this.#nowMs[i - from] = nowMs;
      this.#recordMs[i - from] = recordMs;
      if (userId === null) {
        keyless.push(i);
        continue;
      }
      const run = runs.get(userId);
      if (run === undefined) runs.set(userId, { userId, first: i, last: i });
      else {
        this.#next[run.last - from] = i + 1;
        run.last = i;
      }
    }
    this.to = i;
    this.runs = runs;
    this.keyless = keyless;
  }

  /** Users from run number `taken` on, and of the records behind the segment: where ticks stand close, it has few. At most `most`. */
  usersAhead(taken: number, most: number): string[] {
    const users = new Set([...this.runs.keys()].slice(taken, taken + most));
    for (let at = this.to; at < this.records.length && users.size < most; at++) {
      const { key } = this.records.at(at)!;
      if (key !== null) users.add(key.toString('utf8'));
    }
    return [...users];
  }

  /** The user's record behind this one; -1 = none. */
  next(index: number): number {
    return this.#next[index - this.from]! - 1;
  }

  #makeRoom(): void {
    const [next, nowMs, recordMs] = [this.#next, this.#nowMs, this.#recordMs];
    const room = 4 * next.length;
    (this.#next = new Int32Array(room)).set(next);
    (this.#nowMs = new Float64Array(room)).set(nowMs);
    (this.#recordMs = new Float64Array(room)).set(recordMs);
  }

  /** The largest append time seen when this record is processed. */
  nowMs(index: number): number {
    return this.#nowMs[index - this.from]!;
  }

  /** The largest append time seen when what comes before this record is processed. */
  nowBefore(index: number): number {
    return index === this.from ? this.#startMs : this.nowMs(index - 1);
  }

  /** Historical input: no timer due at or after this fires within the segment. */
  get horizonMs(): number {
    return this.#recordMs[this.to - 1 - this.from]! - this.#allowedLatenessMs;
  }

  /**
   * Historical input: the first record, from `from` to `until`, before which a timer due at `dueMs` fires: its time is later by more than the allowed lateness.
   * -1 = none.
   */
  passing(dueMs: number, from: number, until: number): number {
    const pastMs = dueMs + this.#allowedLatenessMs;
    if (from > until || this.#recordMs[until - this.from]! <= pastMs) return -1;
    let [low, high] = [this.from, until];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#recordMs[middle - this.from]! > pastMs) high = middle;
      else low = middle + 1;
    }
    if (low >= from) return low;
    // Records are not quite in the order of their times, and the timer was armed after the one that passed its due time.
    for (let i = from; i <= until; i++) if (this.records.at(i)!.timestampMs > pastMs) return i;
    return -1;
  }
}
