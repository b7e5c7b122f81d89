import type { EngineObserver, RestoreProgress, TaskState } from '../engine/observer.ts';
import type { IngestObserver } from '../ingest/observer.ts';
import type { HoldObserver } from '../ingest/progress.ts';
import { ingestStageName } from '../ingest/stage.ts';
import type { ItemsObserver } from '../items/observer.ts';
import type { ProcessorObserver } from '../processor/observer.ts';
import type { SenderObserver } from '../senders/observer.ts';
import type { Health } from '../telemetry/health.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

const RESTORE_PROGRESS_MS = 2_000;
/** A producer that has gone wrong must not fill the disk with log lines. */
const DEAD_LETTER_NOTE_MS = 60_000;
const STATES: readonly TaskState[] = ['created', 'fencing', 'restoring', 'running', 'closed'];

/** The engine's reports as metrics, log lines and readiness. A process is ready once it is in its group and every partition that it was given runs. */
export function engineObserver(stage: string, metrics: Metrics, logger: Logger, health: Health): EngineObserver {
  let assigned: readonly number[] | undefined;
  const states = new Map<number, TaskState>();
  /** When the progress of a restore was last said. */
  const restores = new Map<number, number>();
  /** Whether a standby has been at the end of its changelog since it was given. */
  const standbys = new Map<number, boolean>();
  health.addReady({
    name: stage,
    problem: () => {
      if (assigned === undefined) return 'not in its group yet';
      const waiting = assigned.filter((partition) => states.get(partition) !== 'running');
      if (waiting.length === 0) return undefined;
      return waiting.map((partition) => `partition ${partition} is ${states.get(partition) ?? 'waiting to start'}`).join(', ');
    },
  });
  return {
    assigned(partitions) {
      assigned = partitions;
    },
    taskState(partition, state) {
      if (state === 'closed') {
        states.delete(partition);
        metrics.lag.remove({ stage, partition: String(partition) });
        metrics.restoreRemaining.remove({ stage, partition: String(partition) });
        restores.delete(partition);
      } else states.set(partition, state);
      for (const name of STATES) {
        metrics.tasks.set({ stage, state: name }, [...states.values()].filter((other) => other === name).length);
      }
      logger.debug({ stage, partition, state }, 'task');
    },
    batch(_partition, records, seconds) {
      metrics.batchRecords.observe({ stage }, records);
      metrics.batchSeconds.observe({ stage }, seconds);
    },
    transaction: (_partition, seconds) => metrics.transactionSeconds.observe({ stage }, seconds),
    restoring(partition, progress) {
      metrics.restoreRemaining.set({ stage, partition: String(partition) }, progress.end - progress.position);
      const last = restores.get(partition);
      restores.set(partition, last ?? Date.now());
      if (last === undefined || Date.now() - last < RESTORE_PROGRESS_MS) return;
      restores.set(partition, Date.now());
      const { rows, bytes, position, end } = progress;
      logger.info({ stage, partition, rows, bytes, position, end }, `restoring: ${restoreProgress(progress)}`);
    },
    restored(partition, { rows, bytes, seconds }) {
      metrics.restoreSeconds.observe({ stage }, seconds);
      metrics.restoredRows.add({ stage }, rows);
      metrics.restoredBytes.add({ stage }, bytes);
      metrics.restoreRemaining.remove({ stage, partition: String(partition) });
      restores.delete(partition);
      if (rows > 0) logger.info({ stage, partition, rows, bytes, seconds }, 'restored');
    },
    standby(partition, lag) {
      if (lag === undefined) metrics.standbyLag.remove({ stage, partition: String(partition) });
      else metrics.standbyLag.set({ stage, partition: String(partition) }, lag);
      const hasCaughtUp = standbys.get(partition);
      if (lag === undefined) standbys.delete(partition);
      else standbys.set(partition, hasCaughtUp === true || lag === 0);
      if (lag === 0 && hasCaughtUp !== true) logger.info({ stage, partition }, 'standby: has caught up');
    },
    lag: (partition, records) => metrics.lag.set({ stage, partition: String(partition) }, records),
    fenced: () => metrics.fences.add({ stage }),
    note: (level, message, fields) => logger[level]({ stage, ...fields }, message),
  };
}

/** `45 %, 120.5 of about 268 MB, 50,000 rows/s, 12 s left` */
function restoreProgress({ from, position, end, rows, bytes, seconds }: RestoreProgress): string {
  const share = (position - from) / (end - from);
  const megabytes = (count: number): string => (count / 1e6).toFixed(1);
  const rowsPerS = Math.round(rows / Math.max(seconds, 0.001)).toLocaleString('en');
  const leftS = Math.round((seconds / share) * (1 - share));
  return `${Math.floor(share * 100)} %, ${megabytes(bytes)} of about ${megabytes(bytes / share)} MB, ${rowsPerS} rows/s, ${leftS} s left`;
}

export function processorObserver(metrics: Metrics, logger: Logger): ProcessorObserver {
  const deadLetter = deadLetterReport('processor', metrics, logger);
  return {
    deadLetter,
    events: (type, count) => metrics.events.add({ type }, count),
    duplicates: (count) => metrics.duplicates.add({}, count),
    sessionsOpened: (count) => metrics.sessions.add({}, count),
    decision: ({ journey, reason }) => metrics.decisions.add({ journey, reason }),
    command(command, latencySeconds) {
      metrics.commands.add({ channel: command.channel, class: command.class });
      metrics.eventToCommand.observe({ channel: command.channel }, latencySeconds);
    },
    lateSuppressions: (count) => metrics.lateSuppressions.add({}, count),
    timerFired: (latenessSeconds) => metrics.timerLateness.observe({}, latenessSeconds),
    tick: () => metrics.ticks.add({}),
    wrongPartition: (count) => metrics.wrongPartition.add({}, count),
    interests: (count) => metrics.interests.add({}, count),
  };
}

export function holdObserver(metrics: Metrics, logger: Logger): HoldObserver {
  return {
    released: (seconds) => metrics.tickHold.observe({}, seconds),
    overdue: (count) => metrics.ticksOverdue.set({}, count),
    note: (level, message) => logger[level]({ stage: 'processor' }, message),
  };
}

export function ingestObserver(metrics: Metrics, logger: Logger): IngestObserver {
  const reports = new Map<string, (reason: string) => void>();
  return {
    ingested: (source, type, count) => metrics.ingested.add({ source, type }, count),
    filtered: (source, count) => metrics.ingestFiltered.add({ source }, count),
    deadLetter(source, reason) {
      let report = reports.get(source);
      if (report === undefined) reports.set(source, (report = deadLetterReport(ingestStageName(source), metrics, logger)));
      report(reason);
    },
    delay: (source, seconds) => metrics.ingestDelay.observe({ source }, seconds),
  };
}

export function itemsObserver(metrics: Metrics, logger: Logger): ItemsObserver {
  return {
    deadLetter: deadLetterReport('items', metrics, logger),
    changed(type, seconds) {
      metrics.itemChanges.add({ type });
      metrics.fanOut.observe({}, seconds);
    },
    told: (type, count) => metrics.fannedOut.add({ type }, count),
    interests: (count) => metrics.itemInterests.add({}, count),
    expired: (count) => metrics.interestsExpired.add({}, count),
    wrongPartition: (count) => metrics.wrongPartition.add({}, count),
  };
}

export function senderObserver(stage: string, metrics: Metrics, logger: Logger): SenderObserver {
  const deadLetter = deadLetterReport(stage, metrics, logger);
  return {
    answer(provider, answerClass, code, seconds) {
      metrics.sends.add({ provider, class: answerClass, code });
      metrics.sendSeconds.observe({ provider }, seconds);
    },
    outcome: (provider, outcomeClass, code) => metrics.outcomes.add({ provider, class: outcomeClass, code: code ?? 'none' }),
    load(provider, partition, inFlight, waiting) {
      metrics.sendsInFlight.set({ provider, partition: String(partition) }, inFlight);
      metrics.sendsWaiting.set({ provider, partition: String(partition) }, waiting);
    },
    deadLetter: (_provider, reason) => deadLetter(reason),
    note: (level, message) => logger[level]({}, message),
  };
}

/** Counts every dead letter; says the first of each reason, and from then on at most one line a minute. */
function deadLetterReport(stage: string, metrics: Metrics, logger: Logger): (reason: string) => void {
  const since = new Map<string, { saidMs: number; count: number }>();
  return (reason) => {
    metrics.deadLetters.add({ stage, reason });
    const one = since.get(reason) ?? { saidMs: -Infinity, count: 0 };
    since.set(reason, one);
    one.count++;
    if (performance.now() - one.saidMs < DEAD_LETTER_NOTE_MS) return;
    logger.warn({ stage, reason, count: one.count }, 'records were put aside as dead letters: their headers say where they stood and why');
    one.saidMs = performance.now();
    one.count = 0;
  };
}
