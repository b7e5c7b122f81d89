import { StoreCorruptError, StoreOpenError } from '../port.ts';

/** What RocksDB says when the machine is the trouble, not the files. Anything else on opening means files that cannot be read. */
const ENVIRONMENT =
  /permission denied|read-only file system|no space left|disk quota|too many open files|cannot allocate memory|not a directory|input\/output error/i;
const LOCKED = /\bLOCK\b.*(temporarily unavailable|no locks available)|lock hold by current process/i;
const CORRUPT = /corrupt|checksum mismatch|truncated|bad block|bad magic|size mismatch|file is too short/i;

/** An error of opening the folder, as the one line that a user reads. */
export function openError(path: string, thrown: unknown): Error {
  const message = reason(thrown);
  if (LOCKED.test(message))
    return new StoreOpenError(`${path}: another process uses this state folder; stop it, or give this one a folder of its own`, {
      cause: thrown,
      isLocked: true,
    });
  if (ENVIRONMENT.test(message)) return new StoreOpenError(`${path}: cannot open the state folder: ${message}`, { cause: thrown });
  return new StoreCorruptError(`${path}: the state folder cannot be read: ${message}`, { cause: thrown });
}

/** An error of reading or writing an open store. */
export function accessError(path: string, thrown: unknown): Error {
  const message = reason(thrown);
  return CORRUPT.test(message)
    ? new StoreCorruptError(`${path}: the state folder is damaged: ${message}`, { cause: thrown })
    : new Error(`${path}: the store failed: ${message}`, { cause: thrown });
}

/** An error of loading the native library. The first line that says what the loader missed is in the cause. */
export function loadError(thrown: unknown): Error {
  const message = reason(thrown);
  const hint = message.includes('libatomic')
    ? 'install libatomic1 (Debian, Ubuntu: apt-get install libatomic1; Fedora: dnf install libatomic)'
    : 'rocksdb-native has binaries for Linux (glibc), macOS and Windows on x64 and arm64; reinstall with npm ci on the machine that runs Lull';
  return new StoreOpenError(`RocksDB's library cannot be loaded: ${message}: ${hint}`, { cause: thrown });
}

/** The innermost message, on one line: the outer ones say only that something did not work. */
function reason(thrown: unknown): string {
  let error = thrown;
  while (error instanceof Error && error.cause !== undefined) error = error.cause;
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
}
