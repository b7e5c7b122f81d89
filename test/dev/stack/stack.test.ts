import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MissingToolError, findJava, findMaven } from '../../../src/dev/stack/java.ts';
import { startKept } from '../../../src/dev/stack/kept.ts';
import { freePorts } from '../../../src/dev/stack/ports.ts';
import { serve } from '../../../src/dev/stack/serve.ts';
import { kafkaJars, startStack } from '../../../src/dev/stack/stack.ts';
import { runs, startHolder, until } from './processes.ts';

const HOLDER = path.join(import.meta.dirname, 'hold-stack.ts');
const { LULL_BOOTSTRAP: _bootstrap, LULL_REGISTRY: _registry, ...NO_ADDRESSES } = process.env;

describe('the local stack', () => {
  it('is a real broker and registry on this machine, and is gone with its data after SIGKILL of its owner', async () => {
    const temp = mkdtempSync(path.join(tmpdir(), 'lull-test-'));
    const { child, said } = await startHolder<{ pids: number[]; bootstrap: string; registryUrl: string; kind: string }>(HOLDER, ['stack'], {
      ...NO_ADDRESSES,
      TMPDIR: temp,
    });
    try {
      expect(said.kind).toBe('local');
      expect(said.bootstrap).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(said.pids).toHaveLength(2);
      expect(said.pids.map(runs)).toEqual([true, true]);
      expect(await (await fetch(`${said.registryUrl}/subjects`)).json()).toEqual([]);
      expect(readdirSync(temp).map((name) => name.replace(/-[^-]*$/, ''))).toEqual(expect.arrayContaining(['lull-kafka', 'lull-registry']));
    } finally {
      child.kill('SIGKILL');
    }
    await until(() => !said.pids.some(runs));
    await until(() => readdirSync(temp).length === 0);
    rmSync(temp, { recursive: true });
  });

  it('starts nothing where both addresses are given', async () => {
    const stack = await startStack({ bootstrap: 'broker.example:9092', registryUrl: 'http://registry.example' });
    expect(stack).toMatchObject({ kind: 'given', bootstrap: 'broker.example:9092', registryUrl: 'http://registry.example', pids: [] });
    await stack.stop();
  });

  it('says in one line what to install where there is no Java, or an old one', async () => {
    await expect(findJava({ PATH: '/nonexistent' })).rejects.toThrow(/^[^\n]*Java 17 or newer \(no java found\): install it[^\n]*$/);
    const folder = mkdtempSync(path.join(tmpdir(), 'lull-test-'));
    writeFileSync(path.join(folder, 'java'), '#!/bin/sh\necho \'openjdk version "11.0.2" 2019-01-15\' >&2\n', { mode: 0o755 });
    await expect(findJava({ PATH: `${folder}:/bin` })).rejects.toThrow('Java 17 or newer (java is Java 11)');
    rmSync(folder, { recursive: true });
  });

  it('says in one line what to install where something has to be downloaded and there is no Maven', async () => {
    const failing = findMaven('Kafka 4.1.0', { PATH: '/nonexistent' });
    await expect(failing).rejects.toThrow(/^Kafka 4.1.0 is not in the cache, and downloading it needs Maven: install it[^\n]*$/);
    await expect(failing).rejects.toBeInstanceOf(MissingToolError);
  });

  it('has the jars of Kafka for tools that need the Java client', async () => {
    expect(readdirSync(await kafkaJars())).toContain('kafka-clients-4.1.0.jar');
  });
});

describe('a kept program', () => {
  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'ends with all that it started, and its folder, when its owner gets %s',
    async (signal) => {
      const { child, said } = await startHolder<{ pids: number[]; folder: string }>(HOLDER, ['sleep'], process.env);
      const group = said.pids[0]!;
      expect(runs(group)).toBe(true);
      child.kill(signal);
      await until(() => !runs(group) && !existsSync(said.folder));
      // The group is empty: the `sleep` below the shell has ended too.
      await until(() => {
        try {
          process.kill(-group, 0);
          return false;
        } catch {
          return true;
        }
      });
    },
  );

  it('tells its last words and code when it ends by itself', async () => {
    const kept = await startKept({ name: 'test', command: '/bin/sh', args: () => ['-c', 'echo one; echo two >&2; exit 3'] });
    expect(await kept.exited).toEqual({ code: 3, output: 'one\ntwo\n' });
    expect(existsSync(kept.folder)).toBe(false);
    await kept.stop();
  });

  it('is ended by its owner when its keeper is killed', async () => {
    const kept = await startKept({ name: 'test', command: '/bin/sleep', args: () => ['300'] });
    const keeper = Number(readFileSync(`/proc/${kept.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[1]);
    process.kill(keeper, 'SIGKILL');
    await kept.exited;
    await until(() => !runs(kept.pid));
    expect(existsSync(kept.folder)).toBe(false);
  });

  it('that does not exist is one clear error', async () => {
    await expect(startKept({ name: 'test', command: '/nonexistent/java', args: () => [] })).rejects.toThrow(
      /^\/nonexistent\/java: .*ENOENT/,
    );
  });
});

describe('a server on a free port', () => {
  it('is tried on other ports when its port was taken meanwhile', async () => {
    const tried: number[] = [];
    const { kept, ports } = await serve({
      what: 'the test server',
      ports: 1,
      program: ([port]) => ({
        name: 'test',
        command: '/bin/sh',
        args: () => ['-c', tried.push(port!) < 3 ? 'echo "java.net.BindException: Address already in use"; exit 1' : 'sleep 300'],
      }),
      isReady: async () => tried.length === 3,
      onProgress: () => undefined,
    });
    await kept.stop();
    expect(new Set(tried).size).toBe(3);
    expect(ports).toEqual([tried[2]]);
  });

  it('that ends while starting is an error with the line that says why', async () => {
    const failing = serve({
      what: 'the test server',
      ports: 1,
      program: () => ({
        name: 'test',
        command: '/bin/sh',
        args: () => ['-c', 'echo "kafka.FatalException: No space left on device"; echo "	at java.base/Thread.run"; exit 1'],
      }),
      isReady: async () => false,
      onProgress: () => undefined,
    });
    await expect(failing).rejects.toThrow('the test server ended while starting: kafka.FatalException: No space left on device');
  });

  it('is not left behind when the start is aborted', async () => {
    const aborting = new AbortController();
    let folder = '';
    const starting = serve({
      what: 'the test server',
      ports: 1,
      program: () => ({ name: 'test', command: '/bin/sleep', args: (own) => [(folder = own) && '300'] }),
      isReady: async () => (aborting.abort(new Error('enough')), false),
      onProgress: () => undefined,
      signal: aborting.signal,
    });
    await expect(starting).rejects.toThrow('enough');
    expect(existsSync(folder)).toBe(false);
  });

  it('gets ports that differ', async () => {
    expect(new Set(await freePorts(20)).size).toBe(20);
  });
});
