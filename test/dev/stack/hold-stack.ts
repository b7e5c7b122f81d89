/** Starts what a test asks for, says so, and then hangs: for tests that end it from outside. */
import { startKept } from '../../../src/dev/stack/kept.ts';
import { startStack } from '../../../src/dev/stack/stack.ts';

if (process.argv[2] === 'sleep') {
  const kept = await startKept({ name: 'test', command: '/bin/sh', args: () => ['-c', 'sleep 300 & echo started; wait'] });
  say({ pids: [kept.pid], folder: kept.folder });
} else {
  const stack = await startStack();
  say({ pids: stack.pids, bootstrap: stack.bootstrap, registryUrl: stack.registryUrl, kind: stack.kind });
}
setInterval(() => undefined, 1000);

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
