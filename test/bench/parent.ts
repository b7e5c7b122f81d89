/** Set by whoever starts us with a pipe that lives as long as it does. */
export const PARENT_PIPE = 'LULL_BENCH_PARENT_PIPE';

/** Ends this process when the one that started it is gone, in whatever way: nobody else would. */
export function endsWithParent(): void {
  if (process.env[PARENT_PIPE] === undefined) return;
  process.stdin.on('end', () => process.exit(1));
  process.stdin.resume();
}
