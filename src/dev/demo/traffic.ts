import { setTimeout as sleep } from 'node:timers/promises';
import type { Runtime } from '../../cli/runtime.ts';
import type { TopicNames } from '../../log/topics.ts';
import { earliestFirst } from '../shop/merge.ts';
import { poisonRecord } from '../shop/poison.ts';
import { produce } from '../shop/produce.ts';
import { productChanges, type ProductChange } from '../shop/product-changes.ts';
import { createRandom } from '../shop/random.ts';
import { shopEvents, type ShopEvent, type ShopOptions } from '../shop/shop.ts';

export interface Traffic {
  /** Rejects when a topic cannot be written any more. */
  readonly failure: Promise<never>;
  /** Resolves when nothing more will be appended. */
  stop(): Promise<void>;
}

const POISON_EVERY_MS = 3_000;

/** Opens the shop: what shoppers do and what happens to products is written as it happens, in one order, until it is stopped. */
export function openShop(runtime: Runtime, topics: TopicNames, shop: ShopOptions, withPoison: boolean): Traffic {
  const { log, codec, config } = runtime;
  const closing = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const fail = (error: unknown): void => failed.reject(error);
  const to = { log, codec, topics, partitions: config.partitions, signal: closing.signal };
  const arrivals = earliestFirst<ShopEvent | ProductChange>([shopEvents(shop), productChanges(shop)], (arrival) => arrival.arrivesAtMs);
  const working = [produce({ ...to, arrivals }).catch(fail), ...(withPoison ? [spoil(to, shop.seed).catch(fail)] : [])];
  return {
    failure: failed.promise,
    async stop() {
      closing.abort();
      await Promise.all(working);
    },
  };
}

async function spoil(
  { log, codec, topics, partitions, signal }: Omit<Parameters<typeof produce>[0], 'arrivals'>,
  seed: string,
): Promise<void> {
  const random = createRandom(`${seed}/poison`);
  for (;;) {
    await sleep(POISON_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await log.append([poisonRecord(random, codec, topics.timeline, partitions)]);
  }
}
