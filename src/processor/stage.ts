import type { Codec } from '../avro/codec.ts';
import type { Program } from '../core/program.ts';
import type { Stage } from '../engine/stage.ts';
import { mutant } from '../log/mutant.ts';
import type { Log } from '../log/port.ts';
import type { ProcessorObserver } from './observer.ts';
import type { ProcessorTopics } from './outbox.ts';
import { ProcessorTask, type Historical } from './task.ts';
import { TIMER_TABLE } from './timer-index.ts';
import type { Upstream } from './upstream.ts';
import { USER_TABLE } from './users.ts';

export interface ProcessorStageOptions {
  readonly program: Program;
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
  /** Where ingest feeds the timeline, ticks wait for it. Default null. */
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
  const program = mutant('dedup-dropped') ? withoutDedup(options.program) : options.program;
  const maxTimers = options.maxTimersPerTick ?? 1_000;
  const appendTick = async (partition: number, upToMs: number | null): Promise<void> => {
    const value = codec.encode('lull.v1.Control', { tick: { maxTimers, upTo: upToMs } });
    await log.append([{ topic: topics.timeline, partition, key: null, value }]);
  };
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
          ...{ program, codec, inputTopic: topics.timeline, topics, appendTick, observer: options.observer },
          maxEventBytes: options.maxEventBytes ?? 256 * 1024,
          tickTimeoutMs: options.tickTimeoutMs ?? 10_000,
          cacheBytes: Math.ceil((options.cacheBytes ?? 64 * 1024 * 1024) / context.partitions),
          upstream: mutant('tick-not-held') ? null : (options.upstream ?? null),
          historical: options.historical ?? null,
        },
        context,
      ),
  };
}

function withoutDedup(program: Program): Program {
  return { ...program, limits: { ...program.limits, recentEventIds: 0 } };
}
