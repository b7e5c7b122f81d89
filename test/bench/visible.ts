import type { Log, LogRecord, LogRecords } from '../../src/log/port.ts';

export interface Visible {
  readonly count: () => number;
  /** When the last one was seen, epoch milliseconds. */
  readonly lastMs: () => number;
  readonly stop: () => Promise<void>;
}

/** Counts what a read_committed reader sees of a topic, while it grows. */
export async function countVisible(log: Log, topic: string, onRecord: (record: LogRecord) => void = () => undefined): Promise<Visible> {
  const stopping = new AbortController();
  let [count, lastMs] = [0, 0];
  const partitions = [...(await log.admin.offsets(topic)).keys()];
  const loops = partitions.map(async (partition) => {
    const reader = log.reader({ topic, partition, offset: 0 });
    try {
      while (!stopping.signal.aborted) {
        const { records } = await reader.fetch({ signal: stopping.signal });
        count += records.length;
        if (records.length > 0) lastMs = Date.now();
        for (const record of records) onRecord(record);
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    } finally {
      await reader.close();
    }
  });
  const all = Promise.all(loops);
  // Reported by `stop`, which everybody calls.
  all.catch(() => undefined);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await all;
  };
  return { count: () => count, lastMs: () => lastMs, stop };
}

/** Every record of a topic up to its end as it is now. */
export async function readAll(
  log: Log,
  topic: string,
  take: (records: LogRecords, partition: number) => Promise<void> | void,
): Promise<void> {
  for (const [partition, { end }] of await log.admin.offsets(topic)) {
    const reader = log.reader({ topic, partition, offset: 0 });
    try {
      while (reader.position < end) await take((await reader.fetch()).records, partition);
    } finally {
      await reader.close();
    }
  }
}
