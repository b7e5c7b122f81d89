import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCodec } from '../../src/avro/codec.ts';
import { checkSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { topicNames, topicPlans } from '../../src/log/topics.ts';
import { until } from '../dev/stack/processes.ts';
import { bootstrap, registryUrl } from '../setup/env.ts';
import type { Ran } from './run.ts';

const ROOT = path.join(import.meta.dirname, '../..');
/** `nobody`, on most systems; any user without rights does. */
const UID = 65_534;

/** Why this cannot be tried here, or undefined. */
function obstacle(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'only root can switch to another user';
}

const why = obstacle();

describe.skipIf(why !== undefined)(`the build, read-only, as a user without rights${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let folder: string;
  let code: string;
  let state: string;
  let node: string;

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
    readOnly(code);
    // Not a link to the checkout's, which may lie where only root can go. Linked file by file, or copied to another file system.
    const installed = [path.join(ROOT, 'node_modules'), path.join(code, 'node_modules')];
    if (spawnSync('cp', ['-al', ...installed], { stdio: 'ignore' }).status !== 0) {
      rmSync(path.join(code, 'node_modules'), { recursive: true, force: true });
      execFileSync('cp', ['-a', ...installed]);
    }
    node = realpathSync(process.execPath).replace(realpathSync(path.join(ROOT, 'node_modules')), path.join(code, 'node_modules'));
    mkdirSync(state);
    chownSync(state, UID, UID);
  });
  const children: ChildProcess[] = [];
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  interface Running {
    readonly child: ChildProcess;
    /** The first group of the pattern, once stderr matches. */
    line(pattern: RegExp): Promise<string>;
    readonly ended: Promise<Ran>;
  }

  function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(node, [path.join(code, 'dist/cli/main.js'), ...args], {
      uid: UID,
      gid: UID,
      cwd: state,
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TMPDIR: state, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<Ran>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
    return {
      child,
      ended,
      line: (pattern) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            const found = pattern.exec(stderr)?.[1];
            if (found !== undefined) resolve(found);
          };
          child.stderr.on('data', look);
          child.on('close', () => reject(new Error(`it ended without saying ${pattern}: ${stderr}`)));
          look();
        }),
    };
  }

  const lull = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> => start(args, env).ended;

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

  it('keeps the programs that it starts, also when compiled', () => {
    const module = path.join(code, 'dist/dev/stack/kept.js');
    const script = `const { startKept } = await import(${JSON.stringify(module)});
      const kept = await startKept({ name: 'test', command: '/bin/echo', args: (folder) => [folder] });
      process.stdout.write((await kept.exited).output);`;
    const { stdout, stderr } = spawnSync(node, ['--input-type=module', '-e', script], {
      ...{ uid: UID, gid: UID, cwd: state, encoding: 'utf8' },
      env: { PATH: '/usr/bin:/bin', TMPDIR: state },
    });
    expect({ stdout: stdout.replace(/-[^-]*\n$/, ''), stderr }).toEqual({ stdout: path.join(state, 'lull-test'), stderr: '' });
  });

  it('processes events and stops gracefully, with its store in the state folder', async () => {
    const prefix = `test-${randomUUID().slice(0, 13)}`;
    const env = { LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl(), LULL_PREFIX: prefix };
    expect(await lull(['topics', 'create', '--partitions', '1', '--replication-factor', '1'], env)).toMatchObject({ code: 0, stderr: '' });
    const log = createKafkaLog({ brokers: bootstrap().split(',') });
    try {
      const codec = createCodec({ ids: await checkSchemas(createRegistry({ url: registryUrl() })) });
      const event = {
        eventId: 'e1',
        userId: 'u1',
        type: 'app_opened',
        occurredAt: Date.now(),
        properties: {},
        sentAt: null,
        imported: false,
      };
      const value = codec.encode('lull.v1.ProductEvent', event);
      await log.append([{ topic: topicNames(prefix).timeline, partition: 0, key: Buffer.from('u1'), value }]);

      const running = start(['process', '--topology', path.join(code, 'topologies/shop'), '--state-folder', state], env);
      const url = await running.line(/"url":"(http:[^"]+)"/);
      await until(async () => (await fetch(`${url}/readyz`)).status === 200);
      await until(async () => /^lull_events_total\{type="app_opened",.*\} 1$/m.test(await (await fetch(`${url}/metrics`)).text()));
      running.child.kill('SIGTERM');
      expect(await running.ended).toMatchObject({ code: 0, stdout: '' });
      expect(readdirSync(state)).toEqual([`${prefix}-processor`]);
    } finally {
      await log.admin.deleteTopics(topicPlans(prefix).map(({ topic }) => topic));
      await log.close();
    }
  });
});

/** Symbolic links are left alone: behind them is the checkout. */
function readOnly(at: string): void {
  const stat = lstatSync(at);
  if (stat.isSymbolicLink()) return;
  if (stat.isDirectory()) for (const name of readdirSync(at)) readOnly(path.join(at, name));
  chmodSync(at, stat.isDirectory() ? 0o555 : 0o444);
}
