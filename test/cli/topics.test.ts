import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans } from '../../src/log/topics.ts';
import { bootstrap, registryUrl } from '../setup/env.ts';
import { lull } from './run.ts';

let log: Log;
const prefixes: string[] = [];
beforeAll(() => {
  log = createKafkaLog({ brokers: bootstrap().split(',') });
});
afterAll(async () => {
  await log.admin.deleteTopics(prefixes.flatMap((prefix) => topicPlans(prefix).map(({ topic }) => topic)));
  await log.close();
});

function newPrefix(): string {
  const prefix = `test-${randomUUID().slice(0, 13)}`;
  prefixes.push(prefix);
  return prefix;
}

function topics(prefix: string, ...args: string[]) {
  return lull(['topics', ...args, '--prefix', prefix], { LULL_BOOTSTRAP: bootstrap() });
}

describe('lull topics', () => {
  it('creates every topic as it has to be, and finds nothing to do or to mend after that', async () => {
    const prefix = newPrefix();
    const created = await topics(prefix, 'create', '--partitions', '2', '--replication-factor', '1', '--json');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const names = topicPlans(prefix).map(({ topic }) => topic);
    expect(JSON.parse(created.stdout)).toMatchObject({ partitions: 2, created: names, existing: [] });

    const found = await log.admin.describeTopics(names);
    const { timeline, state, deadLetters, topologies, senderState } = topicNames(prefix);
    expect([...found.keys()]).toEqual(names);
    for (const spec of found.values()) expect(spec).toMatchObject({ partitions: spec.topic === topologies ? 1 : 2, replicationFactor: 1 });
    const day = 86_400_000;
    expect(found.get(timeline)!.config).toMatchObject({ 'retention.ms': String(30 * day) });
    // How old a record is must not hang on the clock of who wrote it.
    for (const { config } of found.values()) expect(config['message.timestamp.type']).toBe('LogAppendTime');
    for (const changelog of [state, senderState('fcm'), senderState('webpush')])
      expect(found.get(changelog)!.config).toMatchObject({ 'cleanup.policy': 'compact', 'delete.retention.ms': String(7 * day) });
    expect(found.get(deadLetters)!.config).toMatchObject({ 'max.message.bytes': '4194304', 'retention.ms': String(14 * day) });

    // The count of partitions is the existing timeline's, not the default of 24.
    const again = await topics(prefix, 'create', '--json');
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(again.stdout)).toMatchObject({ partitions: 2, created: [], existing: names });
    const check = await topics(prefix, 'check');
    expect(check).toEqual({
      code: 0,
      stderr: '',
      stdout: `${names.length} topics of ${prefix} are as they have to be (2 partitions)\nno registry was given: schemas were not checked\n`,
    });
  });

  it('registers the schemas where there is a registry, and checks them', async () => {
    const prefix = newPrefix();
    const env = { LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl() };
    const args = ['--prefix', prefix, '--json'];
    const created = await lull(['topics', 'create', ...args, '--partitions', '1', '--replication-factor', '1'], env);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const { schemas } = JSON.parse(created.stdout) as { schemas: Record<string, number> };
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['lull.v1.ProductEvent', 'lull.v1.Control', 'lull.v1.SendCommand']));
    for (const [subject, id] of Object.entries(schemas)) {
      const response = await fetch(`${registryUrl()}/schemas/ids/${id}`);
      expect(((await response.json()) as { schema: string }).schema).toContain(subject.split('.').at(-1));
    }
    const check = await lull(['topics', 'check', ...args], env);
    expect(check.code).toBe(0);
    expect(JSON.parse(check.stdout)).toMatchObject({ missing: [], differences: [], schemas });
  });

  it('creates no topic where the registry cannot be reached', async () => {
    const prefix = newPrefix();
    const { code, stdout, stderr } = await topics(prefix, 'create', '--replication-factor', '1', '--registry', 'http://127.0.0.1:1');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^lull: schema registry http:\/\/127\.0\.0\.1:1 cannot be reached[^\n]*\n$/);
    expect(await log.admin.partitions(topicNames(prefix).timeline)).toBeUndefined();
  });

  it('names every difference and how to mend it, and then creates nothing', async () => {
    const prefix = newPrefix();
    const { timeline, state, dispatch, deadLetters, topologies } = topicNames(prefix);
    const plan = (topic: string) =>
      specOf(
        topicPlans(prefix).find((p) => p.topic === topic)!,
        2,
        1,
      );
    await log.admin.createTopics([
      { ...plan(timeline), config: { 'retention.ms': '3600000' } },
      { ...plan(state), partitions: 3, config: { 'cleanup.policy': 'delete', 'delete.retention.ms': '1000' } },
      { ...plan(dispatch), config: { ...plan(dispatch).config, 'max.message.bytes': '2000000' } },
      { ...plan(deadLetters), config: { ...plan(deadLetters).config, 'max.message.bytes': '8388608' } },
      { ...plan(topologies), partitions: 2 },
    ]);

    const check = await topics(prefix, 'check', '--json');
    expect(check).toMatchObject({ code: 1, stderr: '' });
    const report = JSON.parse(check.stdout) as {
      missing: string[];
      differences: { topic: string; setting: string; got: string; expected: string }[];
    };
    expect(report.missing).toEqual(
      ['outcomes', 'decisions', 'items', 'items-state', 'sender-fcm-state', 'sender-webpush-state'].map((name) => `${prefix}.${name}`),
    );
    expect(report.differences.map(({ topic, setting, got, expected }) => [topic, setting, got, expected])).toEqual([
      [timeline, 'message.timestamp.type', 'CreateTime', 'LogAppendTime'],
      [state, 'partitions', '3', '2'],
      [state, 'cleanup.policy', 'delete', 'compact'],
      [state, 'delete.retention.ms', '1000', 'at least 604800000'],
      [topologies, 'partitions', '2', '1'],
    ]);

    const text = await topics(prefix, 'check');
    expect(text).toMatchObject({ code: 1, stdout: '' });
    expect(text.stderr.trimEnd().split('\n')).toHaveLength(6);
    expect(text.stderr).toContain(
      `lull: ${timeline}: message.timestamp.type is CreateTime, expected LogAppendTime. To mend: kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name ${timeline} --add-config message.timestamp.type=LogAppendTime`,
    );
    expect(text.stderr).toContain(`create with \`lull topics create --prefix ${prefix}\``);

    const create = await topics(prefix, 'create', '--replication-factor', '1');
    expect(create).toMatchObject({ code: 1, stdout: '' });
    expect(create.stderr.trimEnd().split('\n')).toHaveLength(5);
    expect(await log.admin.partitions(topicNames(prefix).outcomes)).toBeUndefined();
  });

  it('refuses to give an existing timeline another count of partitions', async () => {
    const prefix = newPrefix();
    await topics(prefix, 'create', '--partitions', '2', '--replication-factor', '1');
    const { code, stderr } = await topics(prefix, 'create', '--partitions', '3');
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^lull: ${prefix}\\.timeline: partitions is 2, expected 3\\. To mend: .*\n$`));
  });

  it('says in one line what is wrong where more replicas are asked for than there are brokers', async () => {
    const prefix = newPrefix();
    const { code, stdout, stderr } = await topics(prefix, 'create', '--replication-factor', '30');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^lull: [^\n]*replication factor[^\n]*\n$/);
    expect((await log.admin.describeTopics(topicPlans(prefix).map(({ topic }) => topic))).size).toBe(0);
  });

  it('says in one line that no broker answers', async () => {
    const { code, stdout, stderr } = await lull(['topics', 'check', '--bootstrap', '127.0.0.1:1']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^lull: [^\n]*127\.0\.0\.1:1[^\n]*\n$/);
  });
});
