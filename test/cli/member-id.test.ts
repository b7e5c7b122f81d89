import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemberIdFile } from '../../src/cli/member-id.ts';

test("a member's id is kept for its successor until it has left", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lull-member-'));
  try {
    const file = (): MemberIdFile => new MemberIdFile(join(folder, 'worker-0'));
    expect(file().read()).toBeUndefined();
    file().write('lull-1');
    file().write('lull-2');
    expect(file().read()).toBe('lull-2');
    expect(new MemberIdFile(join(folder, 'worker-1')).read()).toBeUndefined();
    file().write(undefined);
    file().write(undefined);
    expect(file().read()).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
