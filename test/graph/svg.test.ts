import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser } from 'puppeteer-core';
import { chartOf } from '../../src/graph/journey.ts';
import { toSvg } from '../../src/graph/svg.ts';
import { chromium, launchChromium } from '../setup/chromium.ts';
import { chartsOf, exampleChart, journey } from './example.ts';
import { xmlProblem } from './xml.ts';

const EXAMPLES = ['shop', 'saas', 'media', 'fitness', 'w1'].flatMap((topology) =>
  chartsOf(topology).map((chart) => [`${topology}/${chart.name}`, chart] as const),
);

/** Everything that somebody could have written and that means something in XML, or is wide. */
const ODD = chartOf(
  journey(
    { event: 'a', where: `event.x == "<&>\u{1}'\u{d800}" && event.${'very_long_name_'.repeat(8)} > 3` },
    {
      name: 'MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM',
      description: 'Привет, "мир" <b>&amp;</b> こんにちは、世界。今日はとてもいい天気ですね。散歩に行きましょう。 🎉🎉🎉',
      audience: `user.${'W'.repeat(60)} == ""`,
      steps: [
        {
          branch: 'MMMMMMMMMMMMMMMMMMMMMMMMMMMM_very_long',
          cases: [
            { when: 'user.a == "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM"', steps: [{ exit: 'WWWWWWWWWWWWWWWWWWWWWWWWWWWWW' }] },
            { when: 'user.b' },
          ],
        },
        {
          update: 'u',
          set: { text: '"ДОБРО ПОЖАЛОВАТЬ, УВАЖАЕМЫЕ ПОЛЬЗОВАТЕЛИ" + "散歩に行きましょう散歩に行きましょう散歩に行きましょう"' },
        },
      ],
    },
  ),
  [],
);

describe('a journey as SVG', () => {
  it.each([...EXAMPLES, ['odd', ODD] as const])('%s is well-formed', (_name, chart) => {
    expect(xmlProblem(toSvg(chart))).toBeNull();
  });

  it('has a title and a description in words, for those who cannot see it', () => {
    const svg = toSvg(exampleChart('shop', 'cart_abandoned'));
    expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 \d+ \d+" role="img" aria-labelledby="cart_abandoned-title cart_abandoned-desc"/);
    expect(svg).toContain('<title id="cart_abandoned-title">Journey cart_abandoned</title>');
    expect(svg).toContain(
      '<desc id="cart_abandoned-desc">Something was put into a cart, and an hour later the cart is still not paid for. ' +
        'When: cart_item_added, then no purchase_completed within 1h, per cartId. ' +
        'Send reminder: “Your [name] is still in the cart”; webpush, else fcm · reminders. End. ' +
        'Stops it at once: purchase_completed or checkout_started. How often: at most once every 7d per cartId. Too late: more than 6h behind its moment.</desc>',
    );
  });

  it('needs nothing from elsewhere', () => {
    for (const [, chart] of EXAMPLES) expect(toSvg(chart)).not.toMatch(/href|url\(|<script|@import/);
  });
});

describe.skipIf(chromium === undefined)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  it('no text leaves its box or the picture', async () => {
    const page = await browser.newPage();
    for (const [name, chart] of [...EXAMPLES, ['odd', ODD] as const]) {
      await page.setContent(toSvg(chart));
      const outside = await page.evaluate(textsOutside);
      expect(outside, name).toEqual([]);
    }
    await page.close();
  });

  it('is light by day and dark by night', async () => {
    const page = await browser.newPage();
    const background = async (scheme: string): Promise<string> => {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      return page.evaluate("getComputedStyle(document.querySelector('rect.page')).fill") as Promise<string>;
    };
    await page.setContent(toSvg(exampleChart('saas', 'trial_over')));
    expect([await background('light'), await background('dark')]).toEqual(['rgb(255, 255, 255)', 'rgb(13, 17, 23)']);
    await page.close();
  });
});

/** As text, because the page has another library than the tests. Texts in a group belong to the group's first rectangle. */
const textsOutside = `(() => {
  const picture = document.querySelector('svg').getBoundingClientRect();
  return [...document.querySelectorAll('text')].flatMap((text) => {
    const group = text.parentElement;
    const area = (group.hasAttribute('transform') || group.tagName === 'svg' ? null : group.querySelector('rect')?.getBoundingClientRect()) ?? picture;
    const box = text.getBoundingClientRect();
    const fits = box.left >= area.left && box.right <= area.right && box.top >= area.top && box.bottom <= area.bottom;
    return fits ? [] : [text.textContent + ': ' + Math.round(box.right - area.right) + ' over'];
  });
})()`;
