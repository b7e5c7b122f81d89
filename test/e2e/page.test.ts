import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Browser, Page } from 'puppeteer-core';
import { findFirefox } from '../../src/dev/page/firefox.ts';
import type { PersonHistory } from '../../src/dev/tally/view.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames } from '../../src/log/topics.ts';
import { chromium, launchChromium } from '../setup/chromium.ts';
import { bootstrap } from '../setup/env.ts';
import { LAYOUT, openPage, texts, WIDTHS, type Layout, type OpenedPage } from '../setup/page-checks.ts';

const firefox = findFirefox();
if (chromium === undefined) process.stderr.write('no Chromium here (Debian: apt-get install chromium): its tests are skipped\n');

/** `LULL_SCREENSHOTS=1` runs for a minute and keeps what the page looks like then in `docs/`. */
const screenshots = Boolean(process.env['LULL_SCREENSHOTS']);
const FOR_S = screenshots ? 60 : 25;
const root = path.join(import.meta.dirname, '../..');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `lull dev` as a person starts it. */
class Demo {
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  readonly ended: Promise<Ended>;

  constructor(prefix: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = spawn(process.execPath, ['src/cli/main.ts', '--prefix', prefix, 'dev', ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.stdout!.on('data', (text: Buffer) => (this.#stdout += text.toString()));
    this.#process.stderr!.on('data', (text: Buffer) => (this.#stderr += text.toString()));
    this.ended = once(this.#process, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** The page's address, once everything runs. */
  async url(): Promise<string> {
    const running = (): string | undefined => /^Lull is running: (\S+)$/m.exec(this.#stderr)?.[1];
    const early = this.ended.then(({ code, stderr }) => {
      throw new Error(`lull dev ended with ${String(code)}: ${stderr}`);
    });
    await Promise.race([vi.waitFor(() => expect(running()).toBeDefined(), { timeout: 60_000, interval: 50 }), early]);
    return running()!;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }
}

const sum = (counts: Readonly<Record<string, number>> | readonly number[]): number =>
  Object.values(counts).reduce((total, n) => total + n, 0);

async function topicsOf(prefix: string): Promise<number> {
  const log = createKafkaLog({ brokers: bootstrap().split(',') });
  try {
    const { timeline, state, dispatch, senderState } = topicNames(prefix);
    return (await log.admin.describeTopics([timeline, state, dispatch, senderState('webpush')])).size;
  } finally {
    await log.close();
  }
}

describe('lull dev', () => {
  const prefix = `lull-page-${process.pid}`;
  let demo: Demo;
  let url: string;
  let browser: Browser | undefined;
  let opened: readonly OpenedPage[] = [];

  beforeAll(async () => {
    demo = new Demo(prefix, ['--for', `${FOR_S}s`]);
    url = await demo.url();
    if (chromium === undefined) return;
    browser = await launchChromium();
    opened = await Promise.all(WIDTHS.map((width) => openPage(browser!, url, width)));
  });

  afterAll(async () => {
    await browser?.close();
    demo.signal('SIGINT');
    await demo.ended;
  });

  it.skipIf(chromium === undefined)(
    'shows on one page what happens, wide and narrow, with nothing to complain about',
    { timeout: 120_000 },
    async () => {
      for (const { page } of opened) {
        // In the background nothing is drawn.
        await page.bringToFront();
        for (const content of [
          '.lane:not([hidden]) .who',
          '.stream li',
          '.decision.sent .who',
          '.decision.held .who',
          '.notice b',
          '.earlier .accepted',
        ])
          await page.waitForSelector(content, { timeout: 60_000 });
      }
      if (screenshots) await keepScreenshots(opened.map(({ page }) => page));
      for (const { page, complaints } of opened) {
        const layout = (await page.evaluate(LAYOUT)) as Layout;
        expect(layout.small).toEqual([]);
        expect(layout.scrollWidth).toBeLessThanOrEqual(layout.width);
        expect(complaints).toEqual([]);
      }
    },
  );

  it('ends with one JSON line whose figures agree with each other, and leaves nothing behind', { timeout: 240_000 }, async () => {
    const { code, stdout, stderr } = await demo.ended;
    expect(stderr).toContain('The shop has closed');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\{.*\}\n$/);
    const summary = JSON.parse(stdout) as Record<
      'events' | 'sessions' | 'told' | 'decisions' | 'commands' | 'accepted' | 'duplicates' | 'deadLetters',
      number
    > &
      Record<'rejected' | 'undelivered', Record<string, number>> & {
        readonly journeys: Record<string, { readonly sent: number; readonly heldBack: number }>;
      };
    expect(Object.keys(summary)).toEqual([
      'events',
      'sessions',
      'told',
      'decisions',
      'journeys',
      'commands',
      'accepted',
      'rejected',
      'undelivered',
      'duplicates',
      'deadLetters',
    ]);
    expect(summary.commands).toBe(summary.accepted + sum(summary.undelivered));
    expect(summary.decisions).toBe(summary.commands + sum(summary.rejected));
    expect(summary.accepted).toBeGreaterThan(0);
    expect(summary.sessions).toBeGreaterThan(0);
    const journeys = Object.values(summary.journeys);
    expect(sum(journeys.map(({ sent }) => sent))).toBe(summary.commands);
    expect(sum(journeys.map(({ heldBack }) => heldBack))).toBe(sum(summary.rejected));
    // The price of something fell, seconds after somebody had looked at it twice.
    expect(summary.told).toBeGreaterThan(0);
    expect(Object.keys(summary.journeys)).toContain('price_drop');
    expect(stderr).toMatch(/^ {2}Price drop: \d+ sent, \d+ held back$/m);
    // Somebody said no, somebody has no device, somebody came back in time, and one device is gone.
    expect(Object.keys(summary.rejected)).toEqual(expect.arrayContaining(['consent', 'no_device', 'suppressed']));
    expect(summary.undelivered).toEqual({ device_dead: expect.any(Number) as number });
    expect([summary.duplicates, summary.deadLetters]).toEqual([0, 0]);
    expect(await topicsOf(prefix)).toBe(0);

    for (const { page } of opened) {
      await page.waitForSelector('[data-state="ended"]');
      expect(await texts(page, '[data-figure="accepted"]')).toEqual([summary.accepted.toLocaleString('en')]);
    }
  });

  it('is stopped by Ctrl-C at any moment: nothing on stdout, nothing left, and a code that says so', { timeout: 120_000 }, async () => {
    const other = `${prefix}-stopped`;
    const stopped = new Demo(other, ['--for', '10m', '--shoppers', '5']);
    await stopped.url();
    stopped.signal('SIGINT');
    expect(await stopped.ended).toMatchObject({ code: 130, stdout: '' });
    expect(await topicsOf(other)).toBe(0);
  });

  it.skipIf(firefox === undefined)(
    'opens a Firefox that becomes a device of one of the shoppers, and takes it along when it stops',
    { timeout: 180_000 },
    async () => {
      const other = `${prefix}-browser`;
      const prepared = new Demo(other, ['--browser', '--shoppers', '5'], { MOZ_HEADLESS: '1' });
      const page = await prepared.url();
      const devices = async (): Promise<readonly string[]> => {
        const histories = await Promise.all([1, 2, 3, 4, 5].map((n) => fetch(`${page}people/shopper-00${n}`)));
        const people = await Promise.all(histories.filter(({ ok }) => ok).map((response) => response.json() as Promise<PersonHistory>));
        return people.flatMap(({ person }) => person.devices.map(({ deviceId }) => deviceId)).filter((id) => id.startsWith('browser-'));
      };
      await expect.poll(devices, { timeout: 90_000, interval: 500 }).toHaveLength(1);
      prepared.signal('SIGINT');
      expect(await prepared.ended).toMatchObject({ code: 0, stdout: '' });
      await expect(fetch(page)).rejects.toThrow();
      expect(await topicsOf(other)).toBe(0);
    },
  );
});

async function keepScreenshots(pages: readonly Page[]): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 38_000));
  for (const [i, page] of pages.entries()) {
    await page.bringToFront();
    // Nothing half faded in.
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const width = WIDTHS[i]!;
    const clip = width > 600 ? undefined : { x: 0, y: 0, width, height: 1_760 };
    await page.screenshot({
      path: path.join(root, `docs/demo-${width}.png`),
      fullPage: clip === undefined,
      ...(clip && { clip, captureBeyondViewport: true }),
    });
  }
}
