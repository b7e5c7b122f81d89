import { setTimeout as sleep } from 'node:timers/promises';
import type { Runtime } from '../../cli/runtime.ts';
import { poisonRecord } from '../shop/poison.ts';
import { produce } from '../shop/produce.ts';
import { createRandom } from '../shop/random.ts';
import { shopEvents, type ShopOptions } from '../shop/shop.ts';

export interface Traffic {
  /** Rejects when the timeline cannot be written any more. */
  readonly failure: Promise<never>;
  /** Resolves when nothing more will be appended. */
  stop(): Promise<void>;
}

const POISON_EVERY_MS = 3_000;

/** Opens the shop: its events go to the timeline as they happen, until it is stopped. */
export function openShop(runtime: Runtime, topic: string, shop: ShopOptions, withPoison: boolean): Traffic {
  const { log, codec, config } = runtime;
  const closing = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const fail = (error: unknown): void => failed.reject(error);
  const to = { log, codec, topic, partitions: config.partitions, signal: closing.signal };
  const working = [produce({ ...to, events: shopEvents(shop) }).catch(fail), ...(withPoison ? [spoil(to, shop.seed).catch(fail)] : [])];
  return {
    failure: failed.promise,
    async stop() {
      closing.abort();
      await Promise.all(working);
    },
  };
}

async function spoil(
  { log, codec, topic, partitions, signal }: Omit<Parameters<typeof produce>[0], 'events'>,
  seed: string,
): Promise<void> {
  const random = createRandom(`${seed}/poison`);
  for (;;) {
    await sleep(POISON_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await log.append([poisonRecord(random, codec, topic, partitions)]);
  }
}
