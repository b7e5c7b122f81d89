import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineObserver, processorObserver } from '../../src/cli/observers.ts';
import { Health } from '../../src/telemetry/health.ts';
import { noLogger, type Logger } from '../../src/telemetry/logger.ts';
import { createMetrics, noMetrics } from '../../src/telemetry/metrics.ts';

describe('readiness', () => {
  it('comes with the group and with every partition that was given, and goes while one of them is down', () => {
    const health = new Health();
    const observer = engineObserver('processor', noMetrics, noLogger, health);
    health.started();
    const problem = (): string | undefined => health.ready().problems['processor'];

    expect(problem()).toBe('not in its group yet');
    observer.assigned([0, 2]);
    expect(problem()).toBe('partition 0 is waiting to start, partition 2 is waiting to start');
    observer.taskState(0, 'running');
    observer.taskState(2, 'restoring');
    expect(problem()).toBe('partition 2 is restoring');
    observer.taskState(2, 'running');
    expect(health.ready()).toEqual({ isGood: true, problems: {} });

    // A task that failed waits for its next try: the process does not do its work meanwhile.
    observer.taskState(0, 'closed');
    expect(problem()).toBe('partition 0 is waiting to start');
    observer.assigned([2]);
    expect(problem()).toBeUndefined();
  });
});

describe('a restore', () => {
  afterEach(() => vi.useRealTimers());

  it('says how far it is and how long it will take, every two seconds per partition, and that it is done', async () => {
    vi.useFakeTimers();
    const said: string[] = [];
    const logger: Logger = { ...noLogger, info: (fields, message) => void said.push(`${JSON.stringify(fields)} ${message}`) };
    const registry = createMetrics({ prefix: 'lull' });
    const observer = engineObserver('processor', registry.metrics, logger, new Health());
    for (let seconds = 0; seconds <= 5; seconds++) {
      for (const partition of [0, 1])
        observer.restoring(partition, {
          from: 100,
          position: 100 + seconds * 100,
          end: 1_100,
          rows: seconds * 50,
          bytes: seconds * 1e6,
          seconds,
        });
      vi.advanceTimersByTime(1_000);
    }
    expect(said).toHaveLength(4);
    expect(said[2]).toBe(
      '{"stage":"processor","partition":0,"rows":200,"bytes":4000000,"position":500,"end":1100} ' +
        'restoring: 40 %, 4.0 of about 10.0 MB, 50 rows/s, 6 s left',
    );
    expect(await registry.render()).toMatch(/lull_restore_remaining_records\{[^}]*partition="1"[^}]*\} 500\n/);
    observer.restored(0, { rows: 500, bytes: 1e7, seconds: 10 });
    expect(said.at(-1)).toBe('{"stage":"processor","partition":0,"rows":500,"bytes":10000000,"seconds":10} restored');
    const after = await registry.render();
    expect(after).not.toMatch(/lull_restore_remaining_records\{[^}]*partition="0"/);
    expect(after).toMatch(/lull_restored_bytes_total\{[^}]*\} 10000000\n/);
  });
});

describe('a standby', () => {
  it('shows how far it is behind, says once that it has caught up, and disappears with its partition', async () => {
    const said: string[] = [];
    const logger: Logger = { ...noLogger, info: (_, message) => void said.push(message) };
    const registry = createMetrics({ prefix: 'lull' });
    const observer = engineObserver('processor', registry.metrics, logger, new Health());
    for (const lag of [900, 0, 3, 0]) observer.standby(4, lag);
    observer.standby(4, 7);
    expect(said).toEqual(['standby: has caught up']);
    expect(await registry.render()).toMatch(/lull_standby_lag_records\{[^}]*partition="4"[^}]*\} 7\n/);
    observer.standby(4, undefined);
    expect(await registry.render()).not.toMatch(/lull_standby_lag_records\{/);
  });
});

describe('dead letters', () => {
  it('are said once per reason, not once per record', () => {
    const said: object[] = [];
    const logger: Logger = { ...noLogger, warn: (fields) => void said.push(fields) };
    const { deadLetter } = processorObserver(noMetrics, logger);
    for (let i = 0; i < 100; i++) deadLetter('not_avro_frame');
    deadLetter('null_key');
    expect(said).toEqual([
      { stage: 'processor', reason: 'not_avro_frame', count: 1 },
      { stage: 'processor', reason: 'null_key', count: 1 },
    ]);
  });
});
