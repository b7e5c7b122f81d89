import { readdirSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import { CommandError } from '../errors.ts';

/** An editor that saves makes several changes, and another branch many: one run for all of them. */
const QUIET_MS = 50;

/**
 * Runs, and runs again whenever something in the folders has changed, until `signal`.
 *
 * Each folder inside is watched by itself: Node's recursive watch loses sight of a file on Linux once another one has taken its place, which is how many editors save.
 *
 * @param written a file that a run writes itself, wherever it lies: no reason to run again
 * @throws CommandError where a folder cannot be watched; what `run` throws
 */
export async function runOnChanges(
  folders: readonly string[],
  { signal, written }: { readonly signal: AbortSignal; readonly written: string | undefined },
  run: () => void,
): Promise<void> {
  const own = written === undefined ? null : path.resolve(written);
  const ended = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => ended.resolve(undefined), { once: true });
  let watchers: readonly FSWatcher[] = [];
  let quiet: NodeJS.Timeout | undefined;
  const changed = (file: string): void => {
    if (path.resolve(file) === own) return;
    clearTimeout(quiet);
    quiet = setTimeout(again, QUIET_MS);
  };
  const close = (): void => {
    clearTimeout(quiet);
    for (const watcher of watchers) watcher.close();
  };
  const again = (): void => {
    try {
      // Anew, as folders come and go; and before the run, so that what changes during it is seen.
      close();
      watchers = folders.flatMap((folder) => watchFolder(folder, changed, ended.reject));
      run();
    } catch (error) {
      ended.reject(error);
    }
  };
  again();
  try {
    await ended.promise;
  } finally {
    close();
  }
}

function watchFolder(folder: string, changed: (file: string) => void, failed: (error: CommandError) => void): FSWatcher[] {
  const refused = (cause: unknown): CommandError => new CommandError(`${folder} cannot be watched: ${(cause as Error).message}`, { cause });
  try {
    const inside = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [folder, ...inside.map(({ parentPath, name }) => path.join(parentPath, name))].map((at) =>
      watch(at, (_event, file) => changed(path.join(at, file ?? ''))).on('error', (cause) => failed(refused(cause))),
    );
  } catch (cause) {
    throw refused(cause);
  }
}
