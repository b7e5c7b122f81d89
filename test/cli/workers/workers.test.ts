import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, test, type TestContext } from 'vitest';
import webpush from 'web-push';
import { createRandom } from '../../../src/dev/shop/random.ts';
import { runs, until } from '../../dev/stack/processes.ts';
import { Deployment, PARTITIONS, type DeploymentOptions, type Processor } from '../../faults/deployment.ts';
import { Load, SHOP_PARAMS, SHOP_SETTLES_MS } from '../../faults/load.ts';
import { judge } from '../../faults/oracles.ts';
import { untilRecovered } from '../../faults/recovery.ts';
import { bootstrap } from '../../setup/env.ts';

// Each test has a prefix, processes and folders of its own, and mostly waits: they run side by side.

interface Line {
  readonly level: string;
  readonly pid: number;
  readonly msg: string;
  readonly worker?: number;
  readonly url?: string;
  readonly ms?: number;
}

async function deployment({ onTestFinished }: TestContext, options: DeploymentOptions = {}): Promise<Deployment> {
  const created = new Deployment({ params: SHOP_PARAMS, ...options });
  onTestFinished(() => created.close());
  return created.create();
}

/** With time for a machine that is busy with other tests: what takes longer is killed, or loses its partitions, and then that would be what is tested. */
const WORKERS = { LULL_WORKERS: '2', LULL_DRAIN_MS: '30s' };

/** A parent as its log shows it. Every line of it has to be one JSON object. */
function watch(parent: Processor, { onTestFailed, onTestFinished }: TestContext) {
  const lines = (): Line[] =>
    parent
      .stderr()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  const pids = (worker: number): number[] => [
    ...new Set(lines().flatMap((line) => (line.worker === worker && line.pid !== parent.pid ? [line.pid] : []))),
  ];
  const url = (): string => lines().find(({ url }) => url !== undefined)?.url ?? '';
  // What it said is what explains a failure, also one of waiting too long.
  onTestFailed(() => void process.stderr.write(parent.stderr()));
  onTestFinished(() => {
    for (const pid of [0, 1, 2].flatMap(pids)) if (runs(pid)) process.kill(pid, 'SIGKILL');
  });
  return {
    lines,
    /** Of every process that was this worker, in order. */
    pids,
    get: (page: string): Promise<Response> => fetch(`${url()}${page}`),
    page: async (): Promise<string> => (await fetch(`${url()}/metrics`)).text(),
    /** Waits for a line; fails with the whole log when the process ends without it. */
    async said(what: (line: Line) => boolean): Promise<void> {
      await until(() => {
        if (parent.ended() !== undefined) throw new Error(`it ended with ${parent.ended()}:\n${parent.stderr()}`);
        return lines().some(what);
      });
    },
    async ready(): Promise<void> {
      await this.said((line) => line.url !== undefined);
      await until(async () => (await this.get('/readyz')).status === 200);
    },
  };
}

describe.concurrent('workers, on the real broker', () => {
  test('share the partitions; one that is killed comes back, and every command is made once', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const state = await lull.stateFolder();
    const parent = lull.start(state, WORKERS);
    const log = watch(parent, context);
    const load = new Load(lull, { random: createRandom('workers') });
    context.onTestFinished(() => load.stop());
    await load.burst(200);
    load.start(80);
    for (const worker of [0, 1])
      await log.said((line) => line.worker === worker && /generation \d+, partitions \d/.test(line.msg) && !line.msg.includes('0, 1, 2'));
    await log.ready();
    expect(existsSync(join(state, `${lull.prefix}-processor/worker-1`))).toBe(true);

    const [pid] = log.pids(1) as [number];
    process.kill(pid, 'SIGKILL');
    await until(() => log.pids(1).length === 2);
    await log.said(({ worker, msg, ms }) => worker === 1 && ms === 500 && msg === 'the worker ended by SIGKILL and is started again');
    await until(async () => (await log.get('/readyz')).status === 200);
    await load.stop();
    await untilRecovered(lull);
    await sleep(SHOP_SETTLES_MS);
    await untilRecovered(lull);

    const running = `lull_tasks{stage="processor",state="running",app="${lull.prefix}"} ${PARTITIONS}`;
    await until(async () => (await log.page()).includes(running));
    const page = await log.page();
    const samples = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(samples).toContain(`lull_worker_restarts_total{worker="1",app="${lull.prefix}"} 1`);
    expect(samples.filter((line) => line.startsWith('lull_lag_records{'))).toHaveLength(PARTITIONS);
    for (const worker of ['0', '1', 'supervisor'])
      expect(
        samples.filter((line) => line.startsWith('process_resident_memory_bytes{') && line.includes(`worker="${worker}"`)),
      ).toHaveLength(1);
    expect(new Set(samples.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(samples.length);

    expect(await parent.stop()).toBe(0);
    expect([...log.pids(0), ...log.pids(1)].filter(runs)).toEqual([]);
    expect((await judge(lull)).commands).toBeGreaterThan(0);
  });

  test('that die at once are started again later each time, and are not ready', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const parent = lull.start(await lull.stateFolder(), { ...WORKERS, LULL_FAILPOINTS: 'before-commit@1=kill' });
    const log = watch(parent, context);
    await new Load(lull, { random: createRandom('crash loop') }).burst(100);
    const restarts = (worker: number): number[] =>
      log.lines().flatMap((line) => (line.worker === worker && line.ms !== undefined ? [line.ms] : []));
    await until(() => restarts(0).length >= 3);
    expect(restarts(0).slice(0, 3)).toEqual([500, 1000, 2000]);
    expect((await log.get('/readyz')).status).toBe(503);
    expect((await log.get('/healthz')).status).toBe(200);
    expect(await parent.stop()).toBe(0);
  });

  test(
    'of which one finds what cannot be mended by trying again end together, and it is said once',
    { timeout: 180_000 },
    async (context) => {
      const lull = await deployment(context);
      // Offsets of the group without a position in the changelog.
      const admin = new Kafka({ brokers: [bootstrap()], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, offset: '0' }));
      await admin.setOffsets({ groupId: lull.group, topic: lull.topics.timeline, partitions });
      await admin.disconnect();
      const parent = lull.start(await lull.stateFolder(), WORKERS);
      const log = watch(parent, context);
      expect(await parent.exited).toBe(1);
      const fatal = log.lines().filter(({ level }) => level === 'fatal');
      expect(fatal).toHaveLength(1);
      expect(fatal[0]).toMatchObject({ pid: parent.pid, worker: expect.any(Number) as number });
      expect(fatal[0]!.msg).toContain(lull.topics.timeline);
      expect(log.lines().at(-1)).toEqual(fatal[0]);
      expect([...log.pids(0), ...log.pids(1)].filter(runs)).toEqual([]);
    },
  );

  test('that come back to another topology than the others run end together, and it is said why', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const topology = join(await lull.stateFolder(), 'shop');
    cpSync(join(import.meta.dirname, '../../../topologies/shop'), topology, { recursive: true });
    const parent = lull.run(['process', '--topology', topology, '--state-folder', await lull.stateFolder()], WORKERS);
    const log = watch(parent, context);
    await log.ready();
    const file = join(topology, 'topology.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^( +cartWait:).*$/m, '$1 59m'));
    process.kill(log.pids(0)[0]!, 'SIGKILL');
    expect(await parent.exited).toBe(1);
    expect(log.lines().at(-1)).toMatchObject({ level: 'fatal', worker: 0 });
    expect(log.lines().at(-1)!.msg).toMatch(
      /^worker 0 found another topology than the others run .* start again, so that all run the new one$/,
    );
  });

  test('stop by themselves when their parent is killed, and leave their stores to the next', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const state = await lull.stateFolder();
    const parent = lull.start(state, WORKERS);
    const log = watch(parent, context);
    await new Load(lull, { random: createRandom('orphans') }).burst(100);
    await log.ready();
    parent.signal('SIGKILL');
    await parent.exited;
    const next = lull.start(state, WORKERS);
    await watch(next, context).ready();
    await until(() => [...log.pids(0), ...log.pids(1)].every((pid) => !runs(pid)));
    expect(await next.stop()).toBe(0);
  });

  test('stop gracefully when Ctrl-C reaches all of them, and end at once at the second', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const state = await lull.stateFolder();
    const start = async () => {
      const parent = lull.start(state, WORKERS);
      const log = watch(parent, context);
      await log.ready();
      const workers = [...log.pids(0), ...log.pids(1)];
      return { parent, workers, all: (signal: NodeJS.Signals) => [parent.pid, ...workers].forEach((pid) => process.kill(pid, signal)) };
    };
    const patient = await start();
    patient.all('SIGINT');
    // As npm and timeout do, which pass on what the terminal gave to all.
    patient.parent.signal('SIGINT');
    expect(await patient.parent.exited).toBe(0);
    expect(patient.workers.filter(runs)).toEqual([]);

    const impatient = await start();
    process.kill(impatient.workers[0]!, 'SIGSTOP');
    impatient.all('SIGINT');
    await until(() => !runs(impatient.workers[1]!));
    await sleep(500);
    impatient.parent.signal('SIGINT');
    expect(await impatient.parent.exited).toBe(130);
    await until(() => !impatient.workers.some(runs));
  });

  test('that hang cost a scrape their gauges only, and are said not to answer', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const parent = lull.start(await lull.stateFolder(), { ...WORKERS, LULL_SESSION_TIMEOUT_MS: '30s' });
    const log = watch(parent, context);
    const load = new Load(lull, { random: createRandom('hang') });
    await load.burst(300);
    await log.ready();
    await lull.waitUntilRead();
    const events = async (): Promise<number> => {
      const page = await log.page();
      return [...page.matchAll(/^lull_events_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await events();
    expect(before).toBeGreaterThan(0);
    process.kill(log.pids(0)[0]!, 'SIGSTOP');
    // A total that went down would be taken for a restart.
    expect(await events()).toBe(before);
    const page = await log.page();
    expect(page).toContain(`lull_worker_scrapes_unanswered_total{worker="0",app="${lull.prefix}"} 2`);
    expect(page).not.toMatch(/process_resident_memory_bytes\{.*worker="0"/);
    expect(page).toMatch(/process_resident_memory_bytes\{.*worker="1"/);
    const ready = await log.get('/readyz');
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ok', problems: { 'worker 0: process': 'does not answer' } }]);
    expect((await log.get('/healthz')).status).toBe(200);
    process.kill(log.pids(0)[0]!, 'SIGCONT');
    await until(async () => (await log.get('/readyz')).status === 200);
    expect(await parent.stop()).toBe(0);
  });

  test('of a sender share its partitions, and there are no more of them than partitions', { timeout: 180_000 }, async (context) => {
    const lull = await deployment(context);
    const folder = await lull.stateFolder();
    const keys = join(folder, 'vapid.json');
    writeFileSync(keys, JSON.stringify(webpush.generateVAPIDKeys()));
    const args = ['--vapid-keys-file', keys, '--vapid-subject', 'mailto:push@example.com', '--state-folder', join(folder, 'state')];
    const parent = lull.run(['send', 'webpush', '--workers', '5', ...args], WORKERS);
    const log = watch(parent, context);
    await log.ready();
    // Ready is each worker with what it has; who came last may be given its part a generation later.
    const running = `lull_tasks{stage="sender-webpush",state="running",app="${lull.prefix}"} ${PARTITIONS}`;
    await until(async () => (await log.page()).includes(running));
    expect(await log.page()).toContain(`lull_workers{state="running",app="${lull.prefix}"} ${PARTITIONS}`);
    expect(await parent.stop()).toBe(0);
  });
});
