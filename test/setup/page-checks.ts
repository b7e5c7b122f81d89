import type { Browser, Page } from 'puppeteer-core';

export interface OpenedPage {
  readonly page: Page;
  /** What the console, the scripts or the loading complained about. */
  readonly complaints: readonly string[];
}

export const WIDTHS = [1280, 390] as const;

/** Opens the page at a width, collecting every complaint from the first byte on. */
export async function openPage(browser: Browser, url: string, width: number): Promise<OpenedPage> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`script: ${error instanceof Error ? error.message : String(error)}`));
  page.on('requestfailed', (request) => complaints.push(`not loaded: ${request.url()}`));
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  await page.setViewport({ width, height: width > 600 ? 900 : 844 });
  await page.goto(url);
  return { page, complaints };
}

/** Runs in the page: elements with text of their own that is smaller than 14 px, and whether anything is wider than the window. */
export const LAYOUT = `(() => {
  const small = [];
  for (const element of document.querySelectorAll('body *')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (hasText && size < 14) small.push(element.tagName + '.' + element.className + ' ' + size);
  }
  return { small, scrollWidth: document.documentElement.scrollWidth, width: window.innerWidth };
})()`;

export interface Layout {
  readonly small: readonly string[];
  readonly scrollWidth: number;
  readonly width: number;
}

/** What the elements say, in the page's order. */
export async function texts(page: Page, selector: string): Promise<readonly string[]> {
  return (await page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((e) => e.textContent)`)) as string[];
}
