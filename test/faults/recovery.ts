import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from './deployment.ts';
import { OracleError } from './row.ts';

/** O5's bound: far above what is normal; how long it really took is printed. */
const RECOVERS_WITHIN_MS = 120_000;
const POLL_MS = 100;

/**
 * O5: waits until everything that is on the timeline now is committed, and returns how long that took. A row whose processors may all die of its own faults restarts
 * one with `restart`; of others, none may end.
 * @throws OracleError
 */
export async function untilRecovered(deployment: Deployment, withinMs = RECOVERS_WITHIN_MS, restart?: () => void): Promise<number> {
  const began = performance.now();
  const ends = await deployment.ends();
  while (!(await deployment.hasRead(ends))) {
    if (deployment.alive === 0) restart?.();
    if (deployment.alive === 0) throw new OracleError('O5', `nobody is left to recover: ${deployment.lastFailure}`);
    if (performance.now() - began > withinMs) throw new OracleError('O5', await stuck(deployment, ends, withinMs));
    await sleep(POLL_MS);
  }
  return Math.round(performance.now() - began);
}

async function stuck(deployment: Deployment, ends: ReadonlyMap<number, number>, withinMs: number): Promise<string> {
  const { log, group, topics } = deployment;
  const read = await log.admin.groupOffsets(group, topics.timeline);
  const where = [...ends].map(([partition, end]) => `${topics.timeline}-${partition} is at ${read.get(partition) ?? 0} of ${end}`);
  return `not recovered within ${withinMs / 1000} s: ${where.join(', ')}; ${deployment.lastFailure}`;
}
