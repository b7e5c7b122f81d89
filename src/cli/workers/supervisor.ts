import { pause, systemClock } from '../../engine/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { SupervisorMetrics } from '../../telemetry/metrics.ts';
import { CommandError, UsageError } from '../errors.ts';
import { logFatal } from '../final-error.ts';
import { RestartBackoff } from './backoff.ts';
import { STOP_GRACE_MS, type Checked, type Failure } from './messages.ts';
import { WorkerProcess, type WorkerEnd } from './worker-process.ts';

export interface SupervisorOptions {
  /** How many, if there are as many partitions. */
  readonly workers: number;
  readonly drainMs: number;
  readonly logger: Logger;
  readonly metrics: SupervisorMetrics;
  /** A line that a worker wrote, without the newline. */
  readonly onLine: (worker: number, line: string) => void;
  /** A worker has ended; the next one of this number counts from 0. */
  readonly onEnd: (worker: number) => void;
}

/** A worker's place, over all the processes that take it one after the other. */
export interface Place {
  readonly index: number;
  /** undefined before its first start, and while it waits for the next one. */
  readonly worker: WorkerProcess | undefined;
  /** Why there is none. */
  readonly why: string;
}

/**
 * Keeps a number of workers running, and owns nothing else: no connection, no state.
 *
 * - The first worker starts alone. What it finds wrong (configuration, topology, topics, schemas, no broker) is said once, and is the end; the others start
 *   when it has found nothing.
 * - A worker that ends is started again, later each time. One that says that trying again cannot help ends all of them.
 * - A stop is told to all at once. Whoever is not done within the drain time and a grace is killed: what it has not committed is done again.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #places: { index: number; worker: WorkerProcess | undefined; why: string }[] = [];
  readonly #over = new AbortController();
  readonly #checked = Promise.withResolvers<Checked | undefined>();
  #fingerprint: string | undefined;
  #end: { readonly error: Error; readonly worker: number; readonly isForLog: boolean } | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#places.push({ index: 0, worker: undefined, why: 'starting' });
  }

  get places(): readonly Place[] {
    return this.#places;
  }

  /** Resolves once it is known how many workers there are, and that nothing is wrong; undefined when it ends before. */
  get checked(): Promise<Checked | undefined> {
    return this.#checked.promise;
  }

  /**
   * Until the signal (graceful), or an error that ends all, with which it rejects. No worker is left when it settles.
   * @throws UsageError, CommandError: what the worker said
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#over.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#over.signal.addEventListener('abort', () => this.#checked.resolve(undefined), { once: true });
    // A second Ctrl-C, or a defect of ours: nothing outlives the parent.
    const killAll = (): void => this.#places.forEach(({ worker }) => worker?.kill());
    process.once('exit', killAll);
    try {
      const keepers = [this.#keep(0)];
      const checked = await this.#checked.promise;
      if (checked !== undefined) keepers.push(...this.#others(checked.partitions).map((index) => this.#keep(index)));
      await Promise.all(keepers);
    } finally {
      signal.removeEventListener('abort', stop);
      process.removeListener('exit', killAll);
    }
    if (this.#end === undefined) return;
    const { error, worker, isForLog } = this.#end;
    if (isForLog) logFatal(this.#options.logger, error, { worker });
    throw error;
  }

  /** A member without a partition would only cost memory. */
  #others(partitions: number): number[] {
    const { workers, logger } = this.#options;
    const count = Math.min(workers, partitions);
    logger.info(
      { workers: count, partitions },
      count < workers ? 'one worker for each partition: more would have nothing to do' : 'workers',
    );
    const others = Array.from({ length: count - 1 }, (_, i) => i + 1);
    this.#places.push(...others.map((index) => ({ index, worker: undefined, why: 'starting' })));
    return others;
  }

  async #keep(index: number): Promise<void> {
    const { logger, metrics, onEnd } = this.#options;
    const place = this.#places[index]!;
    const backoff = new RestartBackoff();
    while (!this.#over.signal.aborted) {
      place.worker = this.#start(index);
      this.#count();
      const end = await this.#untilEnd(place.worker);
      place.worker = undefined;
      onEnd(index);
      if (this.#isEnd(index, end)) break;
      const delayMs = backoff.next(end.ranMs);
      place.why = `ended by ${end.how}, starts again within ${delayMs} ms`;
      const reason = end.failure === undefined ? {} : { reason: end.failure.message };
      logger.warn({ worker: index, ...reason, ms: delayMs }, `the worker ended by ${end.how} and is started again`);
      this.#count();
      await pause(systemClock, delayMs, this.#over.signal);
      metrics.restarts.add({ worker: String(index) });
    }
    place.why = 'stopped';
    this.#count();
  }

  #start(index: number): WorkerProcess {
    return new WorkerProcess({
      index,
      onLine: (line) => this.#options.onLine(index, line),
      onChecked: (checked) => this.#onChecked(index, checked),
    });
  }

  #onChecked(index: number, checked: Checked): void {
    this.#fingerprint ??= checked.fingerprint;
    this.#checked.resolve(checked);
    if (this.#fingerprint === checked.fingerprint) return;
    const what = `worker ${index} found another topology than the others run (${checked.fingerprint}, not ${this.#fingerprint})`;
    this.#fail(index, new CommandError(`${what}: the files have changed; start again, so that all run the new one`));
  }

  /** With the deadline of a stop, from the moment that all are told. */
  async #untilEnd(worker: WorkerProcess): Promise<WorkerEnd> {
    const { signal } = this.#over;
    const limitMs = this.#options.drainMs + STOP_GRACE_MS;
    let deadline: NodeJS.Timeout | undefined;
    const stop = (): void => {
      worker.stop();
      deadline = setTimeout(() => {
        const what = `worker ${worker.index} did not stop within ${limitMs} ms and was killed; what it had not committed is done again`;
        this.#fail(worker.index, new CommandError(what));
        worker.kill();
      }, limitMs);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await worker.ended;
    } finally {
      signal.removeEventListener('abort', stop);
      clearTimeout(deadline);
    }
  }

  /** Whether the worker's end is that of its place, because it is the end of all. */
  #isEnd(index: number, { failure, how, exited }: WorkerEnd): boolean {
    const hasBegun = this.#fingerprint !== undefined;
    if (this.#over.signal.aborted) {
      // All have another end already: this is the only place that says it.
      if (failure !== undefined)
        this.#options.logger.error({ worker: index, reason: failure.message }, 'the worker ended by an error while it stopped');
      return true;
    }
    if (failure !== undefined && (failure.isFatal || !hasBegun)) this.#fail(index, asError(failure), failure.isForLog);
    else if (!hasBegun && exited)
      this.#fail(index, new CommandError(`worker 0 ended by ${how} before it could begin; what it wrote is above`));
    return this.#over.signal.aborted;
  }

  /** The first error is what all end with. */
  #fail(worker: number, error: Error, isForLog = true): void {
    if (this.#end !== undefined) return;
    this.#end = { error, worker, isForLog };
    // With others to wait for, the last line may take a while.
    if (this.#places.length > 1) this.#options.logger.error({ worker, reason: error.message }, 'all workers end');
    this.#over.abort();
  }

  #count(): void {
    const running = this.#places.filter(({ worker }) => worker !== undefined).length;
    this.#options.metrics.workers.set({ state: 'running' }, running);
    this.#options.metrics.workers.set({ state: 'waiting' }, this.#places.length - running);
  }
}

function asError({ message, exitCode }: Failure): Error {
  return exitCode === 2 ? new UsageError(message) : new CommandError(message);
}
