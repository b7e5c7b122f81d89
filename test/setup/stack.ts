import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../../src/dev/stack/stack.ts';

/**
 * One real broker and registry for the whole run: the given ones, else the local stack. The workers are started after this and
 * inherit the addresses through the environment; `env.ts` reads them.
 */
export async function setup(): Promise<() => Promise<void>> {
  const stack = await startStack({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  process.env['LULL_BOOTSTRAP'] = stack.bootstrap;
  process.env['LULL_REGISTRY'] = stack.registryUrl;
  // The tests start `lull` some hundred times: half of each start is the stripping of types, unless somebody kept what came of it.
  process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'lull-test-compile-cache');
  return () => stack.stop();
}
