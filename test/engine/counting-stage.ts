import type { Output, Row, Stage, StageTask, TaskContext } from '../../src/engine/stage.ts';
import type { LogRecords } from '../../src/log/port.ts';
import type { StoreOp } from '../../src/store/port.ts';

/** The smallest honest stage: counts records per key, and writes `key=count` for each. Any loss or repetition shows in the counts. */
export function countingStage(name: string): Stage & { readonly live: Set<number> } {
  const live = new Set<number>();
  return {
    name,
    inputTopic: `${name}-in`,
    changelogTopic: `${name}-state`,
    tables: ['count', 'index'],
    stateVersion: 1,
    live,
    createTask: (context) => new CountingTask(name, context, live),
  };
}

class CountingTask implements StageTask {
  readonly nextWakeMs = null;
  readonly #name: string;
  readonly #context: TaskContext;
  readonly #live: Set<number>;
  #isLive = false;

  constructor(name: string, context: TaskContext, live: Set<number>) {
    this.#name = name;
    this.#context = context;
    this.#live = live;
  }

  restored(rows: readonly Row[], previous: readonly (Buffer | null)[]): readonly StoreOp[] {
    return rows.flatMap(({ key, value }, i) => {
      const old = previous[i] ?? null;
      const at = (count: Buffer): Buffer => Buffer.from(`${count.toString()}/${key.toString()}`);
      return [
        ...(old === null ? [] : [{ table: 'index', key: at(old), value: null }]),
        ...(value === null ? [] : [{ table: 'index', key: at(value), value: Buffer.of(1) }]),
      ];
    });
  }

  async start(): Promise<void> {
    const { partition } = this.#context;
    if (this.#live.has(partition)) throw new Error(`two tasks of partition ${partition} at once`);
    this.#live.add(partition);
    this.#isLive = true;
  }

  async process(batch: { records: LogRecords; nextOffset: number }, commit: (output: Output) => Promise<void>): Promise<void> {
    const { store, partition } = this.#context;
    const counts = new Map<string, number>();
    const records = [];
    let nowMs = 0;
    for (const record of batch.records) {
      const key = record.key?.toString() ?? '';
      const count = (counts.get(key) ?? Number((await store.get('count', Buffer.from(key)))?.toString() ?? 0)) + 1;
      counts.set(key, count);
      nowMs = Math.max(nowMs, record.timestampMs);
      records.push({ topic: `${this.#name}-out`, partition, key: Buffer.from(key), value: Buffer.from(`${key}=${count}`) });
    }
    const rows = [...counts].map(([key, count]) => ({ key: Buffer.from(key), value: Buffer.from(String(count)) }));
    const derived = this.restored(
      rows,
      await store.getMany(
        'count',
        rows.map(({ key }) => key),
      ),
    );
    await commit({ rows, records, derived, position: { offset: batch.nextOffset, nowMs } });
  }

  wake(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.#isLive) this.#live.delete(this.#context.partition);
  }
}
