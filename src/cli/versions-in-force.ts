import { decodePosition, POSITION_KEY } from '../engine/position.ts';
import type { Log } from '../log/port.ts';
import { decodeVersions, type Versions } from '../processor/versions.ts';

/** The position row is written with every commit: it stands near the end, whatever the length of the changelog. */
const FIRST_LOOK_BACK = 256;

/** Which version each partition goes by, as its state says; undefined of one that never said. */
export async function versionsInForce(log: Log, stateTopic: string): Promise<readonly (Versions | undefined)[]> {
  const bounds = [...(await log.admin.offsets(stateTopic))].sort(([a], [b]) => a - b);
  return Promise.all(bounds.map(([partition, { start, end }]) => versionsOf(log, stateTopic, partition, start, end)));
}

async function versionsOf(log: Log, topic: string, partition: number, start: number, end: number): Promise<Versions | undefined> {
  for (let back = FIRST_LOOK_BACK; ; back *= 16) {
    const from = Math.max(start, end - back);
    const value = await lastPosition(log, { topic, partition }, from, end);
    if (value !== undefined) return decodeVersions(decodePosition(value, `${topic}-${partition}`).stage ?? '');
    if (from === start) return undefined;
  }
}

async function lastPosition(
  log: Log,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  from: number,
  end: number,
): Promise<Buffer | undefined> {
  const reader = log.reader({ topic, partition, offset: from });
  let last: Buffer | undefined;
  try {
    while (reader.position < end) {
      const { records, nextOffset, lastStableOffset } = await reader.fetch();
      for (const { key, value } of records) if (key?.equals(POSITION_KEY) === true && value !== null) last = value;
      // An open transaction hides what is behind it.
      if (nextOffset >= lastStableOffset) break;
    }
    return last;
  } finally {
    await reader.close();
  }
}
