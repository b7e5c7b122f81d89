import { Registry, collectDefaultMetrics } from 'prom-client';
import { instrument } from './instruments.ts';
import type { AnyDefinition, CountDefinition, DistributionDefinition, InstrumentOf, LevelDefinition } from './instruments.ts';
import type { MetricsSource } from './server.ts';
import type { MetricsSnapshot } from './worker-metrics.ts';

const count = <const L extends string>(name: string, help: string, ...labels: L[]): CountDefinition<L> => ({
  kind: 'count',
  name,
  help,
  labels,
});
const level = <const L extends string>(name: string, help: string, ...labels: L[]): LevelDefinition<L> => ({
  kind: 'level',
  name,
  help,
  labels,
});
const distribution = <const L extends string>(
  name: string,
  help: string,
  buckets: readonly number[],
  ...labels: L[]
): DistributionDefinition<L> => ({ kind: 'distribution', name, help, labels, buckets });

/** Seconds. Work on a batch: from a millisecond to a stall that somebody should look at. */
const WORK = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds. What a user would notice: from at once to a day (an outage). */
const WAIT = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86_400];
/** Seconds. A restore is a glance at a warm disk, or a changelog from its beginning. */
const RESTORE = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];
const RECORDS = [1, 10, 50, 100, 500, 1000, 2500, 5000, 10_000, 25_000];

/** Every metric of Lull. Labels have few values by nature (a stage, a reason, a journey's name), and `instruments.ts` bounds them. No label is about a user. */
export const METRICS = {
  events: count('events_total', 'Events that were processed, by type; types that the catalogue does not know are `other`', 'type'),
  duplicates: count('duplicate_events_total', 'Events that were seen before, by their id'),
  wrongPartition: count('wrong_partition_total', 'Records whose key belongs to another partition'),
  sessions: count('sessions_opened_total', 'Session windows that were opened'),
  decisions: count('decisions_total', 'Candidates by what became of them: sent, or the first check that stopped them', 'journey', 'reason'),
  commands: count('commands_total', 'Send commands that were committed', 'channel', 'class'),
  eventToCommand: distribution(
    'event_to_command_seconds',
    'From the moment that a command became due (its event, or its deadline) to its commit',
    WAIT,
    'channel',
  ),
  timerLateness: distribution('timer_lateness_seconds', 'How long behind their due time, in append time, timers fired', WAIT),
  ticks: count('ticks_total', 'Ticks that were asked for'),
  tickHold: distribution('tick_hold_seconds', 'How long a tick waited for ingest, where the topology has sources', WAIT),
  ticksOverdue: level(
    'ticks_overdue',
    'Ticks that have been waiting for ingest for longer than maxTickHold: nothing that is due is decided',
  ),
  ingested: count('ingested_total', "Events that ingest made of other programs' records", 'source', 'type'),
  ingestFiltered: count('ingest_filtered_total', 'Records that a source does not want', 'source'),
  ingestDelay: distribution(
    'ingest_delay_seconds',
    "From a record's time to its commit on the timeline, of the oldest in each commit",
    WAIT,
    'source',
  ),
  interests: count('interests_total', 'Interest in items that the processor wrote: that it began, was prolonged or ended'),
  itemInterests: count('item_interests_total', 'Interest in items that the items have read'),
  interestsExpired: count('interests_expired_total', 'Interest in items that was over, and is deleted'),
  itemChanges: count('item_changes_total', 'Changes of items, once everybody who is interested has been told', 'type'),
  fannedOut: count('fanned_out_total', 'Events that changes of items became, one for each user who is interested', 'type'),
  fanOut: distribution('fan_out_seconds', "From an item's change to the commit of the last event that it became", WAIT),
  lateSuppressions: count('late_suppressions_total', 'Goals and suppressors that came after the send they would have stopped'),
  deadLetters: count('dead_letters_total', 'Records that were refused, by reason', 'stage', 'reason'),
  lag: level('lag_records', 'Records between the committed position and the end of the input', 'stage', 'partition'),
  batchRecords: distribution('batch_records', 'Records in one processed batch', RECORDS, 'stage'),
  batchSeconds: distribution('batch_seconds', 'Processing one batch, without its commit', WORK, 'stage'),
  transactionSeconds: distribution('transaction_seconds', 'One transaction, from its first send to the end of its commit', WORK, 'stage'),
  restoreSeconds: distribution('restore_seconds', 'One restore of a partition from its changelog', RESTORE, 'stage'),
  restoredRows: count('restored_rows_total', 'Changelog rows that were replayed', 'stage'),
  restoredBytes: count('restored_bytes_total', 'Bytes of keys and values of changelog rows that were replayed', 'stage'),
  restoreRemaining: level('restore_remaining_records', 'Changelog records that a restore under way has before it', 'stage', 'partition'),
  standbyLag: level('standby_lag_records', 'Changelog records that a standby of this process is behind', 'stage', 'partition'),
  fences: count('fences_total', 'Tasks that lost their partition to another owner while committing', 'stage'),
  tasks: level('tasks', 'Tasks of this process, by state', 'stage', 'state'),
  sends: count('sends_total', 'Answers of providers, one for each attempt on a device', 'provider', 'class', 'code'),
  outcomes: count('outcomes_total', 'Final outcomes, one for each command and device', 'provider', 'class', 'code'),
  sendsInFlight: level('sends_in_flight', 'Calls to the provider that have not been answered yet', 'provider', 'partition'),
  sendsWaiting: level('sends_waiting', 'Devices that wait for another attempt', 'provider', 'partition'),
  sendSeconds: distribution('send_seconds', 'One attempt on a device', WORK, 'provider'),
} as const satisfies Record<string, AnyDefinition>;

/** Of the parent of several workers; theirs are added to these. */
export const SUPERVISOR_METRICS = {
  restarts: count('worker_restarts_total', 'How often a worker was started again after it had ended by itself', 'worker'),
  workers: level('workers', 'Worker processes, by state; waiting: for its next start, after it ended', 'state'),
  unanswered: count('worker_scrapes_unanswered_total', 'Scrapes that a worker did not answer in time; its gauges were left out', 'worker'),
} as const satisfies Record<string, AnyDefinition>;

type Instruments<D extends Record<string, AnyDefinition>> = { readonly [K in keyof D]: InstrumentOf<D[K]> };
export type Metrics = Instruments<typeof METRICS>;
export type SupervisorMetrics = Instruments<typeof SUPERVISOR_METRICS>;

export interface Registered<M> extends MetricsSource {
  readonly metrics: M;
  /** All values as they are now, as plain data. */
  snapshot(): Promise<MetricsSnapshot>;
}
export type MetricsRegistry = Registered<Metrics>;

interface MetricsOptions {
  /** Labels each metric, as `app`. */
  readonly prefix: string;
}

/** The metrics of one process. */
export function createMetrics(options: MetricsOptions): MetricsRegistry {
  return register(METRICS, options);
}

/** The metrics of the parent of several workers. */
export function createSupervisorMetrics(options: MetricsOptions): Registered<SupervisorMetrics> {
  return register(SUPERVISOR_METRICS, options);
}

function register<const D extends Record<string, AnyDefinition>>(definitions: D, { prefix }: MetricsOptions): Registered<Instruments<D>> {
  const registry = new Registry();
  registry.setDefaultLabels({ app: prefix });
  // Memory, CPU, event loop and garbage collection of the process.
  collectDefaultMetrics({ register: registry });
  const metrics = Object.fromEntries(Object.entries(definitions).map(([name, definition]) => [name, instrument(registry, definition)]));
  return {
    metrics: metrics as unknown as Instruments<D>,
    render: () => registry.metrics(),
    contentType: registry.contentType,
    snapshot: async () => (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot,
  };
}

const nothing = (): void => undefined;

/** The null twin. */
export const noMetrics = Object.fromEntries(
  Object.keys(METRICS).map((name) => [name, { add: nothing, set: nothing, remove: nothing, observe: nothing }]),
) as unknown as Metrics;
