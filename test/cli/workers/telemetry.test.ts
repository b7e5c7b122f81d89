import { describe, expect, it } from 'vitest';
import { SupervisedHealth } from '../../../src/cli/workers/telemetry.ts';
import type { HealthReport } from '../../../src/telemetry/health.ts';

const good: HealthReport = { isGood: true, problems: {} };
const bad = (problem: string): HealthReport => ({ isGood: false, problems: { processor: problem } });

/** A worker that answers so, or is silent for so long. */
function place(index: number, answer: { live?: HealthReport; ready?: HealthReport } | { silentMs: number } | undefined, why = '') {
  if (answer === undefined) return { index, why, worker: undefined };
  const silentMs = 'silentMs' in answer ? answer.silentMs : 0;
  const given = 'silentMs' in answer ? undefined : { live: good, ready: good, ...answer };
  return { index, why, worker: { silentMs, ask: async () => given as never } };
}

describe('the health of all workers', () => {
  const health = (...places: ReturnType<typeof place>[]) => new SupervisedHealth(() => places);

  it('is ready when each of them is, and names who is not, and why', async () => {
    expect(await health(place(0, {}), place(1, {})).ready()).toEqual(good);
    expect(
      await health(
        place(0, { ready: bad('partition 3 is restoring') }),
        place(1, {}),
        place(2, undefined, 'ended by SIGKILL, starts again within 500 ms'),
        place(3, { silentMs: 900 }),
      ).ready(),
    ).toEqual({
      isGood: false,
      problems: {
        'worker 0: processor': 'partition 3 is restoring',
        'worker 2: process': 'ended by SIGKILL, starts again within 500 ms',
        'worker 3: process': 'does not answer',
      },
    });
  });

  it('is live while workers start, are started again or are busy, but not when one cannot go on or hangs for half a minute', async () => {
    expect(await health(place(0, { ready: bad('restoring') }), place(1, undefined), place(2, { silentMs: 29_999 })).live()).toEqual(good);
    expect(await health(place(0, { live: bad('ended') }), place(1, {})).live()).toEqual({
      isGood: false,
      problems: { 'worker 0: processor': 'ended' },
    });
    expect(await health(place(0, {}), place(1, { silentMs: 31_000 })).live()).toEqual({
      isGood: false,
      problems: { 'worker 1: process': 'has not answered for 31 s' },
    });
  });
});
