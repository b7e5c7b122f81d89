import type { Codec } from '../avro/codec.ts';
import type { GenericDecoder } from '../avro/generic-decoder.ts';
import type { Stage } from '../engine/stage.ts';
import { IngestTask } from './ingest-task.ts';
import { silentIngestObserver, type IngestObserver } from './observer.ts';
import type { Source } from '../core/source.ts';

export interface IngestStageOptions {
  readonly source: Source;
  readonly decoder: GenericDecoder;
  readonly codec: Codec;
  readonly topics: { readonly timeline: string; readonly items: string; readonly deadLetters: string; readonly state: string };
  readonly timelinePartitions: number;
  /** Whether the source's topic is LogAppendTime. */
  readonly hasAppendTime: boolean;
  /** A larger event is a dead letter. Default 256 KiB. */
  readonly maxEventBytes?: number;
  readonly observer?: IngestObserver;
}

/** Of what the position row means. */
const STATE_VERSION = 1;
/** The engine wants a table for the changelog's rows. Here it stays empty. */
const TABLES = ['row'];

/** `ingest-orders`: part of the group's name, by which others see how far a source has come. */
export function ingestStageName(source: string): string {
  return `ingest-${source}`;
}

/**
 * The stage `ingest-<source>`: a foreign topic in; events on the timeline, changes of items and dead letters out.
 *
 * There is one for each source, with a group, a changelog and a store of its own, all in one process: foreign topics have their own numbers of partitions, and the engine's
 * task, its position and its transactional id are of one topic. So a source can be added, removed or stuck (its topic is gone, its position was moved) without the others.
 */
export function createIngestStage(options: IngestStageOptions): Stage {
  const { source, decoder, codec, topics, timelinePartitions, hasAppendTime } = options;
  const taskOptions = {
    ...{ source, decoder, codec, topics, timelinePartitions, hasAppendTime },
    maxEventBytes: options.maxEventBytes ?? 256 * 1024,
    observer: options.observer ?? silentIngestObserver,
  };
  return {
    name: ingestStageName(source.name),
    inputTopic: source.topic,
    changelogTopic: topics.state,
    tables: TABLES,
    stateVersion: STATE_VERSION,
    inputMayGrow: true,
    createTask: (context) => new IngestTask(taskOptions, context),
  };
}
