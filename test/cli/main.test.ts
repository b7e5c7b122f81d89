import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { MAIN, lull } from './run.ts';

describe('lull', () => {
  it('--help names every command, the global options and the exit codes', async () => {
    const { code, stdout, stderr } = await lull(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
      expect(summary.length, `the summary of ${name} fits on a line`).toBeLessThan(80);
    }
    for (const option of ['--prefix', '--bootstrap', '--registry', '--config', '--version', 'Exit codes']) expect(stdout).toContain(option);
  });

  it.each(COMMANDS.map(({ name }) => name))('%s --help describes it, with the global options', async (name) => {
    const { code, stdout, stderr } = await lull([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: lull ${name}`);
    expect(stdout).toContain('Global Options:');
    expect(stdout).not.toContain('[]');
  });

  it.each([
    [['frobnicate'], "lull: unknown command 'frobnicate'; --help says what there is\n"],
    [['topcis'], "lull: unknown command 'topcis' (Did you mean topics?)\n"],
    [['topics', 'creat'], "lull: unknown command 'creat' (Did you mean create?)\n"],
    [['--frobnicate'], "lull: unknown option '--frobnicate'; --help says what there is\n"],
    [['config', '--jsn'], "lull: unknown option '--jsn' (Did you mean --json?)\n"],
    [['config', '--prefix'], "lull: option '--prefix <name>' argument missing; --help says what there is\n"],
    [['config', 'extra'], "lull: too many arguments for 'config'. Expected 0 arguments but got 1: extra; --help says what there is\n"],
    [['config', '--prefix', 'Not A Name'], "lull: --prefix: 'Not A Name' is not a name of at most 64 of a-z, 0-9, - and _\n"],
    [
      ['topics', 'check'],
      'lull: no bootstrap given: use --bootstrap HOST:PORT, comma-separated where there are several, LULL_BOOTSTRAP, or `bootstrap:` in the config file\n',
    ],
    [['config', '--config', '/nonexistent.yaml'], 'lull: config file: /nonexistent.yaml cannot be read (ENOENT)\n'],
  ])('%j is one clear message and exit code 2', async (args, message) => {
    expect(await lull(args)).toEqual({ code: 2, stdout: '', stderr: message });
  });

  it('without a command prints the help to stderr, exit code 2', async () => {
    const { code, stdout, stderr } = await lull([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: lull [options] COMMAND');
  });

  it('takes global options before and after the command', async () => {
    for (const args of [
      ['--prefix', 'shop', 'config', '--json'],
      ['config', '--json', '--prefix', 'shop'],
    ])
      expect(JSON.parse((await lull(args)).stdout)).toMatchObject({ prefix: { value: 'shop', source: 'flag' } });
  });

  it('ends quietly when whoever reads its output has seen enough', async () => {
    const child = spawn('/bin/sh', ['-c', '"$0" "$1" config | true; wait', process.execPath, MAIN], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await new Promise((resolve) => child.once('close', resolve));
    expect(stderr).toBe('');
  });

  it('shows a stack trace only to those who ask', async () => {
    const { code, stderr } = await lull(['config', '--prefix', 'Not A Name'], { LULL_DEBUG: '1' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ +at /m);
  });
});
