import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';

/** How far the clock of a process with this setting is off, now and a second later. */
function offsets(setting: string): number[] {
  const clock = join(import.meta.dirname, '../../src/engine/clock.ts');
  const program = `
    const { systemClock } = await import(${JSON.stringify(clock)});
    const off = () => Math.round((systemClock.nowMs() - Date.now()) / 1000);
    const first = off();
    await new Promise((resolve) => systemClock.at(systemClock.nowMs() + 1000, resolve));
    console.log(JSON.stringify([first, off()]));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, LULL_CLOCK_OFFSET: setting },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.toString()) as number[];
}

test('the clock is the system’s', () => {
  const before = Date.now();
  expect(systemClock.nowMs()).toBeGreaterThanOrEqual(before);
  expect(systemClock.nowMs()).toBeLessThanOrEqual(Date.now());
});

test('a test can make it wrong, from the start or from a time on; what waits for it waits no longer than it was to', () => {
  expect(offsets('90s')).toEqual([90, 90]);
  // How long a process takes to come so far that it looks is up to the machine.
  expect(offsets('-2h,1d@1s').at(-1)).toBe(86_400);
});

test('a setting that says nothing is refused', () => {
  expect(() => offsets('90')).toThrow();
});
