import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder, cached } from '../../../src/dev/stack/cache.ts';
import { startHolder } from './processes.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(path.join(tmpdir(), 'lull-test-cache-'));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

const fill = (text: string) => async (folder: string) => writeFileSync(path.join(folder, 'file'), text);
const quiet = (): void => undefined;

describe('the cache of downloads', () => {
  it('fills a folder once', async () => {
    const target = await cached({ cache, name: 'x', fill: fill('first'), onProgress: quiet });
    expect(await cached({ cache, name: 'x', fill: fill('second'), onProgress: quiet })).toBe(target);
    expect(readFileSync(path.join(target, 'file'), 'utf8')).toBe('first');
    expect(readdirSync(cache)).toEqual(['x']);
  });

  it('keeps nothing of a filling that failed', async () => {
    await expect(
      cached({
        cache,
        name: 'x',
        fill: async (folder) => {
          await fill('half')(folder);
          throw new Error('no network');
        },
        onProgress: quiet,
      }),
    ).rejects.toThrow('no network');
    expect(readdirSync(cache)).toEqual([]);
    await cached({ cache, name: 'x', fill: fill('whole'), onProgress: quiet });
    expect(readFileSync(path.join(cache, 'x', 'file'), 'utf8')).toBe('whole');
  });

  it('is filled by one of two processes that start at once; the other waits', async () => {
    const script = path.join(import.meta.dirname, 'fill-cache.ts');
    const both = await Promise.all([1, 2].map(() => startHolder<{ filled: boolean }>(script, [cache], process.env)));
    expect(both.map(({ said }) => said.filled).sort()).toEqual([false, true]);
    expect(readdirSync(cache)).toEqual(['x']);
  });

  it('takes over from a process that was killed while filling', async () => {
    const { child, said } = await startHolder<{ pid: number }>(
      path.join(import.meta.dirname, 'fill-cache.ts'),
      [cache, 'hang'],
      process.env,
    );
    expect(existsSync(path.join(cache, 'x'))).toBe(false);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(readdirSync(cache).some((name) => name.startsWith(`x.tmp-${said.pid}-`))).toBe(true);
    await cached({ cache, name: 'x', fill: fill('mine'), onProgress: quiet });
    expect(readdirSync(cache)).toEqual(['x']);
  });

  it('tells that it waits, and stops waiting when aborted', async () => {
    mkdirSync(cache, { recursive: true });
    writeFileSync(path.join(cache, 'x.lock'), String(process.pid));
    const aborting = new AbortController();
    const waiting = cached({ cache, name: 'x', fill: fill('never'), onProgress: () => aborting.abort(), signal: aborting.signal });
    await expect(waiting).rejects.toThrow(/abort/i);
    expect(readdirSync(cache)).toEqual(['x.lock']);
  });

  it('is where LULL_CACHE or XDG_CACHE_HOME say, else in the home folder', () => {
    expect(cacheFolder({ LULL_CACHE: '/a/b', XDG_CACHE_HOME: '/x' })).toBe('/a/b');
    expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/lull');
    expect(cacheFolder({})).toMatch(/\/\.cache\/lull$/);
  });
});
