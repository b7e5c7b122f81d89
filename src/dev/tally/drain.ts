import { setTimeout as sleep } from 'node:timers/promises';
import type { LogAdmin } from '../../log/port.ts';
import type { TopicNames } from '../../log/topics.ts';
import { followedTopics, type Follower } from './follow.ts';
import type { Tally } from './tally.ts';

export interface DrainOptions {
  readonly admin: LogAdmin;
  readonly topics: TopicNames;
  readonly tally: Tally;
  readonly follower: Pick<Follower, 'partitions'>;
  /** Which group has to have read which topic to its last record. */
  readonly groups: readonly { readonly groupId: string; readonly topic: string }[];
  /** The topology's session gap. */
  readonly gapMs: number;
  /** How long the pipeline may take. A session or a pattern that waits for longer is not waited for. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  readonly nowMs?: () => number;
}

export interface Drained {
  /** What was still missing at the deadline, in words; empty where everything came to its end. */
  readonly missing: readonly string[];
  /** Sessions and patterns that wait beyond the deadline. */
  readonly later: number;
}

const EVERY_MS = 250;

/**
 * Waits until nothing more can happen without new events: the input is consumed, every session has closed, nothing waits that falls due in time, every
 * command has come to an end, the items and the senders have read all, and all of it was read back here.
 *
 * The ends are asked for before anything else: what one transaction wrote to several topics may show on one a moment before another, and its
 * records count towards the end from the beginning. Twice in a row, because a tick may be on its way.
 */
export async function drain(options: DrainOptions): Promise<Drained> {
  const nowMs = options.nowMs ?? Date.now;
  const deadline = nowMs() + options.deadlineMs;
  let before: string | undefined;
  for (;;) {
    const { missing, later, ends } = await look(options, deadline);
    const isOver = nowMs() >= deadline || options.signal?.aborted === true;
    if (isOver || (missing.length === 0 && before === ends)) return { missing, later };
    before = missing.length === 0 ? ends : undefined;
    await sleep(EVERY_MS, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => undefined);
  }
}

interface Look {
  readonly missing: string[];
  readonly later: number;
  /** Where every partition ended. */
  readonly ends: string;
}

async function look({ admin, topics, tally, follower, groups, gapMs }: DrainOptions, horizonMs: number): Promise<Look> {
  const missing: string[] = [];
  const ends: string[] = [];
  for (const topic of followedTopics(topics)) {
    let unread = 0;
    for (const [partition, { end }] of await admin.offsets(topic)) {
      const followed = follower.partitions.find((at) => at.topic === topic && at.partition === partition);
      unread += Math.max(0, end - (followed?.position ?? 0));
      ends.push(`${topic}-${partition}@${end}`);
    }
    if (unread > 0) missing.push(`${count(unread, 'offset')} of ${topic} not read yet (an open transaction holds readers back)`);
  }
  for (const { groupId, topic } of groups) {
    const offsets = await admin.groupOffsets(groupId, topic);
    let behind = 0;
    for (const followed of follower.partitions)
      if (followed.topic === topic) behind += Math.max(0, followed.lastRecord + 1 - (offsets.get(followed.partition) ?? 0));
    if (behind > 0) missing.push(`${groupId} has ${count(behind, 'record')} of ${topic} to read`);
  }
  const { sessions, patterns, later } = tally.waiting(horizonMs, gapMs);
  if (sessions > 0) missing.push(`${count(sessions, 'session')} still open`);
  if (patterns > 0) missing.push(`${count(patterns, 'pattern')} still waiting for the moment`);
  if (tally.unfinishedCommands > 0) missing.push(`${count(tally.unfinishedCommands, 'command')} without a final outcome`);
  return { missing, later, ends: ends.join(' ') };
}

function count(n: number, one: string): string {
  return `${n} ${one}${n === 1 ? '' : 's'}`;
}
