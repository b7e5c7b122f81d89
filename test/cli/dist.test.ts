import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ran } from './run.ts';

const ROOT = path.join(import.meta.dirname, '../..');
/** `nobody`, on most systems; any user without rights does. */
const UID = 65_534;

/** Why this cannot be tried here, or undefined. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can switch to another user';
  const node = realpathSync(process.execPath);
  const { status } = spawnSync(node, ['-e', `require('node:fs').readdirSync(${JSON.stringify(path.join(ROOT, 'node_modules'))})`], {
    uid: UID,
    gid: UID,
  });
  return status === 0 ? undefined : `user ${UID} cannot read ${ROOT}/node_modules`;
}

const why = obstacle();

describe.skipIf(why !== undefined)(`the build, read-only, as a user without rights${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let folder: string;
  let code: string;
  let state: string;

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'lull-test-dist-'));
    chmodSync(folder, 0o755);
    code = path.join(folder, 'code');
    state = path.join(folder, 'state');
    mkdirSync(code);
    // Types are checked by `npm run types`; here it is about what runs.
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '-p', path.join(ROOT, 'tsconfig.build.json'), '--noCheck', '--outDir', path.join(code, 'dist')]);
    for (const part of ['package.json', 'schemas', 'topologies']) cpSync(path.join(ROOT, part), path.join(code, part), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(code, 'node_modules'));
    readOnly(code);
    mkdirSync(state);
    chownSync(state, UID, UID);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function lull(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const child = spawn(realpathSync(process.execPath), [path.join(code, 'dist/cli/main.js'), ...args], {
      uid: UID,
      gid: UID,
      cwd: state,
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TMPDIR: state, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Promise((resolve, reject) => {
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
  }

  it('cannot be written to by that user', () => {
    const { status, stderr } = spawnSync('/bin/sh', ['-c', `: > ${path.join(code, 'dist/cli/main.js')}`], {
      uid: UID,
      gid: UID,
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/denied/i);
  });

  it('prints its help, its version and its configuration', async () => {
    const help = await lull(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: lull');
    expect((await lull(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout } = await lull(['config', '--json'], { LULL_STATE_FOLDER: state });
    expect(JSON.parse(stdout)).toMatchObject({ stateFolder: { value: state, source: 'environment' } });
  });

  it('says in one line that its brokers do not answer', async () => {
    const { code, stderr } = await lull(['topics', 'check', '--bootstrap', '127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lull: [^\n]*127\.0\.0\.1:1[^\n]*\n$/);
  });
});

/** Symbolic links are left alone: behind them is the checkout. */
function readOnly(at: string): void {
  const stat = lstatSync(at);
  if (stat.isSymbolicLink()) return;
  if (stat.isDirectory()) for (const name of readdirSync(at)) readOnly(path.join(at, name));
  chmodSync(at, stat.isDirectory() ? 0o555 : 0o444);
}
