import { describe, expect, it } from 'vitest';
import { createMetrics, createSupervisorMetrics } from '../../src/telemetry/metrics.ts';
import { WorkerMetrics } from '../../src/telemetry/worker-metrics.ts';

const prefix = 'shop';
const worker = () => createMetrics({ prefix });
const all = new Set([0, 1]);

function setUp() {
  const workers = new WorkerMetrics();
  const own = createSupervisorMetrics({ prefix });
  return { workers, own, page: async (answering: ReadonlySet<number> = all) => workers.render(await own.snapshot(), answering) };
}

/** The value of a series, which is there exactly once. */
function value(page: string, series: string): number {
  const lines = page.split('\n').filter((line) => line.startsWith(`${series} `));
  expect(lines, series).toHaveLength(1);
  return Number(lines[0]!.slice(series.length + 1));
}

describe("several workers' metrics on one page", () => {
  it('are sums of what Lull counts, with their histograms and their levels', async () => {
    const { workers, page } = setUp();
    for (const [index, count] of [3, 4].entries()) {
      const { metrics, snapshot } = worker();
      metrics.events.add({ type: 'product_viewed' }, count);
      metrics.tasks.set({ stage: 'processor', state: 'running' }, 2);
      metrics.transactionSeconds.observe({ stage: 'processor' }, index);
      workers.update(index, await snapshot());
    }
    const text = await page();
    expect(value(text, 'lull_events_total{type="product_viewed",app="shop"}')).toBe(7);
    expect(value(text, 'lull_tasks{stage="processor",state="running",app="shop"}')).toBe(4);
    expect(value(text, 'lull_transaction_seconds_count{stage="processor",app="shop"}')).toBe(2);
    expect(value(text, 'lull_transaction_seconds_sum{stage="processor",app="shop"}')).toBe(1);
    expect(value(text, 'lull_transaction_seconds_bucket{le="0.001",stage="processor",app="shop"}')).toBe(1);
    expect(value(text, 'lull_transaction_seconds_bucket{le="+Inf",stage="processor",app="shop"}')).toBe(2);
    expect(text.match(/^# TYPE lull_events_total /gm)).toHaveLength(1);
  });

  it('never add up two levels of one partition: it lives in one worker, and the other has just lost it', async () => {
    const { workers, page } = setUp();
    for (const [index, lag] of [30, 12].entries()) {
      const { metrics, snapshot } = worker();
      metrics.lag.set({ stage: 'processor', partition: '0' }, lag);
      metrics.lag.set({ stage: 'processor', partition: String(index + 1) }, lag);
      workers.update(index, await snapshot());
    }
    const text = await page();
    expect([0, 1, 2].map((partition) => value(text, `lull_lag_records{stage="processor",partition="${partition}",app="shop"}`))).toEqual([
      30, 30, 12,
    ]);
  });

  it("keep apart what is of a process: memory, CPU, event loop, also the parent's", async () => {
    const { workers, page } = setUp();
    for (const index of [0, 1]) workers.update(index, await worker().snapshot());
    const text = await page();
    for (const of of ['0', '1', 'supervisor']) {
      expect(value(text, `process_resident_memory_bytes{app="shop",worker="${of}"}`)).toBeGreaterThan(1_000_000);
      expect(value(text, `process_start_time_seconds{app="shop",worker="${of}"}`)).toBeGreaterThan(0);
    }
    expect(text).not.toContain('process_resident_memory_bytes{app="shop"}');
  });

  it('have totals that never go down: not when a worker ends, not when its successor counts from 0, not when one does not answer', async () => {
    const { workers, page } = setUp();
    const series = 'lull_events_total{type="product_viewed",app="shop"}';
    const count = async (index: number, by: number) => {
      const { metrics, snapshot } = worker();
      metrics.events.add({ type: 'product_viewed' }, by);
      metrics.lag.set({ stage: 'processor', partition: String(index) }, 1);
      workers.update(index, await snapshot());
    };
    await count(0, 100);
    await count(1, 10);
    expect(value(await page(), series)).toBe(110);
    workers.end(1);
    expect(value(await page(new Set([0])), series)).toBe(110);
    await count(1, 1);
    expect(value(await page(), series)).toBe(111);
    workers.end(1);
    workers.end(1);
    const silent = await page(new Set());
    expect(value(silent, series)).toBe(111);
    expect(silent).not.toContain('lull_lag_records{');
    expect(silent).not.toContain('worker="0"');
  });

  it('count restarts by worker', async () => {
    const { own, page } = setUp();
    own.metrics.restarts.add({ worker: '1' });
    own.metrics.restarts.add({ worker: '1' });
    expect(value(await page(), 'lull_worker_restarts_total{worker="1",app="shop"}')).toBe(2);
  });
});
