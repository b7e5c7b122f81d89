import type { Codec } from '../avro/codec.ts';
import type { Stage } from '../engine/stage.ts';
import { ItemsTask } from './items-task.ts';
import { silentItemsObserver, type ItemsObserver } from './observer.ts';
import type { ItemsTopics } from './outbox.ts';
import { END_TABLE, INTEREST_TABLE } from './tables.ts';

export interface ItemsStageOptions {
  readonly codec: Codec;
  readonly topics: ItemsTopics;
  /** A larger record is a dead letter. Default 256 KiB. */
  readonly maxEventBytes?: number;
  /** Events that a transaction writes at most: none grows with the number of people who are interested. Default 5,000. */
  readonly maxEventsPerTransaction?: number;
  readonly observer?: ItemsObserver;
}

/** Of the rows and of what the position row means. */
const STATE_VERSION = 1;

/** The stage that joins interest: the topic of items in; events on the timelines of those who are interested, and dead letters, out. */
export function createItemsStage(options: ItemsStageOptions): Stage {
  const { codec, topics } = options;
  const taskOptions = {
    ...{ codec, topics },
    maxEventBytes: options.maxEventBytes ?? 256 * 1024,
    maxRecords: options.maxEventsPerTransaction ?? 5_000,
    observer: options.observer ?? silentItemsObserver,
  };
  return {
    name: 'items',
    inputTopic: topics.items,
    changelogTopic: topics.state,
    tables: [INTEREST_TABLE, END_TABLE],
    stateVersion: STATE_VERSION,
    createTask: (context) => new ItemsTask(taskOptions, context),
  };
}
