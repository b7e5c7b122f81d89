import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FatalLogError } from '../../src/log/errors.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { startSecureBroker, type SecureBroker } from '../setup/secure-broker.ts';
import { lull } from './run.ts';

let broker: SecureBroker;
let folder: string;
let secure: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lull-test-tls-'));
  broker = await startSecureBroker(() => undefined);
  const { LULL_KAFKA_SASL_PASSWORD: secret = '', ...env } = broker.env;
  const password = path.join(folder, 'password');
  writeFileSync(password, `${secret}\n`);
  chmodSync(password, 0o600);
  secure = { ...env, LULL_BOOTSTRAP: broker.bootstrap, LULL_KAFKA_SASL_PASSWORD_FILE: password };
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
});

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

  it('say of an old certificate that it has to be renewed', async () => {
    const { code, stderr } = await lull(['topics', 'check'], { ...secure, LULL_BOOTSTRAP: broker.expired });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lull: [^\n]*CERT_HAS_EXPIRED[^\n]*renew it\n$/);
  });

  it('name the one topic that may not be written, of all that are in a transaction', async () => {
    const [mine, denied] = [`a-${randomUUID()}`, `b-${randomUUID()}`];
    const log = createKafkaLog({
      brokers: [broker.bootstrap],
      ssl: { ca: readFileSync(broker.env['LULL_KAFKA_SSL_CA_FILE']!, 'utf8') },
      sasl: { mechanism: 'plain', username: 'lull', password: broker.env['LULL_KAFKA_SASL_PASSWORD']! },
    });
    await log.admin.createTopics([mine, denied].map((topic) => ({ topic, partitions: 1, replicationFactor: 1, config: {} })));
    await broker.deny({ what: 'topic', name: denied, operation: 'write' });
    const writer = log.transactionalWriter({ transactionalId: randomUUID() });
    await writer.fence();
    const transaction = await writer.begin();
    const sending = transaction.send([mine, denied].map((topic) => ({ topic, partition: 0, key: null, value: Buffer.from('x') })));
    const error: unknown = await sending.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FatalLogError);
    expect(String(error)).toContain(`adding ${denied}-0: not authorized for the topic`);
    await log.close();
  });
});
