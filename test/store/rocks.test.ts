import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreCorruptError, StoreOpenError } from '../../src/store/port.ts';
import { destroyRocksStore, moveRocksStore } from '../../src/store/rocks/folder.ts';
import { openRocksStore } from '../../src/store/rocks/rocks-store.ts';
import { storeConformance } from '../conformance/store.ts';

const folders: string[] = [];

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'lull-store-'));
  folders.push(path);
  return path;
}

afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true });
});

storeConformance('rocks', async (options) => openRocksStore({ ...options, path: join(await folder(), 'made', 'by', 'open') }));

const TABLES = ['users', 'timers'];
const CHILD = join(import.meta.dirname, 'rocks-child.ts');
const b = (text: string): Buffer => Buffer.from(text);

/** A store of a few files on disk and a last write that is only in the write-ahead log. */
async function filledFolder(): Promise<string> {
  const path = await folder();
  // Every close and open turns the write-ahead log into a file of rows.
  for (let round = 0; round < 3; round += 1) {
    const store = await openRocksStore({ tables: TABLES, path });
    const partition = await store.open(1);
    await partition.write(
      Array.from({ length: 2_000 }, (_, index) => ({ table: 'users', key: b(`${round}-${index}`), value: Buffer.alloc(100, index) })),
    );
    await store.close();
  }
  const store = await openRocksStore({ tables: TABLES, path });
  await (await store.open(1)).write([{ table: 'users', key: b('last'), value: b('in the log') }]);
  await store.close();
  return path;
}

async function firstFile(path: string, ending: RegExp): Promise<string> {
  const name = (await readdir(path)).sort().find((file) => ending.test(file));
  if (name === undefined) throw new Error(`no file like ${String(ending)} in ${path}`);
  return join(path, name);
}

describe('RocksDB store', () => {
  it('keeps rows from one opening of the folder to the next, also with other tables', async () => {
    const path = await folder();
    const first = await openRocksStore({ tables: ['users', 'meta'], path });
    const rows = await first.open(2);
    await rows.write([{ table: 'meta', key: b('k'), value: b('v') }]);
    await first.close();
    const second = await openRocksStore({ tables: ['timers', 'meta', 'more'], path });
    expect(await second.partitions()).toEqual([2]);
    expect(await (await second.open(2)).get('meta', b('k'))).toEqual(b('v'));
    await second.close();
  });

  it('refuses a second process on the folder with one line that says what to do', async () => {
    const path = await folder();
    const store = await openRocksStore({ tables: TABLES, path });
    const second = spawnSync(process.execPath, [CHILD, 'open', path], { encoding: 'utf8' });
    expect(second.stderr).toBe('');
    expect(second.stdout).toBe(
      `StoreOpenError: ${path}: another process uses this state folder; stop it, or give this one a folder of its own\n`,
    );
    const twice = openRocksStore({ tables: TABLES, path });
    await expect(twice).rejects.toBeInstanceOf(StoreOpenError);
    await expect(twice).rejects.toThrow(/another process uses this state folder/);
    await store.close();
    await (await openRocksStore({ tables: TABLES, path })).close();
  });

  it('says which folder cannot be made', async () => {
    const path = join(await folder(), 'file');
    await writeFile(path, 'not a folder');
    const opening = openRocksStore({ tables: TABLES, path: join(path, 'state') });
    await expect(opening).rejects.toBeInstanceOf(StoreOpenError);
    await expect(opening).rejects.toThrow(`${path}/state: cannot make the state folder: ENOTDIR`);
  });

  it('says what to install where libatomic1 is missing', async () => {
    const libraries = await folder();
    // The loader finds this one first and cannot use it: the same failure as without the library, on a machine that has it.
    await writeFile(join(libraries, 'libatomic.so.1'), '');
    const child = spawnSync(process.execPath, [CHILD, 'open', await folder()], {
      encoding: 'utf8',
      env: { ...process.env, LD_LIBRARY_PATH: libraries },
    });
    expect(child.stdout).toMatch(/^StoreOpenError: RocksDB's library cannot be loaded: .*libatomic\.so\.1.*: install libatomic1 \(.*\)\n$/);
  });

  const damages: [string, (path: string) => Promise<void>][] = [
    ['a truncated file of rows', async (path) => truncate(await firstFile(path, /\.sst$/), 1_000)],
    ['a missing file of rows', async (path) => rm(await firstFile(path, /\.sst$/))],
    ['a garbled end of a file of rows', async (path) => garble(await firstFile(path, /\.sst$/), -300, -100)],
    ['a truncated manifest', async (path) => truncate(await firstFile(path, /^MANIFEST/), 30)],
    ['a missing manifest', async (path) => rm(await firstFile(path, /^MANIFEST/))],
    ['a garbled CURRENT', async (path) => writeFile(join(path, 'CURRENT'), 'junk')],
    ['a missing CURRENT', async (path) => rm(join(path, 'CURRENT'))],
  ];
  it.each(damages)('is StoreCorruptError after %s, and whole again after destroyRocksStore', async (_, damage) => {
    const path = await filledFolder();
    await damage(path);
    const opening = openRocksStore({ tables: TABLES, path });
    await expect(opening).rejects.toBeInstanceOf(StoreCorruptError);
    await expect(opening).rejects.toThrow(new RegExp(`^${path}: the state folder cannot be read: [^\n]+$`));
    await destroyRocksStore(path);
    const store = await openRocksStore({ tables: TABLES, path });
    expect(await store.partitions()).toEqual([]);
    await store.close();
  });

  it('is StoreCorruptError when a damaged block is read, and at every opening until it is destroyed', async () => {
    const path = await filledFolder();
    for (const file of (await readdir(path)).filter((name) => name.endsWith('.sst'))) await garble(join(path, file), 0, 3_000);
    const store = await openRocksStore({ tables: TABLES, path });
    const partition = await store.open(1);
    const reading = partition.scan('users', { limit: 10_000 });
    await expect(reading).rejects.toBeInstanceOf(StoreCorruptError);
    await expect(reading).rejects.toThrow(/checksum mismatch/);
    await expect(partition.getMany('users', [b('0-0'), b('1-0'), b('2-0')])).rejects.toBeInstanceOf(StoreCorruptError);
    // While it is open, nobody else may take it for dead.
    await expect(openRocksStore({ tables: TABLES, path, onCorrupt: () => expect.unreachable() })).rejects.toBeInstanceOf(StoreOpenError);
    await store.close();
    await expect(openRocksStore({ tables: TABLES, path })).rejects.toThrow(/found damaged when it was last used/);
    await destroyRocksStore(path);
    await (await openRocksStore({ tables: TABLES, path })).close();
  });

  it('is replaced by an empty one where the caller says so, and the caller is told why', async () => {
    const path = await filledFolder();
    await truncate(await firstFile(path, /^MANIFEST/), 30);
    const told: StoreCorruptError[] = [];
    const store = await openRocksStore({ tables: TABLES, path, onCorrupt: (error) => told.push(error) });
    expect(told).toHaveLength(1);
    expect(told[0]).toBeInstanceOf(StoreCorruptError);
    expect(await store.partitions()).toEqual([]);
    const locked = openRocksStore({ tables: TABLES, path, onCorrupt: (error) => told.push(error) });
    await expect(locked).rejects.toBeInstanceOf(StoreOpenError);
    expect(told).toHaveLength(1);
    await store.close();
  });

  it('comes back as it was before the write that a crash cut short', async () => {
    const path = await filledFolder();
    const log = await firstFile(path, /\.log$/);
    await truncate(log, (await stat(log)).size - 3);
    const store = await openRocksStore({ tables: TABLES, path });
    const partition = await store.open(1);
    expect(await partition.get('users', b('last'))).toBeNull();
    expect(await partition.get('users', b('2-1999'))).not.toBeNull();
    await store.close();
  });

  it('is moved as a whole, also where a move was cut short, and never over another', async () => {
    const from = await filledFolder();
    const to = join(from, 'worker-0');
    const read = async (path: string): Promise<string | undefined> => {
      const store = await openRocksStore({ tables: TABLES, path });
      const value = await (await store.open(1)).get('users', b('last'));
      await store.close();
      return value?.toString();
    };
    // As a crash leaves it: some files there, the one that makes it a store not yet.
    await mkdir(to);
    const first = await firstFile(from, /\.sst$/);
    await rename(first, join(to, basename(first)));
    await writeFile(join(from, 'notes.txt'), 'not ours');
    expect(await moveRocksStore(from, to)).toBe('moved');
    expect((await readdir(from)).sort()).toEqual(['notes.txt', 'worker-0']);
    expect(await read(to)).toBe('in the log');
    expect(await moveRocksStore(from, to)).toBeUndefined();
    expect(await moveRocksStore(join(from, 'nowhere'), to)).toBeUndefined();

    const older = await filledFolder();
    await (await openRocksStore({ tables: TABLES, path: to })).close();
    expect(await moveRocksStore(older, to)).toBe('deleted');
    expect(await readdir(older)).toEqual([]);
    expect(await read(to)).toBe('in the log');
  });

  it('deletes nothing but its own files', async () => {
    const path = await filledFolder();
    await writeFile(join(path, 'notes.txt'), 'mine');
    await destroyRocksStore(path);
    expect(await readdir(path)).toEqual(['notes.txt']);
  });

  it('has every write that was confirmed before SIGKILL, each whole across tables', async () => {
    const path = await folder();
    const child = spawn(process.execPath, [CHILD, 'write', path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    let confirmed = -1;
    let unread = '';
    try {
      for await (const chunk of child.stdout.setEncoding('utf8')) {
        const lines = (unread + String(chunk)).split('\n');
        unread = lines.pop() ?? '';
        for (const line of lines) confirmed = Number(line);
        if (confirmed >= 300) break;
      }
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    expect(confirmed).toBeGreaterThanOrEqual(300);
    const store = await openRocksStore({ tables: TABLES, path });
    const partition = await store.open(0);
    const users = await partition.scan('users', { limit: 1_000_000 });
    const timers = await partition.scan('timers', { limit: 1_000_000 });
    expect(users.length).toBeGreaterThan(confirmed);
    expect(timers.map((row) => row.key)).toEqual(users.map((row) => row.key));
    expect(users.map((row) => row.key.readUInt32BE(0))).toEqual(users.map((_, index) => index));
    await store.close();
  });
});

async function garble(path: string, from: number, to: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.subarray(from, to).fill(7);
  await writeFile(path, bytes);
}
