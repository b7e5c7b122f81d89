import { startStack } from '../../src/dev/stack/stack.ts';

/**
 * One real broker and registry for the whole run: the given ones, else the local stack. The workers are started after this and
 * inherit the addresses through the environment; `env.ts` reads them.
 */
export async function setup(): Promise<() => Promise<void>> {
  const stack = await startStack({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  process.env['LULL_BOOTSTRAP'] = stack.bootstrap;
  process.env['LULL_REGISTRY'] = stack.registryUrl;
  return () => stack.stop();
}
