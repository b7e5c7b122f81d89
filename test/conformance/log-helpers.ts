import { setTimeout as sleep } from 'node:timers/promises';
import type { LogReader, LogRecord, LogRecords } from '../../src/log/port.ts';

/** Reads until the position reaches `end`. */
export async function drain(reader: LogReader, end: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  while (reader.position < end) records.push(...(await reader.fetch({ maxWaitMs: 200 })).records);
  return records;
}

export function textsOf(records: LogRecords): (string | null)[] {
  return records.map(({ value }) => value?.toString() ?? null);
}

/** Waits for something that another process or the broker does in its own time. The test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
