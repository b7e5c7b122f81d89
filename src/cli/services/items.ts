import { createItemsStage } from '../../items/stage.ts';
import { topicNames } from '../../log/topics.ts';
import type { Config } from '../config.ts';
import { itemsObserver } from '../observers.ts';
import type { Service } from '../service.ts';

export function itemsService(config: Config): Service {
  return {
    fingerprint: 'items',
    stages({ codec, metrics, logger }) {
      const { items, itemsState: state, timeline, deadLetters } = topicNames(config.prefix);
      const observer = itemsObserver(metrics.metrics, logger);
      return [createItemsStage({ codec, observer, topics: { items, state, timeline, deadLetters } })];
    },
  };
}
