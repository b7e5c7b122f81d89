import type { HealthReport } from '../../telemetry/health.ts';
import type { Registered, SupervisorMetrics } from '../../telemetry/metrics.ts';
import type { HealthSource, MetricsSource } from '../../telemetry/server.ts';
import { WorkerMetrics } from '../../telemetry/worker-metrics.ts';
import type { Answers } from './messages.ts';
import type { Place } from './supervisor.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Less than the second that Kubernetes gives a probe. */
const HEALTH_WITHIN_MS = 800;
/** Less than what Prometheus gives a scrape: a worker that hangs must not cost the others' figures. */
const METRICS_WITHIN_MS = 2_000;
/** A worker that owes an answer this long hangs. One that starts, or works off a large batch, does not take as long. */
const MAX_SILENT_MS = 30_000;

/** A place, as far as its worker can be asked. */
type Asked = Omit<Place, 'worker'> & { readonly worker: Pick<WorkerProcess, 'ask' | 'silentMs'> | undefined };

/** The health of all workers: ready when each of them is, live while none of them says that it cannot go on, and none hangs. */
export class SupervisedHealth implements HealthSource {
  readonly #places: () => readonly Asked[];

  constructor(places: () => readonly Asked[]) {
    this.#places = places;
  }

  live(): Promise<HealthReport> {
    return this.#report(({ worker }, answer) => {
      if (answer !== undefined) return answer.live.problems;
      const silentMs = worker?.silentMs ?? 0;
      return silentMs < MAX_SILENT_MS ? {} : { process: `has not answered for ${Math.round(silentMs / 1000)} s` };
    });
  }

  ready(): Promise<HealthReport> {
    return this.#report(({ worker, why }, answer) => {
      if (worker === undefined) return { process: why };
      return answer?.ready.problems ?? { process: 'does not answer' };
    });
  }

  async #report(
    problemsOf: (place: Asked, answer: Answers['health'] | undefined) => Readonly<Record<string, string>>,
  ): Promise<HealthReport> {
    const perPlace = await Promise.all(
      this.#places().map(async (place) => {
        const answer = await place.worker?.ask('health', HEALTH_WITHIN_MS);
        return Object.entries(problemsOf(place, answer)).map(([name, problem]) => [`worker ${place.index}: ${name}`, problem] as const);
      }),
    );
    const problems = Object.fromEntries(perPlace.flat());
    return { isGood: Object.keys(problems).length === 0, problems };
  }
}

/** The metrics of all workers as one page. */
export class SupervisedMetrics implements MetricsSource {
  readonly #own: Registered<SupervisorMetrics>;
  readonly #places: () => readonly Asked[];
  readonly #workers = new WorkerMetrics();

  constructor(own: Registered<SupervisorMetrics>, places: () => readonly Asked[]) {
    this.#own = own;
    this.#places = places;
  }

  get contentType(): string {
    return this.#own.contentType;
  }

  /** To be told when a worker ends, before the next one of its number starts. */
  ended(worker: number): void {
    this.#workers.end(worker);
  }

  async render(): Promise<string> {
    const answering = new Set<number>();
    await Promise.all(
      this.#places().map(async (place) => {
        const { worker, index } = place;
        const snapshot = await worker?.ask('metrics', METRICS_WITHIN_MS);
        // What one said that has ended meanwhile is already in the totals.
        if (snapshot !== undefined && place.worker === worker) {
          this.#workers.update(index, snapshot);
          answering.add(index);
        } else this.#own.metrics.unanswered.add({ worker: String(index) });
      }),
    );
    return this.#workers.render(await this.#own.snapshot(), answering);
  }
}
