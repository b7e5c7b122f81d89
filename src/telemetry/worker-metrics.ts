import { AggregatorRegistry } from 'prom-client';
import type { PrometheusContentType } from 'prom-client';

/** One metric of one process, as plain data that can go from process to process. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  /** How the values of several processes become one; `instruments.ts` chooses it. */
  readonly aggregator: string;
  readonly values: readonly SnapshotValue[];
}

interface SnapshotValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Of a histogram: which of its series. */
  readonly metricName?: string;
}

export type MetricsSnapshot = readonly MetricSnapshot[];

/**
 * The metrics of several workers as those of one process. What Lull counts is added up; what is the process's own (memory, CPU, event loop)
 * gets a `worker` label instead.
 *
 * Totals must never go down: Prometheus takes that for a restart, and counts the whole total once more. So a worker that has ended keeps what it was last
 * known to have counted, and so does one that does not answer; only its gauges are left out.
 */
export class WorkerMetrics {
  readonly #last = new Map<number, MetricsSnapshot>();
  /** Totals of the workers that have ended. */
  #ended: MetricsSnapshot = [];

  /** What a worker says now. */
  update(worker: number, snapshot: MetricsSnapshot): void {
    this.#last.set(worker, labelled(snapshot, String(worker)));
  }

  /** It ended: its successor counts from 0. */
  end(worker: number): void {
    this.#ended = merge([this.#ended, totals(this.#last.get(worker) ?? [])]);
    this.#last.delete(worker);
  }

  /** In Prometheus' text format. `own` are the parent's; of workers that are not `answering`, totals only. */
  render(own: MetricsSnapshot, answering: ReadonlySet<number>): Promise<string> {
    const workers = [...this.#last].map(([worker, snapshot]) => (answering.has(worker) ? snapshot : totals(snapshot)));
    return AggregatorRegistry.aggregate<PrometheusContentType>([
      [...merge([labelled(own, 'supervisor'), this.#ended, ...workers])],
    ]).metrics();
  }
}

const OURS = /^lull_/;

function labelled(snapshot: MetricsSnapshot, worker: string): MetricsSnapshot {
  return snapshot.map((metric) =>
    OURS.test(metric.name)
      ? metric
      : { ...metric, aggregator: 'first', values: metric.values.map((value) => ({ ...value, labels: { ...value.labels, worker } })) },
  );
}

function totals(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.filter(({ name, type }) => OURS.test(name) && type !== 'gauge');
}

function merge(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const merged = new Map<string, { readonly metric: MetricSnapshot; readonly values: Map<string, SnapshotValue> }>();
  for (const metric of snapshots.flat()) {
    let into = merged.get(metric.name);
    if (into === undefined) merged.set(metric.name, (into = { metric, values: new Map() }));
    for (const value of metric.values) {
      const series = JSON.stringify([value.metricName, ...Object.entries(value.labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
      const before = into.values.get(series)?.value;
      into.values.set(series, before === undefined ? value : { ...value, value: combine(metric.aggregator, before, value.value) });
    }
  }
  return [...merged.values()].map(({ metric, values }) => ({ ...metric, values: [...values.values()] }));
}

function combine(aggregator: string, a: number, b: number): number {
  return aggregator === 'max' ? Math.max(a, b) : a + b;
}
