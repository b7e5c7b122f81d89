import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { readProfile, summarise, type CpuProfile } from './profile.ts';
import { startProfiler } from './profiler.ts';

const url = (file: string): string => pathToFileURL(join(import.meta.dirname, '../..', file)).href;
const frame = (functionName: string, file = '') => ({ functionName, url: file === '' ? '' : url(file), lineNumber: 9 });

test('time in Node and in packages counts for the code of ours that called it, and idle time for nobody', () => {
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3, 4, 7] },
      { id: 2, callFrame: frame('(idle)') },
      { id: 3, callFrame: frame('(garbage collector)') },
      { id: 4, callFrame: frame('encode', 'src/processor/user-row-write.ts'), children: [5] },
      { id: 5, callFrame: frame('write', 'node_modules/avsc/lib/types.js'), children: [6] },
      { id: 6, callFrame: frame('utf8Write') },
      { id: 7, callFrame: frame('onEvent', 'src/core/step.ts') },
    ],
    samples: [1, 2, 3, 6, 7],
    // Before each sample; the last one's length is not known.
    timeDeltas: [0, 0, 500, 1_000, 3_000],
  };
  const { busySeconds, areas, functions } = summarise([profile, profile]);
  expect(busySeconds).toBe(0.01);
  expect(areas).toEqual({ 'user rows': 0.75, 'garbage collection': 0.25, node: 0, 'core: the rest': 0 });
  expect(Object.keys(functions)[0]).toBe('utf8Write');
});

test('a profile of this process names what it was busy with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lull-test-'));
  try {
    const stop = await startProfiler(join(folder, 'busy.cpuprofile'));
    const until = performance.now() + 100;
    let sum = 0;
    function spin(): void {
      while (performance.now() < until) sum += Math.sqrt(sum + 1);
    }
    spin();
    await stop();
    const { busySeconds, functions } = summarise([readProfile(join(folder, 'busy.cpuprofile'))]);
    expect(busySeconds).toBeGreaterThan(0.02);
    expect(Object.keys(functions).some((name) => name.startsWith('spin '))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
