import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs, { type AclEntry } from 'kafkajs';
import { findJava } from '../../src/dev/stack/java.ts';
import { startKafka } from '../../src/dev/stack/kafka.ts';
import { kafkaJars } from '../../src/dev/stack/stack.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } = kafkajs;

const USER = 'lull';
const PASSWORD = 'hunter2';
const KEYSTORE_PASSWORD = 'changeit';

export interface Denied {
  readonly what: 'topic' | 'group' | 'transactionalId';
  readonly name: string;
  readonly operation: 'read' | 'write';
}

/** A broker of its own that takes TLS and a login only, from everybody but the test, and lets the user do what the access control lists say. */
export interface SecureBroker {
  /** Takes TLS and a login. */
  readonly bootstrap: string;
  /** The same, with a certificate that ended last week. */
  readonly expired: string;
  /** For the test: plain, and everything is allowed. */
  readonly direct: string;
  /** What a process needs to be let in. */
  readonly env: Readonly<Record<string, string>>;
  deny(denied: Denied): Promise<void>;
  /** Takes back what was denied. */
  allow(denied: Denied): Promise<void>;
  close(): Promise<void>;
}

export async function startSecureBroker(onProgress: (line: string) => void): Promise<SecureBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-secure-'));
  const good = certificate(folder, 'good', ['-validity', '2']);
  const old = certificate(folder, 'old', ['-startdate', '-14d', '-validity', '7']);
  const trusted = join(folder, 'trusted.pem');
  writeFileSync(trusted, `${good.pem}${old.pem}`);
  const { kept, ports } = await startKafka({
    java: await findJava(),
    code: await kafkaJars(onProgress),
    onProgress,
    more: { ports: 2, settings: (all) => settings(all, good.keystore, old.keystore) },
  });
  const [plain, , secure, expired] = ports as [number, number, number, number];
  const direct = `127.0.0.1:${plain}`;
  const admin = new Kafka({ brokers: [direct], clientId: 'lull-test', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  // Where there are lists, what none of them allows is denied.
  const resources = [AclResourceTypes.TOPIC, AclResourceTypes.GROUP, AclResourceTypes.TRANSACTIONAL_ID];
  await admin.createAcls({
    acl: [
      ...resources.map((resourceType) => entry(resourceType, '*', AclOperationTypes.ALL, AclPermissionTypes.ALLOW)),
      entry(AclResourceTypes.CLUSTER, 'kafka-cluster', AclOperationTypes.ALL, AclPermissionTypes.ALLOW),
    ],
  });
  return {
    ...{ bootstrap: `127.0.0.1:${secure}`, expired: `127.0.0.1:${expired}`, direct },
    env: {
      LULL_KAFKA_SSL: 'true',
      LULL_KAFKA_SSL_CA_FILE: trusted,
      LULL_KAFKA_SASL_MECHANISM: 'plain',
      LULL_KAFKA_SASL_USERNAME: USER,
      LULL_KAFKA_SASL_PASSWORD: PASSWORD,
    },
    deny: async (denied) => {
      await admin.createAcls({ acl: [denial(denied)] });
    },
    allow: async (denied) => {
      await admin.deleteAcls({ filters: [denial(denied)] });
    },
    close: async () => {
      await admin.disconnect();
      await kept.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function settings([plain, controller, secure, expired]: readonly number[], good: string, old: string): Record<string, string> {
  const login = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`;
  return {
    listeners: `PLAINTEXT://127.0.0.1:${plain},CONTROLLER://127.0.0.1:${controller},SECURE://127.0.0.1:${secure},EXPIRED://127.0.0.1:${expired}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${plain},SECURE://127.0.0.1:${secure},EXPIRED://127.0.0.1:${expired}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,EXPIRED:SASL_SSL',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.secure.plain.sasl.jaas.config': login,
    'listener.name.expired.plain.sasl.jaas.config': login,
    'listener.name.secure.ssl.keystore.location': good,
    'listener.name.secure.ssl.keystore.password': KEYSTORE_PASSWORD,
    'listener.name.expired.ssl.keystore.location': old,
    'listener.name.expired.ssl.keystore.password': KEYSTORE_PASSWORD,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  };
}

/** keytool comes with every Java. */
function certificate(folder: string, name: string, validity: readonly string[]): { readonly keystore: string; readonly pem: string } {
  const keystore = join(folder, `${name}.p12`);
  const store = ['-keystore', keystore, '-storetype', 'PKCS12', '-storepass', KEYSTORE_PASSWORD, '-alias', name];
  const subject = ['-dname', `CN=${name}`, '-ext', 'san=ip:127.0.0.1', '-keyalg', 'EC', ...validity];
  execFileSync('keytool', ['-genkeypair', ...store, ...subject], { stdio: 'ignore' });
  return { keystore, pem: execFileSync('keytool', ['-exportcert', '-rfc', ...store], { stdio: ['ignore', 'pipe', 'ignore'] }).toString() };
}

function entry(
  resourceType: AclEntry['resourceType'],
  name: string,
  operation: AclEntry['operation'],
  permission: AclEntry['permissionType'],
): AclEntry {
  return {
    ...{ resourceType, resourceName: name, resourcePatternType: ResourcePatternTypes.LITERAL },
    ...{ principal: `User:${USER}`, host: '*', operation, permissionType: permission },
  };
}

function denial({ what, name, operation }: Denied): AclEntry {
  const types = {
    topic: AclResourceTypes.TOPIC,
    group: AclResourceTypes.GROUP,
    transactionalId: AclResourceTypes.TRANSACTIONAL_ID,
  } as const;
  const operations = { read: AclOperationTypes.READ, write: AclOperationTypes.WRITE } as const;
  return entry(types[what], name, operations[operation], AclPermissionTypes.DENY);
}
