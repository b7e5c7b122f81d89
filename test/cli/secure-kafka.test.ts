import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findJava } from '../../src/dev/stack/java.ts';
import { startKafka } from '../../src/dev/stack/kafka.ts';
import type { Serving } from '../../src/dev/stack/serve.ts';
import { kafkaJars } from '../../src/dev/stack/stack.ts';
import { lull } from './run.ts';

/** A broker of its own, whose second listener takes TLS and a login only. */
let broker: Serving;
let folder: string;
let secure: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lull-test-tls-'));
  certificate('broker');
  broker = await startKafka({
    java: await findJava(),
    code: await kafkaJars(),
    onProgress: () => undefined,
    more: {
      ports: 1,
      settings: ([port, controllerPort, securePort]) => ({
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},SECURE://127.0.0.1:${securePort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SECURE://127.0.0.1:${securePort}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.secure.plain.sasl.jaas.config':
          'org.apache.kafka.common.security.plain.PlainLoginModule required user_lull="hunter2";',
        'ssl.keystore.location': path.join(folder, 'broker.p12'),
        'ssl.keystore.password': 'changeit',
      }),
    },
  });
  const password = path.join(folder, 'password');
  writeFileSync(password, 'hunter2\n');
  chmodSync(password, 0o600);
  secure = {
    LULL_BOOTSTRAP: `127.0.0.1:${broker.ports[2]}`,
    LULL_KAFKA_SSL: 'true',
    LULL_KAFKA_SSL_CA_FILE: path.join(folder, 'broker.pem'),
    LULL_KAFKA_SASL_MECHANISM: 'plain',
    LULL_KAFKA_SASL_USERNAME: 'lull',
    LULL_KAFKA_SASL_PASSWORD_FILE: password,
  };
});
afterAll(async () => {
  await broker.kept.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** keytool comes with every Java. */
function certificate(name: string): void {
  const store = ['-keystore', path.join(folder, `${name}.p12`), '-storetype', 'PKCS12', '-storepass', 'changeit', '-alias', name];
  const subject = ['-dname', `CN=${name}`, '-ext', 'san=ip:127.0.0.1', '-keyalg', 'EC', '-validity', '2'];
  execFileSync('keytool', ['-genkeypair', ...store, ...subject], { stdio: 'ignore' });
  execFileSync('keytool', ['-exportcert', '-rfc', ...store, '-file', path.join(folder, `${name}.pem`)], { stdio: 'ignore' });
}

describe('brokers with TLS and a login', () => {
  it('are spoken to with a certificate authority, a user, and a password from a file', async () => {
    const created = await lull(['topics', 'create', '--partitions', '1', '--replication-factor', '1'], secure);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const checked = await lull(['topics', 'check'], secure);
    expect(checked).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['a wrong password', { LULL_KAFKA_SASL_PASSWORD: 'hunter3' }, /authentication/i],
    ['the certificate authorities of the system only', { LULL_KAFKA_SSL_CA_FILE: '' }, /certificate/i],
  ])('refuse %s with one clear line, and the secret is not in it', async (_what, change, message) => {
    const { code, stdout, stderr } = await lull(['topics', 'check'], { ...secure, ...change });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^lull: [^\n]*\n$/);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/hunter/);
  });

  it('are not spoken to without TLS', async () => {
    const { code, stderr } = await lull(['topics', 'check'], { LULL_BOOTSTRAP: secure['LULL_BOOTSTRAP'] });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lull: [^\n]*\n$/);
  });
});
