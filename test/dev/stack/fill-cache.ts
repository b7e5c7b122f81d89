/** Fills a cache slowly and says whether it was the one that did; with `hang` it never ends. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cached } from '../../../src/dev/stack/cache.ts';

const [cache, hang] = process.argv.slice(2);
let filled = false;
await cached({
  cache: cache!,
  name: 'x',
  async fill(folder) {
    filled = true;
    writeFileSync(path.join(folder, 'file'), 'text');
    if (hang !== undefined) {
      say({ pid: process.pid });
      await sleep(3_600_000);
    }
    await sleep(1000);
  },
  onProgress: () => undefined,
});
say({ filled });

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
