import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../src/log/port.ts';
import type { Child } from './child.ts';
import { ProcessUsage } from './process-usage.ts';
import { countVisible } from './visible.ts';

const POLL_MS = 50;
const PSS_EVERY_MS = 1_000;
const REPORT_EVERY_MS = 2_000;
/** Everything is read and still commands are missing: so long are they waited for. */
const PATIENCE_MS = 20_000;

export interface CatchUp {
  readonly topic: string;
  readonly dispatchTopic: string;
  readonly groupId: string;
  /** The processes that work together, as members of the group. */
  readonly children: readonly Child[];
  /** Commands, all in all. */
  readonly expected: number;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export interface CatchUpFigures {
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerS: number;
  readonly lastHalfEventsPerS: number;
  readonly cpuSPerMillion: number;
  readonly peakRssMiB: number;
  readonly peakPssMiB: number;
}

/**
 * Watches a group read a topic to its end. The clock runs from the first record that any of the children reads until every expected command is visible to a
 * read_committed reader and the group's offsets are at the end. CPU is what each child used since its own first record; one that got none counts with its start.
 */
export async function measureCatchUp(log: Log, { children, signal, ...run }: CatchUp): Promise<CatchUpFigures> {
  const events = sum([...(await log.admin.offsets(run.topic)).values()].map(({ end }) => end));
  const usage = new ProcessUsage(...children.map(({ pid }) => pid));
  const visible = await countVisible(log, run.dispatchTopic);
  const began = Date.now();
  let half: { readonly atMs: number; readonly events: number } | undefined;
  let offsetsAtMs: number | undefined;
  let [reportedMs, pssMs] = [began, 0];
  try {
    for (;;) {
      await sleep(POLL_MS, undefined, { signal });
      if (children.some(({ hasExited }) => hasExited)) throw new Error('a process under measurement ended before the input did');
      const committed = sum([...(await log.admin.groupOffsets(run.groupId, run.topic)).values()]);
      const nowMs = Date.now();
      usage.sampleRss();
      if (nowMs - pssMs > PSS_EVERY_MS) {
        pssMs = nowMs;
        usage.samplePss();
      }
      if (half === undefined && committed >= events / 2) half = { atMs: nowMs, events: committed };
      if (committed >= events) offsetsAtMs ??= nowMs;
      if (nowMs - reportedMs > REPORT_EVERY_MS) {
        reportedMs = nowMs;
        process.stderr.write(`${committed} of ${events} committed after ${((nowMs - began) / 1000).toFixed(0)} s\n`);
      }
      const all = visible.count() >= run.expected;
      const hasGivenUp = offsetsAtMs !== undefined && nowMs - offsetsAtMs > PATIENCE_MS;
      if (nowMs - began > run.limitMs)
        throw new Error(`${committed} of ${events} committed when the limit of ${run.limitMs / 1000} s was reached`);
      if (offsetsAtMs === undefined || !(all || hasGivenUp)) continue;
      const endMs = hasGivenUp ? offsetsAtMs : Math.max(offsetsAtMs, visible.lastMs());
      const cpuS = sum(children.map((child) => child.cpuS));
      usage.samplePss();
      const seconds = (endMs - Math.min(...children.map(({ firstMs }) => firstMs ?? endMs))) / 1000;
      const lastHalfS = (endMs - (half?.atMs ?? began)) / 1000;
      return {
        events,
        seconds: round(seconds, 2),
        eventsPerS: Math.round(events / seconds),
        lastHalfEventsPerS: Math.round((events - (half?.events ?? 0)) / lastHalfS),
        cpuSPerMillion: round((cpuS * 1e6) / events, 2),
        peakRssMiB: usage.peakRssMiB,
        peakPssMiB: usage.peakPssMiB,
      };
    }
  } finally {
    await visible.stop();
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const round = (n: number, digits: number): number => Number(n.toFixed(digits));
