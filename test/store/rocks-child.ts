/** A process of its own for `rocks.test.ts`: `open PATH` says how opening went, `write PATH` writes and confirms until it is killed. */
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';

const [mode, path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: rocks-child.ts open|write PATH');

try {
  const store = await openRocksStore({ tables: ['users', 'timers'], path });
  if (mode === 'write') {
    const partition = await store.open(0);
    for (let number = 0; ; number += 1) {
      const key = Buffer.alloc(4);
      key.writeUInt32BE(number);
      await partition.write(['users', 'timers'].map((table) => ({ table, key, value: Buffer.alloc(1_000, number) })));
      process.stdout.write(`${number}\n`);
    }
  }
  process.stdout.write('opened\n');
  await store.close();
} catch (error) {
  process.stdout.write(`${String(error)}\n`);
}
