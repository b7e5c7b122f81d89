import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deleteStaleStores } from '../../src/cli/stale-stores.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';

const DAY_MS = 24 * 3_600_000;

it('the stores of workers that there no longer are go after a day, and nothing else does', async ({ onTestFinished }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lull-stale-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const nowMs = Date.now();
  const store = async (name: string, ageMs: number): Promise<void> => {
    const path = join(folder, name);
    await (await openRocksStore({ path, tables: ['a'] })).close();
    for (const file of await readdir(path)) await utimes(join(path, file), (nowMs - ageMs) / 1000, (nowMs - ageMs) / 1000);
  };
  await store('worker-1', 2 * DAY_MS);
  await store('worker-2', 2 * DAY_MS);
  await store('worker-3', DAY_MS - 60_000);
  await store('worker-10', 2 * DAY_MS);
  await store('backup', 2 * DAY_MS);
  await writeFile(join(folder, 'worker-2.member'), 'id');
  await writeFile(join(folder, 'worker-10', 'notes.txt'), 'not ours');
  await utimes(join(folder, 'worker-10', 'notes.txt'), 0, 0);
  await mkdir(join(folder, 'worker-x'));

  expect((await deleteStaleStores(folder, 2, nowMs)).sort()).toEqual([join(folder, 'worker-10'), join(folder, 'worker-2')]);
  expect((await readdir(folder)).sort()).toEqual(['backup', 'worker-1', 'worker-10', 'worker-3', 'worker-x']);
  expect(await readdir(join(folder, 'worker-10'))).toEqual(['notes.txt']);
});
