import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Browser } from 'puppeteer-core';
import { servePage, type Page } from '../../../src/dev/page/server.ts';
import { shopEvents } from '../../../src/dev/shop/shop.ts';
import { Tally } from '../../../src/dev/tally/tally.ts';
import { chromium, launchChromium } from '../../setup/chromium.ts';
import { LAYOUT, openPage, texts, WIDTHS, type Layout } from '../../setup/page-checks.ts';

/** The page on its own: what it does with what a tally tells. The whole demo is in `test/e2e/page.test.ts`. */
describe.skipIf(chromium === undefined)('the page in Chromium', () => {
  let browser: Browser;
  let served: Page;
  const tally = new Tally();
  const trigger = { topic: 'lull.timeline', partition: 0, offset: 1, eventId: 'e1' };

  function decide(userId: string, commandId: string, failing: string | null): void {
    const checks = ['goal', 'consent', 'device', 'cap'].map((name) => ({
      name,
      passed: name !== failing,
      detail: name === failing ? 'out of reminders' : '',
    }));
    tally.decision({
      ...{ userId, journey: 'cart_abandoned', step: 'remind', occurrence: commandId, key: '', checks, commandId, trigger },
      ...{ outcome: failing === null ? 'sent' : 'rejected', reason: failing ?? 'sent', channel: failing === null ? 'webpush' : null },
      ...{ dueAtMs: Date.now(), decidedAtMs: Date.now(), topology: 'shop', topologyHash: 'h' },
    });
  }

  function send(userId: string, commandId: string, image: string | null): void {
    const content = { title: '<b>Your Enamel kettle</b> is still in the cart', body: 'Shall we keep it for you?', url: null, image };
    tally.command({
      ...{ commandId, app: 'lull', userId, journey: 'cart_abandoned', step: 'remind', occurrence: commandId, class: 'marketing' },
      ...{ promise: 'at_most_once', category: 'reminders', channel: 'webpush', trigger, dueAtMs: Date.now(), decidedAtMs: Date.now() },
      ...{ expiresAtMs: Date.now() + 1000, ttlMs: 1000, collapseKey: null, content, data: {} },
      ...{ devices: [{ deviceId: 'd', kind: 'webpush', value: 'v' }], topologyHash: 'h', traceParent: null },
    });
  }

  beforeAll(async () => {
    served = await servePage({ source: tally, gapMs: 6_000, links: [{ label: 'Metrics', href: '/metrics' }], about: 'A test.' });
    const openedAtMs = Date.now() - 20_000;
    for (const event of shopEvents({ seed: '1', run: 'r', shoppers: 30, gapMs: 6_000, category: 'reminders', addressOf: () => 'v' })) {
      if (event.arrivesAtMs > 20_000) break;
      tally.event({ ...event, occurredAtMs: openedAtMs + event.occurredAtMs });
    }
    const properties = { sku: 'kettle', name: 'Enamel kettle', price: 29, was: 39, currency: 'EUR' };
    tally.told({ eventId: 'told', userId: 'shopper-006', type: 'price_changed', occurredAtMs: Date.now(), properties });
    decide('shopper-001', 'c1', null);
    send('shopper-001', 'c1', `${served.url}products/kettle.svg`);
    decide('shopper-006', 'c2', 'consent');
    browser = await launchChromium();
  });

  // Lanes are of people who did something in the last half minute, and a busy machine takes longer than that for one of these tests.
  let stirs = 0;
  beforeEach(() => {
    tally.event({ eventId: `stir-${stirs++}`, userId: 'shopper-002', type: 'app_opened', occurredAtMs: Date.now(), properties: {} });
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  it.each(WIDTHS)('shows lanes, decisions and a push at %i px, with nothing to complain about', async (width) => {
    const { page, complaints } = await openPage(browser, served.url, width);
    await page.waitForSelector('.lane:not([hidden]) .who');
    await page.waitForSelector('.notice .picture');
    expect(await texts(page, '.decision')).toEqual([
      expect.stringContaining('Held back for shopper-006'),
      expect.stringContaining('Sent to shopper-001'),
    ]);
    // What is written in a message is text, whatever it looks like.
    expect(await texts(page, '.notice b')).toEqual(['<b>Your Enamel kettle</b> is still in the cart']);

    await page.click('.decision .checks summary');
    await page.waitForSelector('.check-list .no');
    await page.click('.decision .who');
    await page.waitForSelector('.person[open] .log');
    const [person] = await texts(page, '.person');
    expect(person).not.toMatch(/null|undefined|NaN/);
    expect(person).toContain('Enamel kettle fell to €29, was €39');
    // It is nothing that somebody did.
    expect((await texts(page, '.lane-what')).filter((what) => what.includes('fell to'))).toEqual([]);
    const layout = (await page.evaluate(LAYOUT)) as Layout;
    expect(layout.small).toEqual([]);
    expect(layout.scrollWidth).toBeLessThanOrEqual(layout.width);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('goes on with what comes while it is open, and keeps its lists short', async () => {
    const { page, complaints } = await openPage(browser, served.url, 1280);
    await page.waitForSelector('.lane:not([hidden])');
    for (let i = 0; i < 200; i++) {
      tally.event({ eventId: `late-${i}`, userId: 'shopper-002', type: 'app_opened', occurredAtMs: Date.now(), properties: {} });
      decide('shopper-002', `late-${i}`, 'cap');
    }
    await page.waitForFunction(`document.querySelector('[data-figure="decisions"]').textContent === '202'`);
    for (const [list, most] of [
      ['#decision-list', 8],
      ['#stream', 7],
      ['#lanes', 10],
      ['#earlier', 5],
    ] as const)
      expect((await texts(page, `${list} > li`)).length).toBeLessThanOrEqual(most);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('stands still while somebody reads the checks, says how much is newer, and then goes on', async () => {
    const { page, complaints } = await openPage(browser, served.url, 1280);
    await page.waitForSelector('.decision .checks summary');
    await page.click('.decision .checks summary');
    const before = await texts(page, '.decision .who');
    for (let i = 0; i < 20; i++) decide('shopper-009', `newer-${i}`, 'cap');
    await page.waitForFunction(`document.querySelector('#newer:not([hidden])')?.textContent === 'Show 20 newer'`);
    expect(await texts(page, '.decision .who')).toEqual(before);
    await page.click('#newer');
    expect(new Set(await texts(page, '.decision .who'))).toEqual(new Set(['shopper-009']));
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('says that it has ended, and leaves the last figures', async () => {
    const ending = await servePage({ source: tally, gapMs: 6_000, links: [], about: 'A test.' });
    const { page } = await openPage(browser, ending.url, 390);
    await page.waitForSelector('[data-state="live"]');
    await ending.close();
    await page.waitForSelector('[data-state="ended"]');
    expect(await texts(page, '[data-figure="commands"]')).toEqual(['1']);
    await page.close();
  });
});
