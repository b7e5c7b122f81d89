import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import { specOf, topicNames, topicPlans } from '../../src/log/topics.ts';
import { bootstrap, registryUrl } from '../setup/env.ts';
import { lull } from './run.ts';

const SHOP = join(import.meta.dirname, '../../topologies/shop');
const folder = mkdtempSync(join(tmpdir(), 'lull-bad-input-'));
const log = createKafkaLog({ brokers: bootstrap().split(',') });
const prefixes: string[] = [];
afterAll(async () => {
  await log.admin.deleteTopics(prefixes.flatMap((prefix) => topicPlans(prefix).map(({ topic }) => topic)));
  await log.close();
  rmSync(folder, { recursive: true });
});

/** A port that nobody listens on: it was just given back. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `lull process` with a state folder that must not appear: nothing may have begun. */
async function process(workers: number, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const state = join(folder, randomUUID());
  const ran = await lull(['process', ...args, '--workers', String(workers), '--state-folder', state], {
    LULL_BOOTSTRAP: bootstrap(),
    LULL_REGISTRY: registryUrl(),
    ...env,
  });
  expect(existsSync(state)).toBe(false);
  expect(ran.stdout).toBe('');
  expect(ran.stderr).not.toMatch(/^\s+at /m);
  return ran;
}

/** The last line of a log, which is all that there is of one that is about to end, but for warnings of what was tried. */
function fatal({ stderr }: { readonly stderr: string }): string {
  const lines = stderr.trimEnd().split('\n');
  const [last, ...others] = lines.map((line) => JSON.parse(line) as { level: string; msg: string }).reverse();
  expect(last?.level).toBe('fatal');
  expect(others.filter(({ level }) => level !== 'warn')).toEqual([]);
  return last?.msg ?? '';
}

describe.each([1, 2])('bad input to a long-running command of %d workers is said once:', (workers) => {
  it('an unknown option is named, with exit code 2', async () => {
    const ran = await process(workers, ['--topolgy', SHOP]);
    expect(ran).toMatchObject({ code: 2, stderr: "lull: unknown option '--topolgy' (Did you mean --topology?)\n" });
  });

  it('a missing topology is named, with what one is made of', async () => {
    const ran = await process(workers, ['--topology', join(folder, 'nosuch')]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^lull: .*nosuch: error: there is no such folder\nlull: .*topology\.yaml/);
  });

  it('every mistake of a broken topology is said at once, with file, line and column', async () => {
    const broken = join(folder, 'broken');
    cpSync(SHOP, broken, { recursive: true });
    writeFileSync(
      join(broken, 'journeys/wrong.yaml'),
      'name: wrong\non:\n  event: cart_item_aded\nsteps:\n  - send: hello\n    channels: [pigeon]\n    class: marketing\n    category: reminders\n    template: cart_reminder\n    ttl: 4h\n',
    );
    writeFileSync(join(broken, 'journeys/worse.yaml'), 'name: worse\non:\n  event: app_opened\nsteps:\n  - send: hello\n    ttl: 4\n');
    const ran = await process(workers, ['--topology', broken]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/journeys\/wrong\.yaml:3:\d+: error: .*cart_item_aded/);
    expect(ran.stderr).toMatch(/cart_item_added/);
    expect(ran.stderr).toMatch(/journeys\/wrong\.yaml:6:\d+: error: .*pigeon/);
    expect(ran.stderr).toMatch(/journeys\/worse\.yaml:6:10: error: `ttl` must be a duration/);
  });

  it('a param that the topology does not have is named', async () => {
    const ran = await process(workers, ['--topology', SHOP, '--set', 'cartWaits=3s']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/cartWaits/);
    expect(ran.stderr).toMatch(/cartWait\b/);
  });

  it('a broker that does not answer is named', async () => {
    const port = await closedPort();
    const ran = await process(workers, ['--topology', SHOP], { LULL_BOOTSTRAP: `127.0.0.1:${port}` });
    expect(ran.code).toBe(1);
    expect(fatal(ran)).toContain(`127.0.0.1:${port}`);
  });

  it('topics that are missing are named, with the command that creates them', async () => {
    const ran = await process(workers, ['--topology', SHOP, '--prefix', `none-${randomUUID().slice(0, 8)}`]);
    expect(ran.code).toBe(1);
    expect(fatal(ran)).toMatch(/^\d+ topics are missing \(.*\): create with `lull topics create --prefix none-/);
  });

  it('a registry that does not answer is named', async () => {
    const prefix = `bad-${randomUUID().slice(0, 8)}`;
    prefixes.push(prefix);
    await log.admin.createTopics(topicPlans(prefix).map((plan) => specOf(plan, 1, 1)));
    const port = await closedPort();
    const ran = await process(workers, ['--topology', SHOP, '--prefix', prefix], { LULL_REGISTRY: `http://127.0.0.1:${port}` });
    expect(ran.code).toBe(1);
    expect(fatal(ran)).toContain(`127.0.0.1:${port}`);
  });

  it('a topic of the wrong configuration is named, with what it should be and how to mend it', async () => {
    const prefix = `bad-${randomUUID().slice(0, 8)}`;
    prefixes.push(prefix);
    const { timeline } = topicNames(prefix);
    await log.admin.createTopics(
      topicPlans(prefix).map((plan) => {
        const spec = specOf(plan, 1, 1);
        return plan.topic === timeline ? { ...spec, config: { ...spec.config, 'message.timestamp.type': 'CreateTime' } } : spec;
      }),
    );
    const ran = await process(workers, ['--topology', SHOP, '--prefix', prefix]);
    expect(ran.code).toBe(1);
    expect(fatal(ran)).toMatch(/\.timeline: message\.timestamp\.type is CreateTime, expected LogAppendTime\. To mend: /);
  });

  it('a sender without its credentials says which it needs', async () => {
    const ran = await lull(['send', 'fcm', '--workers', String(workers)], { LULL_BOOTSTRAP: bootstrap(), LULL_REGISTRY: registryUrl() });
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(/^lull: fcm needs the key file of a Google service account: --fcm-credentials-file FILE/);
  });
});
