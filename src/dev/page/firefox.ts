import { existsSync } from 'node:fs';
import path from 'node:path';
import { startKept, type Kept } from '../stack/kept.ts';

/** What a person can mend: there is no Firefox, or no screen. */
export class NoBrowserError extends Error {
  override readonly name = 'NoBrowserError';
}

export interface FirefoxOptions {
  /** What it opens. */
  readonly url: string;
  /** The local push service's WebSocket, `ws://127.0.0.1:PORT/`. */
  readonly pushUrl: string;
  /** Without a window. Default false; Firefox's own MOZ_HEADLESS=1 does the same. */
  readonly headless?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Opens Firefox with a profile of its own that asks the local push service, and nothing else of its maker's; it ends with this process, and the
 * profile with it.
 * @throws NoBrowserError with one line that says what to install
 */
export async function openFirefox(options: FirefoxOptions): Promise<Kept> {
  const { url, pushUrl, headless = false } = options;
  const program = requireFirefox({ headless, ...(options.env === undefined ? {} : { env: options.env }) });
  return startKept({
    name: 'firefox',
    command: program,
    args: (folder) => ['--profile', folder, '--no-remote', '--new-instance', ...(headless ? ['--headless'] : []), url],
    files: () => ({ 'user.js': userPreferences(pushUrl) }),
    // Firefox keeps more than its profile in the home folder otherwise, and asks the desktop for it.
    env: { MOZ_CRASHREPORTER_DISABLE: '1' },
  });
}

/**
 * Where Firefox is, if it can be opened here.
 * @throws NoBrowserError with one line that says what to install
 */
export function requireFirefox({ headless = false, env = process.env }: Pick<FirefoxOptions, 'headless' | 'env'> = {}): string {
  const program = findFirefox(env);
  if (program === undefined)
    throw new NoBrowserError('Firefox was not found: install it (Debian: apt-get install firefox-esr), or name it with LULL_FIREFOX');
  if (!headless && process.platform === 'linux' && !['DISPLAY', 'WAYLAND_DISPLAY', 'MOZ_HEADLESS'].some((name) => env[name]))
    throw new NoBrowserError('there is no screen to open Firefox on (neither DISPLAY nor WAYLAND_DISPLAY is set)');
  return program;
}

export function findFirefox(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = env['LULL_FIREFOX'];
  if (given) return existsSync(given) ? given : undefined;
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  return [
    ...folders.flatMap((folder) => ['firefox-esr', 'firefox'].map((name) => path.join(folder, name))),
    '/Applications/Firefox.app/Contents/MacOS/firefox',
  ].find((file) => existsSync(file));
}

/** One line a preference. The push ones are why the profile exists; the rest keeps a fresh profile from calling home or asking questions. */
export function userPreferences(pushUrl: string): string {
  const preferences: Record<string, string | number | boolean> = {
    'dom.push.serverURL': pushUrl,
    'dom.push.testing.allowInsecureServerURL': true,
    'dom.push.connection.enabled': true,
    'dom.push.testing.ignorePermission': true,
    'permissions.default.desktop-notification': 1,
    'alerts.useSystemBackend': false,
    'app.update.enabled': false,
    'app.normandy.enabled': false,
    'browser.aboutwelcome.enabled': false,
    'browser.safebrowsing.malware.enabled': false,
    'browser.safebrowsing.phishing.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'browser.startup.homepage_override.mstone': 'ignore',
    'captivedetect.canonicalURL': '',
    'datareporting.healthreport.uploadEnabled': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'extensions.getAddons.cache.enabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'services.settings.server': 'http://127.0.0.1:9/',
    'toolkit.telemetry.enabled': false,
    'trailhead.firstrun.didSeeAboutWelcome': true,
  };
  return Object.entries(preferences)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    .join('');
}
