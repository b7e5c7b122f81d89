import { systemClock } from '../engine/clock.ts';
import { IngestProgress, type HoldObserver } from '../ingest/progress.ts';
import type { Log } from '../log/port.ts';
import { topicNames } from '../log/topics.ts';
import { PublishedTopologies } from '../processor/published.ts';
import {
  TopologyUnusableError,
  type LoadedTopology,
  type PublishedVersion,
  type Topologies,
  type Version,
} from '../processor/topologies.ts';
import type { CompiledTopology } from '../topology/compile.ts';
import { compileCanonical } from '../topology/compile-canonical.ts';
import type { Config } from './config.ts';
import { CommandError } from './errors.ts';

export interface OpenPublished {
  readonly config: Config;
  readonly log: Log;
  readonly note: Topologies['note'];
  /** Of ticks that wait for ingest; null where nobody runs them. */
  readonly holds: HoldObserver | null;
}

/**
 * What was published under the prefix, read to its end.
 * @throws CommandError where the topic is not there
 */
export async function openPublished({ config, log, note, holds }: OpenPublished): Promise<PublishedTopologies> {
  const { prefix, maxTickHoldMs: maxHoldMs } = config;
  const topic = topicNames(prefix).topologies;
  if ((await log.admin.partitions(topic)) === undefined)
    throw new CommandError(`there is no topic ${topic}: create it with \`lull topics create\`, or give the --prefix of your app`);
  const compile = (text: string): LoadedTopology => {
    const { program, sources } = compileCanonical(text, { app: prefix });
    if (sources.length === 0 || holds === null) return { program, upstream: null };
    return { program, upstream: new IngestProgress({ sources, admin: log.admin, prefix, clock: systemClock, maxHoldMs, observer: holds }) };
  };
  return PublishedTopologies.open({ log, topic, compile, note });
}

/**
 * With a number that is greater than those in force: where the topic was created anew, its numbers have begun again, and none comes into force that is not greater.
 * @throws CommandError where it cannot be published
 */
export async function publish(
  published: PublishedTopologies,
  { program, canonical }: CompiledTopology,
  inForce: readonly (Version | undefined)[],
): Promise<PublishedVersion> {
  const most = Math.max(0, ...inForce.map((one) => one?.number ?? 0));
  try {
    for (;;) {
      const version = await published.publish(program.hash, canonical);
      if (version.number > most) return version;
    }
  } catch (error) {
    if (error instanceof TopologyUnusableError) throw new CommandError(error.message);
    throw error;
  }
}

/** As people see it: `shop (1a2b3c4d5e6f)`. */
export function shortName({ name, hash }: { readonly name: string; readonly hash: string }): string {
  return `${name} (${shortHash(hash)})`;
}

export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}
