import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own, in memory, with this little room. */
export interface SmallDisk {
  readonly folder: string;
  /** Takes the room that there is, but for so many MiB. Default: all. */
  fill(butMebibytes?: number): void;
  /** Gives it back. */
  free(): void;
  close(): Promise<void>;
}

/** @throws Error for everybody but root */
export function mountSmallDisk(mebibytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'lull-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder]);
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: (butMebibytes = 0) => {
      const { bavail, bsize } = statfsSync(folder);
      const file = openSync(filler, 'a');
      try {
        for (let blocks = bavail - (butMebibytes * 2 ** 20) / bsize; blocks > 0; blocks--) writeSync(file, Buffer.alloc(bsize, 1));
      } catch (error) {
        // Somebody else took the last of it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(filler),
    close: () => {
      execFileSync('umount', [folder]);
      return rmdir(folder);
    },
  };
}
