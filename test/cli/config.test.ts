import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentName, loadConfig } from '../../src/cli/config.ts';
import { SETTINGS } from '../../src/cli/settings.ts';
import { lull } from './run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lull-test-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const at = path.join(folder, name);
  writeFileSync(at, content);
  return at;
}

describe('the configuration', () => {
  it('is taken from flag, then environment, then file, then default', () => {
    const yaml = file('lull.yaml', 'prefix: from-file\nbootstrap: file:1\nlogLevel: warn\n');
    const { config, sources } = loadConfig({
      flags: { prefix: 'from-flag' },
      env: { LULL_PREFIX: 'from-env', LULL_BOOTSTRAP: 'env:1' },
      file: yaml,
    });
    expect(config).toMatchObject({ prefix: 'from-flag', bootstrap: 'env:1', logLevel: 'warn', httpHost: '127.0.0.1' });
    expect(sources).toMatchObject({ prefix: 'flag', bootstrap: 'environment', logLevel: 'file', httpHost: 'default' });
  });

  it('is frozen, and finds its file by LULL_CONFIG', () => {
    const { config } = loadConfig({ env: { LULL_CONFIG: file('lull.yaml', 'prefix: shop') } });
    expect(config.prefix).toBe('shop');
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('takes durations and sizes with their units, and bare numbers in the unit of the name', () => {
    const read = (env: Record<string, string>) => loadConfig({ env }).config;
    expect(read({ LULL_DRAIN_MS: '1m30s', LULL_FETCH_MAX_BYTES: '4MiB' })).toMatchObject({ drainMs: 90_000, fetchMaxBytes: 4_194_304 });
    expect(read({ LULL_DRAIN_MS: '1500', LULL_FETCH_MAX_BYTES: '2048' })).toMatchObject({ drainMs: 1500, fetchMaxBytes: 2048 });
  });

  it('names all mistakes at once, each with its place', () => {
    const yaml = file('lull.yaml', 'prefx: shop\nhttpPort: 0x10\nlogLevel:\nkafkaSaslPassword: hunter2\nkafkaSsl: yes\n');
    expect(() => loadConfig({ env: { LULL_PARTITIONS: '0' }, flags: { bootstrap: 'nohost' }, file: yaml })).toThrow(
      [
        `${yaml}:1:1: unknown setting prefx, did you mean \`prefix\`?`,
        `${yaml}:3:1: logLevel needs a value`,
        `${yaml}:4:1: kafkaSaslPassword is a secret: put it into a file of its own and name that with kafkaSaslPasswordFile, or use LULL_KAFKA_SASL_PASSWORD`,
        `--bootstrap: 'nohost' is not HOST:PORT, comma-separated where there are several`,
        `${yaml}:5:1: 'yes' is not true or false`,
        `LULL_PARTITIONS: '0' is not a whole number from 1 to 10000`,
        `${yaml}:2:1: '0x10' is not a whole number from 0 to 65535`,
      ].join('\n'),
    );
  });

  it('points into a file that is not YAML, or not a map', () => {
    const broken = file('broken.yaml', 'prefix: "shop\n');
    expect(() => loadConfig({ env: {}, file: broken })).toThrow(new RegExp(`^${broken}:2:1: `));
    const list = file('list.yaml', '- prefix\n');
    expect(() => loadConfig({ env: {}, file: list })).toThrow(`${list}:1: a map of settings is expected, e.g. \`prefix: lull\``);
    expect(loadConfig({ env: {}, file: file('empty.yaml', '# nothing yet\n') }).config.prefix).toBe('lull');
  });

  it('takes a secret from the environment or from a file of its own', () => {
    const password = file('password', 'hunter2\n');
    const rest = { LULL_KAFKA_SASL_MECHANISM: 'plain', LULL_KAFKA_SASL_USERNAME: 'lull' };
    expect(loadConfig({ env: { ...rest, LULL_KAFKA_SASL_PASSWORD: 'hunter3' } }).config.kafkaSaslPassword).toBe('hunter3');
    expect(loadConfig({ env: { ...rest, LULL_KAFKA_SASL_PASSWORD_FILE: password } }).config.kafkaSaslPassword).toBe('hunter2');
    expect(loadConfig({ env: rest, file: file('lull.yaml', `kafkaSaslPasswordFile: ${password}`) }).config.kafkaSaslPassword).toBe(
      'hunter2',
    );
    expect(() => loadConfig({ env: { ...rest, LULL_KAFKA_SASL_PASSWORD_FILE: `${folder}/none` } })).toThrow(
      `LULL_KAFKA_SASL_PASSWORD_FILE: ${folder}/none cannot be read (ENOENT)`,
    );
    expect(() => loadConfig({ env: rest, flags: { kafkaSaslPassword: 'hunter2' } })).toThrow('go together');
  });

  it.each([
    [{ LULL_KAFKA_SASL_USERNAME: 'lull' }, /kafkaSaslMechanism, kafkaSaslUsername and kafkaSaslPassword go together/],
    [{ LULL_KAFKA_SSL: 'true', LULL_KAFKA_SSL_CERT_FILE: 'cert.pem' }, /kafkaSslCertFile and kafkaSslKeyFile go together/],
    [{ LULL_KAFKA_SSL_CA_FILE: 'ca.pem' }, /kafkaSsl is false/],
    [{ LULL_REGISTRY_USERNAME: 'lull' }, /registryUsername and registryPassword go together/],
    [{ LULL_REGISTRY: 'http://user:secret@registry' }, /without user and password/],
  ])('refuses half a pair: %j', (env, message) => {
    expect(() => loadConfig({ env })).toThrow(message);
  });

  it('has a default that its own form takes, and a doc, for every setting', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) {
      if (setting.default !== undefined) expect(setting.parse(String(setting.default)), name).toBe(setting.default);
      expect(setting.doc.length, name).toBeGreaterThan(10);
      if (typeof setting.default === 'number' && /duration|size/.test(setting.form)) expect(name).toMatch(/(Ms|Bytes)$/);
    }
    expect(environmentName('kafkaSaslMechanism')).toBe('LULL_KAFKA_SASL_MECHANISM');
  });
});

describe('lull config', () => {
  const SECRETS = { LULL_KAFKA_SASL_MECHANISM: 'plain', LULL_KAFKA_SASL_USERNAME: 'lull', LULL_KAFKA_SASL_PASSWORD: 'hunter2' };

  it('prints every setting with its source, and never a secret', async () => {
    for (const args of [['config'], ['config', '--json']]) {
      const { code, stdout, stderr } = await lull(args, SECRETS);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).not.toContain('hunter2');
      expect(stdout).toContain('********');
      for (const name of Object.keys(SETTINGS)) expect(stdout).toContain(name);
    }
    const printed = JSON.parse((await lull(['config', '--json'], SECRETS)).stdout) as Record<string, unknown>;
    expect(printed['kafkaSaslPassword']).toEqual({ value: '********', source: 'environment', environment: 'LULL_KAFKA_SASL_PASSWORD' });
    expect(printed['registryPassword']).toEqual({ value: null, source: 'default', environment: 'LULL_REGISTRY_PASSWORD' });
  });

  it('says what may be written, where that is more than any text', async () => {
    const { stdout } = await lull(['config']);
    expect(stdout).toContain(
      '# how to log in to the brokers: one of plain, scram-sha-256, scram-sha-512 (default; LULL_KAFKA_SASL_MECHANISM)\n',
    );
    expect(stdout).toContain('# password at the brokers (default; LULL_KAFKA_SASL_PASSWORD)\n');
  });

  it('prints a text that is a config file with the same meaning', async () => {
    const { stdout } = await lull(['config'], { LULL_PREFIX: 'shop', LULL_DRAIN_MS: '3s' });
    const { config } = loadConfig({ env: {}, file: file('printed.yaml', stdout) });
    expect(config).toEqual(loadConfig({ env: { LULL_PREFIX: 'shop', LULL_DRAIN_MS: '3s' } }).config);
  });

  it('does not print the secret that a wrong value is', async () => {
    const { code, stderr } = await lull(['config'], { LULL_KAFKA_SASL_PASSWORD: 'hunter2' });
    expect(code).toBe(2);
    expect(stderr).not.toContain('hunter2');
  });
});
