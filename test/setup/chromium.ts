import { existsSync } from 'node:fs';
import { launch, type Browser } from 'puppeteer-core';

/** Where Chromium is, or undefined: a test that needs it is then skipped, visibly. */
export const chromium: string | undefined = [
  process.env['LULL_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((file) => file !== undefined && file !== '' && existsSync(file));

/** Headless, and calling nobody: whatever it loads is on this machine. */
export function launchChromium(): Promise<Browser> {
  if (chromium === undefined) throw new Error('there is no Chromium here');
  const quiet = [
    'disable-gpu',
    'disable-quic',
    'no-first-run',
    'disable-background-networking',
    'disable-component-update',
    'disable-sync',
  ];
  return launch({ executablePath: chromium, headless: true, args: ['--no-sandbox', ...quiet.map((name) => `--${name}`)] });
}
