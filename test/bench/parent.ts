/** Set by whoever starts us with a pipe that lives as long as it does. */
export const PARENT_PIPE = 'LULL_BENCH_PARENT_PIPE';

/**
 * Says that this process is ready and waits for the word to go, so that processes started together also join their group together. From
 * then on it ends when the one that started it is gone, in whatever way: nobody else would end it.
 */
export async function waitForParent(): Promise<void> {
  if (process.env[PARENT_PIPE] === undefined) return;
  process.stdin.on('end', () => process.exit(1));
  const go = new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdout.write('ready\n');
  await go;
}
