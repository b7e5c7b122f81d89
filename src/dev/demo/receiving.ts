import { createHash, randomUUID } from 'node:crypto';
import type { Runtime } from '../../cli/runtime.ts';
import type { Properties } from '../../core/event.ts';
import type { OutRecord } from '../../log/port.ts';
import type { TopicNames } from '../../log/topics.ts';
import { Refused, type Receiving } from '../page/server.ts';
import type { Shopper } from '../shop/people.ts';
import { recordOf } from '../shop/produce.ts';
import type { LocalPush } from './push.ts';

/**
 * A browser's subscription becomes one more device of a shopper, by the same events that an app would send. Only endpoints of the local push
 * service are taken: the sender would call no other, and a page is not to be believed.
 */
export function receivingAs(
  shopper: Shopper,
  category: string,
  topics: TopicNames,
  { log, codec, config }: Runtime,
  push: Pick<LocalPush, 'vapidPublicKey' | 'endpointOrigin' | 'isBrowserThere'>,
): Receiving {
  const { userId, firstName: name, zone, locale } = shopper;
  return {
    vapidPublicKey: push.vapidPublicKey,
    isBrowserThere: push.isBrowserThere,
    async register(given) {
      const { endpoint, p256dh, auth } = readSubscription(given);
      if (!URL.canParse(endpoint) || new URL(endpoint).origin !== push.endpointOrigin)
        throw new Refused('this subscription is of another push service than the one here: start with `npm start -- --browser`');
      const value = JSON.stringify({ endpoint, keys: { p256dh, auth }, applicationServerKey: push.vapidPublicKey });
      const deviceId = `browser-${createHash('sha256').update(endpoint).digest('hex').slice(0, 12)}`;
      const device = { deviceId, kind: 'webpush', value, permission: 'granted', zone, locale, appVersion: 'browser' };
      const event = (type: string, properties: Properties): OutRecord =>
        recordOf(
          { codec, topics, partitions: config.partitions },
          { eventId: randomUUID(), userId, type, occurredAtMs: 0, properties },
          Date.now(),
        );
      await log.append([event('$device_added', device), event('$consent', { category, state: 'in' })]);
      return { userId, name };
    },
  };
}

function readSubscription(given: unknown): { endpoint: string; p256dh: string; auth: string } {
  const { endpoint, keys } = (given ?? {}) as { endpoint?: unknown; keys?: { p256dh?: unknown; auth?: unknown } };
  const [p256dh, auth] = [keys?.p256dh, keys?.auth];
  if (typeof endpoint !== 'string' || typeof p256dh !== 'string' || typeof auth !== 'string')
    throw new Refused('this is not a push subscription: it needs endpoint and keys');
  return { endpoint, p256dh, auth };
}
