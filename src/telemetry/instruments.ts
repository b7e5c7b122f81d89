import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** What a metric is called on: labels first, in the shape that its definition gives, then the number. */
export interface Count<L extends string> {
  add(labels: Readonly<Record<L, string>>, by?: number): void;
}
export interface Level<L extends string> {
  set(labels: Readonly<Record<L, string>>, value: number): void;
  /** The series ends: what this process no longer has is not 0, it is another process's. */
  remove(labels: Readonly<Record<L, string>>): void;
}
export interface Distribution<L extends string> {
  observe(labels: Readonly<Record<L, string>>, value: number): void;
}

interface Definition<K, L extends string> {
  readonly kind: K;
  /** Without the `lull_` in front. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
}
export type CountDefinition<L extends string> = Definition<'count', L>;
export type LevelDefinition<L extends string> = Definition<'level', L>;
export interface DistributionDefinition<L extends string> extends Definition<'distribution', L> {
  readonly buckets: readonly number[];
}

export type AnyDefinition = CountDefinition<string> | LevelDefinition<string> | DistributionDefinition<string>;
export type InstrumentOf<D> =
  D extends CountDefinition<infer L>
    ? Count<L>
    : D extends LevelDefinition<infer L>
      ? Level<L>
      : D extends DistributionDefinition<infer L>
        ? Distribution<L>
        : never;

/** Most values that one label may take. What comes later counts as `other`: a surprise in the data must not become a million series. */
export const MAX_LABEL_VALUES = 200;
/** There are as many as the topic has, and an operator chose that. */
const UNBOUNDED = new Set(['partition']);

/** Makes one metric in a registry. */
export function instrument(registry: Registry, definition: AnyDefinition): Count<string> | Level<string> | Distribution<string> {
  const { name, help, labels: labelNames } = definition;
  const options = { name: `lull_${name}`, help, labelNames, registers: [registry], aggregator: acrossWorkers(definition) };
  const bounded = labelBound();
  switch (definition.kind) {
    case 'count': {
      const counter = new Counter(options);
      return { add: (labels, by = 1) => counter.inc(bounded(labels), by) };
    }
    case 'level': {
      const gauge = new Gauge(options);
      return { set: (labels, value) => gauge.set(bounded(labels), value), remove: (labels) => gauge.remove(bounded(labels)) };
    }
    case 'distribution': {
      const histogram = new Histogram({ ...options, buckets: [...definition.buckets] });
      return { observe: (labels, value) => histogram.observe(bounded(labels), value) };
    }
  }
}

/**
 * What the metrics of several workers make together: the sum. But a partition lives in one of them, and where two name it (one that has just lost it, and one
 * that has just got it), their sum is nobody's.
 */
function acrossWorkers({ kind, labels }: AnyDefinition): 'sum' | 'max' {
  return kind === 'level' && labels.includes('partition') ? 'max' : 'sum';
}

function labelBound(): (labels: Readonly<Record<string, string>>) => Record<string, string> {
  const seen = new Map<string, Set<string>>();
  const bound = (label: string, value: string): string => {
    if (UNBOUNDED.has(label)) return value;
    let values = seen.get(label);
    if (values === undefined) seen.set(label, (values = new Set()));
    if (values.has(value)) return value;
    if (values.size >= MAX_LABEL_VALUES) return 'other';
    values.add(value);
    return value;
  };
  return (labels) => Object.fromEntries(Object.entries(labels).map(([label, value]) => [label, bound(label, value)]));
}
