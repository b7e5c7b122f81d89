import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Downloads live outside of the checkout: `LULL_CACHE`, else `$XDG_CACHE_HOME/lull`, else `~/.cache/lull`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['LULL_CACHE']) return path.resolve(env['LULL_CACHE']);
  return path.join(env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'lull');
}

export interface CachedOptions {
  readonly cache: string;
  readonly name: string;
  /** Fills an empty folder. When it throws, nothing is kept. */
  readonly fill: (folder: string) => Promise<void>;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The folder `name` of the cache, filled once. It appears by a rename, so a folder that exists is complete, whoever was killed while
 * filling it. A lock keeps two processes from downloading the same thing; should it fail (a stale lock that two steal
 * at once), both fill folders of their own and the first rename wins.
 */
export async function cached({ cache, name, fill, onProgress, signal }: CachedOptions): Promise<string> {
  const target = path.join(cache, name);
  if (existsSync(target)) return target;
  await mkdir(cache, { recursive: true });
  const unlock = await lock(path.join(cache, `${name}.lock`), () => onProgress(`waiting for another process that fills ${target}`), signal);
  try {
    if (existsSync(target)) return target;
    await sweep(cache, name);
    const filling = await mkdtemp(path.join(cache, `${name}.tmp-${process.pid}-`));
    try {
      await fill(filling);
      await rename(filling, target).catch((error: unknown) => {
        if (!existsSync(target)) throw error;
      });
    } finally {
      await rm(filling, { recursive: true, force: true });
    }
    return target;
  } finally {
    await unlock();
  }
}

/** Takes a lock file that holds our pid; a lock whose process is gone is taken over. */
async function lock(file: string, onWait: () => void, signal?: AbortSignal): Promise<() => Promise<void>> {
  const mine = `${file}.${process.pid}`;
  await writeFile(mine, String(process.pid));
  try {
    for (let waited = false; ; waited = true) {
      try {
        // A link appears together with its content: nobody sees a lock without a pid.
        await link(mine, file);
        return () => rm(file, { force: true });
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      const owner = await readFile(file, 'utf8').catch(() => '');
      if (owner !== '' && !isAlive(Number(owner))) await rm(file, { force: true });
      else {
        if (!waited) onWait();
        await sleep(200, undefined, signal === undefined ? {} : { signal });
      }
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Removes what processes that are gone have left half filled. */
async function sweep(cache: string, name: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    const pid = entry.startsWith(`${name}.tmp-`) ? Number(entry.slice(`${name}.tmp-`.length).split('-')[0]) : undefined;
    if (pid !== undefined && !isAlive(pid)) await rm(path.join(cache, entry), { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
