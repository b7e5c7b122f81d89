import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { MAIN } from '../../cli/run.ts';

// Without the run's own broker and registry: what is interrupted is the start of local ones.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LULL_')));

it('Ctrl-C while the broker starts is a stop, not an error, and no success for who waits for the figures', async () => {
  const child = spawn(process.execPath, [MAIN, 'dev', '--for', '60s'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  // Its first line comes while it waits: a stop before that would meet nothing to stop.
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stderr.once('data', () => child.kill('SIGINT'));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  expect(stderr).toMatch(/Stopping\.\n$/);
  expect(stderr).not.toContain('lull:');
});
