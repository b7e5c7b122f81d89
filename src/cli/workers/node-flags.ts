/**
 * What a worker is started with beyond what its parent was: flags of Node and V8, and environment variables of the libraries beneath them. One place for all,
 * because what counts is the sum over the workers of a machine. Measured on W1, two workers (`docs/figures.md`); an operator's own flags win.
 *
 * - A young generation of 16 MiB: what a user's run makes is dead when the next one begins, and more room for it only leaves the processor's caches (-190 MiB, -10 % CPU).
 * - The old generation grows to three times what lives, instead of up to four and more (-80 MiB, CPU even). To 1.6 times: another -80 MiB, for 15 % more CPU.
 */
export const WORKER_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=16', '--heap-growing-percent=200'];
/** One arena of glibc's for all threads: RocksDB's and zlib's allocate little, and each of theirs would keep tens of MiB (-80 MiB, CPU within noise). */
export const WORKER_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };
