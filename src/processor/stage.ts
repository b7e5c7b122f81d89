import type { Codec } from '../avro/codec.ts';
import type { Program } from '../core/program.ts';
import type { Stage } from '../engine/stage.ts';
import { mutant } from '../log/mutant.ts';
import type { Log } from '../log/port.ts';
import type { ProcessorObserver } from './observer.ts';
import type { ProcessorTopics } from './outbox.ts';
import { Composer, fixedTopology, PublishedInForce, type InForce } from './in-force.ts';
import { ProcessorTask, type Historical } from './task.ts';
import { TIMER_TABLE } from './timer-index.ts';
import type { PublishedVersion, Topologies } from './topologies.ts';
import type { Upstream } from './upstream.ts';
import { USER_TABLE } from './users.ts';

/** What decides: one program for good, or what is published, of which each partition goes by what its own timeline says. */
export type Deciding = { readonly program: Program } | { readonly topologies: Topologies };

export type ProcessorStageOptions = Deciding & ProcessorOptions;

export interface ProcessorOptions {
  readonly codec: Codec;
  readonly log: Log;
  readonly topics: ProcessorTopics;
  readonly observer: ProcessorObserver;
  /** A larger event is a dead letter. Default 256 KiB. */
  readonly maxEventBytes?: number;
  /** Timers that one tick fires at most: no transaction grows with the number of people who wake at 09:00. Default 1,000. */
  readonly maxTimersPerTick?: number;
  /** A tick that is not read back within this is asked for again. Default 10,000 (the transaction timeout). */
  readonly tickTimeoutMs?: number;
  /** Memory for rows of users that come again, if this process has every partition; a part of it per partition. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** With one program: where ingest feeds the timeline, ticks wait for it. Default null. */
  readonly upstream?: Upstream | null;
  /** Default null: live. */
  readonly historical?: Historical | null;
}

/** Version of the user row and of what the position row means. */
const STATE_VERSION = 4;
/** The oldest that `user-state-codec.ts` reads. */
const OLDEST_STATE_VERSION = 2;

/** The stage that runs the core: timeline in; commands, decisions and dead letters out; state in the changelog. */
export function createProcessorStage(options: ProcessorStageOptions): Stage {
  const { codec, log, topics } = options;
  const composer = new Composer((program) => (mutant('dedup-dropped') ? withoutDedup(program) : program));
  const maxTimers = options.maxTimersPerTick ?? 1_000;
  const appendTick = async (partition: number, upToMs: number | null): Promise<void> => {
    const value = codec.encode('lull.v1.Control', { tick: { maxTimers, upTo: upToMs } });
    await log.append([{ topic: topics.timeline, partition, key: null, value }]);
  };
  const appendTopology = async (partition: number, { hash, number, name }: PublishedVersion): Promise<void> => {
    const value = codec.encode('lull.v1.Control', { topology: { hash, number, name } });
    await log.append([{ topic: topics.timeline, partition, key: null, value }]);
  };
  const inForceOn = inForceBy(options, composer, topics.timeline);
  return {
    name: 'processor',
    inputTopic: topics.timeline,
    changelogTopic: topics.state,
    tables: [USER_TABLE, TIMER_TABLE],
    stateVersion: STATE_VERSION,
    oldestStateVersion: OLDEST_STATE_VERSION,
    createTask: (context) =>
      new ProcessorTask(
        {
          ...{ codec, inputTopic: topics.timeline, topics, appendTick, appendTopology, observer: options.observer },
          inForce: inForceOn(context.partition),
          maxEventBytes: options.maxEventBytes ?? 256 * 1024,
          tickTimeoutMs: options.tickTimeoutMs ?? 10_000,
          cacheBytes: Math.ceil((options.cacheBytes ?? 64 * 1024 * 1024) / context.partitions),
          historical: options.historical ?? null,
        },
        context,
      ),
  };
}

/** How to make, for a partition, what tells it which topology it goes by. */
function inForceBy(options: ProcessorStageOptions, composer: Composer, topic: string): (partition: number) => InForce {
  if ('topologies' in options) return (partition) => new PublishedInForce(options.topologies, composer, { topic, partition });
  const { program } = options;
  const upstream = mutant('tick-not-held') ? null : (options.upstream ?? null);
  const adapted = composer.numbered({ program, upstream }, program.version);
  return () => fixedTopology(adapted, upstream);
}

function withoutDedup(program: Program): Program {
  return { ...program, limits: { ...program.limits, recentEventIds: 0 } };
}
