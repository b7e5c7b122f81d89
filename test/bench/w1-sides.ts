import type { Log } from '../../src/log/port.ts';
import { measureCatchUp, type CatchUpFigures } from './catch-up.ts';
import { compare, readJsonCommands, readLullCommands, type Comparison, type Observed } from './commands.ts';
import { PeerSide, type BuiltPeer } from './kstreams/side.ts';
import { LullSide } from './lull.ts';

export interface W1Setting {
  readonly log: Log;
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  readonly expected: ReadonlyMap<string, Observed>;
  /** Of Lull. */
  readonly workers: number;
  readonly fetchBytes: number;
  readonly nodeFlags?: readonly string[];
  readonly profileFolder?: string | undefined;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export interface W1Run extends CatchUpFigures, Comparison {
  readonly side: 'kstreams' | 'lull';
}

/** One run of our Kafka Streams program over the topic, from nothing. */
export async function measurePeer(setting: W1Setting, peer: BuiltPeer): Promise<W1Run> {
  const { log, bootstrap, topic, partitions, expected, limitMs, signal } = setting;
  const side = await PeerSide.open({ log, peer, bootstrap, topic, partitions });
  try {
    await side.start();
    const { groupId, dispatchTopic, children } = side;
    const figures = await measureCatchUp(log, { topic, dispatchTopic, groupId, children, expected: expected.size, limitMs, signal });
    return { side: 'kstreams', ...figures, ...compare(await readJsonCommands(log, dispatchTopic), expected) };
  } finally {
    await side.close();
  }
}

/** One run of Lull over the topic, from nothing. `afterStop` is told what remains when the workers have ended: their profiles, and CPU seconds by thread. */
export async function measureLull(
  setting: W1Setting,
  afterStop: (profiles: readonly string[], threads: readonly ReadonlyMap<string, number>[]) => void = () => undefined,
): Promise<W1Run> {
  const { topic, expected, limitMs, signal, ...composition } = setting;
  const { log } = setting;
  const side = await LullSide.open({ ...composition, topic });
  try {
    await side.start();
    const { groupId, children } = side;
    const dispatchTopic = side.topics.dispatch;
    const figures = await measureCatchUp(log, { topic, dispatchTopic, groupId, children, expected: expected.size, limitMs, signal });
    const threads = children.map(({ usage }) => usage.cpuSecondsByThread());
    const comparison = compare(await readLullCommands(log, dispatchTopic), expected);
    await side.stop();
    afterStop(side.profiles, threads);
    return { side: 'lull', ...figures, ...comparison };
  } finally {
    await side.close();
  }
}
