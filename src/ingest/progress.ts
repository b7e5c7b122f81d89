import { pause } from '../engine/clock.ts';
import { toError } from '../engine/errors.ts';
import type { Clock } from '../engine/stage.ts';
import { groupIdOf } from '../engine/worker.ts';
import type { LogAdmin } from '../log/port.ts';
import { ingestStageName } from './stage.ts';

export interface IngestProgressOptions {
  readonly admin: LogAdmin;
  readonly prefix: string;
  readonly sources: readonly { readonly name: string; readonly topic: string }[];
  readonly clock: Clock;
  /** Who has waited this long is reported; nobody is let go for that. */
  readonly maxHoldMs: number;
  readonly observer: HoldObserver;
}

/** Every call is cheap and must not throw. */
export interface HoldObserver {
  /** One that waited is let go. */
  released(seconds: number): void;
  /** So many have waited longer than `maxHoldMs`. Called when it changes. */
  overdue(count: number): void;
  /** One line for people. */
  note(level: 'info' | 'warn', message: string): void;
}

/** A source whose stage has not committed what was there. */
interface Behind {
  readonly name: string;
  readonly topic: string;
  readonly records: number;
}

interface Waiter {
  readonly sinceMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

type Ends = ReadonlyMap<string, ReadonlyMap<number, { readonly start: number; readonly end: number }>>;

const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 500;

/**
 * How far ingest has come, as its groups' committed offsets tell: they are committed with the events, in one transaction, and who reads them after that appends behind the
 * events. One for a process: whoever comes while the sources' ends are looked up, or waited for, waits for the next look, together with all others who do.
 */
export class IngestProgress {
  readonly #options: IngestProgressOptions;
  /** They want ends that are looked up from now on. */
  #arrived = new Set<Waiter>();
  /** They wait for the ends that were looked up last. */
  #waiting = new Set<Waiter>();
  #isWorking = false;
  /** Ends the pause where nobody waits any more. */
  #nudge = new AbortController();
  #overdue = 0;

  constructor(options: IngestProgressOptions) {
    this.#options = options;
  }

  /**
   * Resolves once ingest has committed everything that is in the sources now.
   * @throws the signal's reason when it fires; what the log throws
   */
  drained(signal: AbortSignal): Promise<void> {
    const { clock, observer } = this.#options;
    return new Promise((resolve, reject) => {
      const sinceMs = clock.monotonicMs();
      const leave = (): void => {
        this.#arrived.delete(waiter);
        this.#waiting.delete(waiter);
        if (this.#waiting.size === 0) this.#nudge.abort();
        waiter.reject(signal.reason);
      };
      const waiter: Waiter = {
        sinceMs,
        resolve: () => {
          signal.removeEventListener('abort', leave);
          observer.released((clock.monotonicMs() - sinceMs) / 1000);
          resolve();
        },
        reject: (error) => {
          signal.removeEventListener('abort', leave);
          reject(toError(error));
        },
      };
      if (signal.aborted) {
        waiter.reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', leave);
      this.#arrived.add(waiter);
      if (!this.#isWorking) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#arrived.size > 0) {
      this.#waiting = this.#arrived;
      this.#arrived = new Set();
      this.#nudge = new AbortController();
      try {
        await this.#until(await this.#ends());
        for (const waiter of this.#waiting) waiter.resolve();
      } catch (error) {
        for (const waiter of this.#waiting) waiter.reject(error);
      }
      this.#waiting = new Set();
      this.#report([]);
    }
    this.#isWorking = false;
  }

  /** Until ingest has committed up to these ends, or nobody waits for that. */
  async #until(ends: Ends): Promise<void> {
    for (let pollMs = FIRST_POLL_MS; this.#waiting.size > 0; pollMs = Math.min(2 * pollMs, MAX_POLL_MS)) {
      const behind = await this.#behind(ends);
      if (behind.length === 0) return;
      this.#report(behind);
      await pause(this.#options.clock, pollMs, this.#nudge.signal);
    }
  }

  async #ends(): Promise<Ends> {
    const { admin, sources } = this.#options;
    const topics = [...new Set(sources.map(({ topic }) => topic))];
    return new Map(await Promise.all(topics.map(async (topic) => [topic, await admin.offsets(topic)] as const)));
  }

  async #behind(ends: Ends): Promise<readonly Behind[]> {
    const { admin, prefix, sources } = this.#options;
    const all = sources.map(async ({ name, topic }): Promise<Behind> => {
      const committed = await admin.groupOffsets(groupIdOf(prefix, ingestStageName(name)), topic);
      let records = 0;
      // Nothing is committed of a partition of which nothing was ever read: that is right where there is nothing.
      for (const [partition, { start, end }] of ends.get(topic) ?? []) records += Math.max(0, end - (committed.get(partition) ?? start));
      return { name, topic, records };
    });
    return (await Promise.all(all)).filter(({ records }) => records > 0);
  }

  #report(behind: readonly Behind[]): void {
    const { clock, maxHoldMs, observer } = this.#options;
    const nowMs = clock.monotonicMs();
    const late = [...this.#waiting, ...this.#arrived].filter(({ sinceMs }) => nowMs - sinceMs > maxHoldMs).length;
    // What they wait for is only known while it is looked at.
    if (late === this.#overdue || (behind.length === 0 && late > this.#overdue)) return;
    if (this.#overdue === 0) {
      const which = behind.map(({ name, topic, records }) => `source ${name} (${topic}) is ${records} records behind`).join(', ');
      observer.note(
        'warn',
        `ticks have waited for ingest for more than ${maxHoldMs / 1000} s, and nothing that is due is decided: ${which}; does \`lull ingest\` run?`,
      );
    } else if (late === 0) observer.note('info', 'ingest has caught up: ticks go on');
    this.#overdue = late;
    observer.overdue(late);
  }
}
