import { describe, expect, it } from 'vitest';
import { engineObserver, processorObserver } from '../../src/cli/observers.ts';
import { Health } from '../../src/telemetry/health.ts';
import { noLogger, type Logger } from '../../src/telemetry/logger.ts';
import { noMetrics } from '../../src/telemetry/metrics.ts';

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
