import { describe, expect, it } from 'vitest';
import { MAX_LABEL_VALUES } from '../../src/telemetry/instruments.ts';
import { METRICS, SUPERVISOR_METRICS, createMetrics, noMetrics } from '../../src/telemetry/metrics.ts';

describe('the metrics', () => {
  it('are rendered for Prometheus, labelled with the app', async () => {
    const registry = createMetrics({ prefix: 'shop' });
    registry.metrics.events.add({ type: 'product_viewed' }, 3);
    registry.metrics.events.add({ type: 'product_viewed' });
    registry.metrics.lag.set({ stage: 'processor', partition: '7' }, 12);
    registry.metrics.transactionSeconds.observe({ stage: 'processor' }, 0.03);
    const text = await registry.render();
    expect(text).toContain('lull_events_total{type="product_viewed",app="shop"} 4');
    expect(text).toContain('lull_lag_records{stage="processor",partition="7",app="shop"} 12');
    expect(text).toContain('lull_transaction_seconds_bucket{le="0.025",app="shop",stage="processor"} 0');
    expect(text).toContain('lull_transaction_seconds_bucket{le="0.05",app="shop",stage="processor"} 1');
    expect(text).toContain('process_resident_memory_bytes{app="shop"}');
  });

  it('forget a partition that is no longer here', async () => {
    const registry = createMetrics({ prefix: 'shop' });
    registry.metrics.lag.set({ stage: 'processor', partition: '1' }, 5);
    registry.metrics.lag.set({ stage: 'processor', partition: '2' }, 6);
    registry.metrics.lag.remove({ stage: 'processor', partition: '1' });
    const text = await registry.render();
    expect(text).not.toContain('partition="1"');
    expect(text).toContain('partition="2"');
  });

  it('never have more series of a label than its bound, except for partitions', async () => {
    const registry = createMetrics({ prefix: 'shop' });
    for (let i = 0; i < 1000; i++) {
      registry.metrics.events.add({ type: `type-${i}` });
      registry.metrics.lag.set({ stage: 'processor', partition: String(i) }, i);
    }
    const lines = (await registry.render()).split('\n');
    expect(lines.filter((line) => line.startsWith('lull_events_total{'))).toHaveLength(MAX_LABEL_VALUES + 1);
    expect(lines).toContain(`lull_events_total{type="other",app="shop"} ${1000 - MAX_LABEL_VALUES}`);
    expect(lines.filter((line) => line.startsWith('lull_lag_records{'))).toHaveLength(1000);
  });

  it('of two processes in one do not know each other', async () => {
    const one = createMetrics({ prefix: 'one' });
    const two = createMetrics({ prefix: 'two' });
    one.metrics.ticks.add({});
    expect(await one.render()).toContain('lull_ticks_total{app="one"} 1');
    expect(await two.render()).toContain('lull_ticks_total{app="two"} 0');
  });

  it('say in their names what they count and in which unit, and have no label about a user', () => {
    for (const { kind, name, labels, help } of [...Object.values(METRICS), ...Object.values(SUPERVISOR_METRICS)]) {
      if (kind === 'count') expect(name).toMatch(/^[a-z_]+_total$/);
      else expect(name).not.toMatch(/_total$/);
      if (kind === 'distribution') expect(name).toMatch(/_(seconds|records)$/);
      expect(help.length).toBeGreaterThan(10);
      for (const label of labels)
        expect([
          'type',
          'journey',
          'reason',
          'channel',
          'class',
          'stage',
          'source',
          'partition',
          'state',
          'provider',
          'code',
          'worker',
        ]).toContain(label);
    }
  });

  it('have a null twin that takes every call', () => {
    for (const name of Object.keys(METRICS)) expect(Object.keys(noMetrics)).toContain(name);
    noMetrics.events.add({ type: 'x' });
    noMetrics.lag.set({ stage: 'x', partition: '0' }, 1);
    noMetrics.lag.remove({ stage: 'x', partition: '0' });
    noMetrics.batchSeconds.observe({ stage: 'x' }, 1);
  });
});
