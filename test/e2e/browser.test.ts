import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch, type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import webpush from 'web-push';
import { findFirefox, userPreferences } from '../../src/dev/page/firefox.ts';
import { startPushService, type PushService } from '../../src/dev/push-service/service.ts';
import type { Answer } from '../../src/senders/provider.ts';
import { WebPushProvider } from '../../src/senders/webpush.ts';
import { command, device } from '../senders/commands.ts';
import { startSender } from '../setup/sender-process.ts';
import { Deployment, type Said } from '../faults/deployment.ts';

const firefox = findFirefox();
if (firefox === undefined) process.stderr.write('no Firefox here (Debian: apt-get install firefox-esr): its tests are skipped\n');

const vapid = { subject: 'mailto:push@shop.example', keys: [webpush.generateVAPIDKeys()] } as const;
let service: PushService;
let browser: Browser;
let site: { readonly url: string; close(): Promise<void> };

/** A page that does nothing, and the service worker that the demo's page has. */
async function startSite(): Promise<typeof site> {
  const worker = await readFile(path.join(import.meta.dirname, '../../src/dev/page/assets/sw.js'));
  const server = createServer((request, response) => {
    const isWorker = request.url === '/sw.js';
    response.writeHead(200, { 'content-type': isWorker ? 'text/javascript' : 'text/html' });
    response.end(isWorker ? worker : '<!doctype html><title>Lull</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The preferences of `lull dev --browser`, as an object. */
function preferences(pushUrl: string): Record<string, unknown> {
  const lines = userPreferences(pushUrl).matchAll(/^user_pref\((".*?"), (.*)\);$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [JSON.parse(name ?? '') as string, JSON.parse(value ?? '') as unknown]));
}

describe.skipIf(firefox === undefined)('Firefox, offline', () => {
  let page: Page;

  beforeAll(async () => {
    service = await startPushService();
    site = await startSite();
    browser = await launch({
      browser: 'firefox',
      executablePath: firefox ?? '',
      headless: true,
      extraPrefsFirefox: preferences(service.wsUrl),
    });
    page = await browser.newPage();
    await page.goto(site.url);
    // Before the hello, subscribe() would hang.
    await vi.waitUntil(() => service.stats().browsers === 1, { timeout: 60_000 });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await service?.stop();
  });

  /** Runs in the page: what is given is source text, because this project's types know no browser. */
  function inPage<T>(source: string): Promise<T> {
    return page.evaluate(`(async () => { ${source} })()`) as Promise<T>;
  }

  /** The subscription as a page sends it to its server. */
  function subscribe(): Promise<string> {
    return inPage(`
      await navigator.serviceWorker.register('/sw.js');
      const registration = await navigator.serviceWorker.ready;
      const key = Uint8Array.from(atob('${vapid.keys[0].publicKey}'.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0));
      const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      return JSON.stringify(subscription);
    `);
  }

  function unsubscribe(): Promise<boolean> {
    return inPage(`
      const registration = await navigator.serviceWorker.ready;
      return (await registration.pushManager.getSubscription()).unsubscribe();
    `);
  }

  interface Shown {
    readonly title: string;
    readonly body: string;
    readonly tag: string;
  }

  function notifications(): Promise<Shown[]> {
    return inPage(`
      const registration = await navigator.serviceWorker.ready;
      return (await registration.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }));
    `);
  }

  function clearNotifications(): Promise<void> {
    return inPage(`
      const registration = await navigator.serviceWorker.ready;
      for (const notification of await registration.getNotifications()) notification.close();
    `);
  }

  it('shows an encrypted push as a notification, confirms it, and after it unsubscribed its endpoint answers 410', async () => {
    const provider = new WebPushProvider({ vapid, guard: { devOrigin: { origin: service.endpointOrigin, ca: service.ca } } });
    try {
      const target = device({ kind: 'webpush', value: await subscribe() });
      const send = (): Promise<Answer> =>
        provider.deliver(command({ channel: 'webpush', collapseKey: 'cart' }), target, {
          attempt: 1,
          ttlMs: 60_000,
          signal: new AbortController().signal,
        });
      expect(await send()).toMatchObject({ class: 'ok', code: 'http_201' });
      await expect.poll(() => service.acks.map(({ code }) => code), { timeout: 30_000 }).toEqual([100]);
      await expect
        .poll(notifications, { timeout: 30_000 })
        .toEqual([{ title: 'Your cart is waiting', body: 'Two things are still in it.', tag: 'cart' }]);
      expect(await unsubscribe()).toBe(true);
      // The browser tells its service in its own time.
      await expect.poll(() => service.stats().subscriptions, { timeout: 30_000 }).toBe(0);
      expect(await send()).toEqual({ class: 'device', code: 'http_410' });
      await clearNotifications();
    } finally {
      await provider.close();
    }
  });

  it(
    'is reached from the timeline to the notification, and once it has unsubscribed the next decision says so',
    { timeout: 180_000 },
    async () => {
      const lull = new Deployment({ params: ['cartWait=2s', 'sessionGap=30s', 'dailyCap=10'] });
      const user = 'user-of-firefox';
      const cart = (cartId: string): Said => ({
        userId: user,
        type: 'cart_item_added',
        properties: { cartId, sku: 'sku-1', name: 'Lamp', price: 12.5, qty: 1 },
      });
      let sender: ReturnType<typeof startSender> | undefined;
      try {
        await lull.create();
        lull.start(await lull.stateFolder());
        sender = startSender({
          prefix: lull.prefix,
          stateFolder: await lull.stateFolder(),
          provider: { kind: 'webpush', vapid, devOrigin: { origin: service.endpointOrigin, ca: service.ca } },
        });
        const value = await subscribe();
        await lull.say(
          { userId: user, type: '$device_added', properties: { deviceId: 'firefox', kind: 'webpush', value, permission: 'granted' } },
          { userId: user, type: '$consent', properties: { category: 'reminders', state: 'in' } },
          cart('cart-1'),
        );
        await expect.poll(notifications, { timeout: 60_000, interval: 200 }).toHaveLength(1);
        expect(await feedback(lull)).toEqual(['$accepted -']);

        await unsubscribe();
        await expect.poll(() => service.stats().subscriptions, { timeout: 30_000 }).toBe(0);
        await lull.say(cart('cart-2'));
        await expect
          .poll(() => feedback(lull), { timeout: 60_000, interval: 200 })
          .toEqual(['$accepted -', '$device_unreachable firefox', '$undelivered -']);

        await lull.say(cart('cart-3'));
        await expect
          .poll(() => decisions(lull), { timeout: 60_000, interval: 200 })
          .toEqual(['sent sent', 'sent sent', 'rejected no_device']);
        expect(await sender.stop()).toBe(0);
      } catch (error) {
        throw new Error(`the sender said: ${sender?.stderr() ?? 'nothing'}`, { cause: error });
      } finally {
        await sender?.kill();
        await sleep(0);
        await lull.close();
      }
    },
  );
});

/** Reserved events that the sender put on the timeline. */
async function feedback(lull: Deployment): Promise<string[]> {
  const values = (await lull.records(lull.topics.timeline)).map(({ value }) => value as Buffer);
  await lull.codec.prepare(values);
  return values.flatMap((value) => {
    const decoded = lull.codec.decode(value);
    if (decoded.record !== 'lull.v1.ProductEvent' || !['$accepted', '$undelivered', '$device_unreachable'].includes(decoded.value.type))
      return [];
    const { type, properties } = decoded.value;
    return [`${type} ${type === '$device_unreachable' ? String(properties['deviceId']) : '-'}`];
  });
}

async function decisions(lull: Deployment): Promise<string[]> {
  const values = (await lull.records(lull.topics.decisions)).map(({ value }) => value as Buffer);
  await lull.codec.prepare(values);
  return values.flatMap((value) => {
    const decoded = lull.codec.decode(value);
    return decoded.record === 'lull.v1.Decision' ? [`${decoded.value.outcome} ${decoded.value.reason}`] : [];
  });
}
