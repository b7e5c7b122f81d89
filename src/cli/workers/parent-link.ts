import type { HealthSource } from '../../telemetry/server.ts';
import type { MetricsSnapshot } from '../../telemetry/worker-metrics.ts';
import { STOP_GRACE_MS, WORKER_INDEX, type Ask, type Checked, type Failure, type FromWorker, type ToWorker } from './messages.ts';

export interface Answering {
  readonly health: HealthSource;
  readonly metrics: { snapshot(): Promise<MetricsSnapshot> };
}

/**
 * A worker's side of the channel to its parent. The worker ends gracefully when the parent says so, and when the parent is gone: nobody would
 * answer for it, or start it again. It takes signals for the same and never ends at once: Ctrl-C reaches every process of a terminal's group, the parent
 * tells its workers too, and only the parent knows which of two was the second.
 */
export class ParentLink {
  readonly index: number;
  readonly #stopping = new AbortController();
  #drainMs = 0;
  #answering: Answering | undefined;

  constructor(index: number) {
    this.index = index;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#stop(signal));
    process.on('message', (message: ToWorker) => {
      if (message.kind === 'stop') this.#stop('the parent');
      else void this.#answer(message);
    });
    process.once('disconnect', () => {
      this.#stop("the parent's end");
      setTimeout(() => process.exit(1), this.#drainMs + STOP_GRACE_MS).unref();
    });
    // Who read this is gone too; what cannot be said must not end the process before it has stopped.
    process.stderr.on('error', () => undefined);
  }

  /** Aborted when this worker has to stop. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** What the parent may ask from now on, and how long a stop may take without a parent that watches it. */
  open(answering: Answering, drainMs: number): void {
    this.#answering = answering;
    this.#drainMs = drainMs;
  }

  checked(checked: Omit<Checked, 'kind'>): void {
    void this.#send({ kind: 'checked', ...checked });
  }

  /** Resolves when the parent has it, or is gone. */
  failed(failure: Omit<Failure, 'kind'>): Promise<void> {
    return this.#send({ kind: 'failed', ...failure });
  }

  #stop(by: string): void {
    if (!this.#stopping.signal.aborted) this.#stopping.abort(new Error(`stopped by ${by}`));
  }

  async #answer({ id, what }: Ask): Promise<void> {
    if (this.#answering === undefined) return;
    const { health, metrics } = this.#answering;
    const answer = what === 'health' ? { live: await health.live(), ready: await health.ready() } : await metrics.snapshot();
    await this.#send({ kind: 'answer', id, answer });
  }

  #send(message: FromWorker): Promise<void> {
    return new Promise((resolve) => {
      // A channel that is closed is the parent's end, which `disconnect` tells.
      if (process.send === undefined || !process.connected) resolve();
      else process.send(message, undefined, {}, () => resolve());
    });
  }
}

let link: ParentLink | undefined;

/** Its parent, where this process is one of several workers. */
export function parentLink(): ParentLink | undefined {
  const index = process.env[WORKER_INDEX];
  if (index === undefined || process.send === undefined) return undefined;
  link ??= new ParentLink(Number(index));
  return link;
}
