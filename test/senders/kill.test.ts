import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';
import { createCodec, type Codec } from '../../src/avro/codec.ts';
import { commandHeaders } from '../../src/avro/dispatch-headers.ts';
import type { Outcome } from '../../src/avro/records.ts';
import { registerSchemas } from '../../src/avro/register.ts';
import { createRegistry } from '../../src/avro/registry.ts';
import type { SendCommand } from '../../src/core/output.ts';
import { createKafkaLog } from '../../src/log/kafka/log.ts';
import type { Log } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans, type TopicNames } from '../../src/log/topics.ts';
import { bootstrap, registryUrl } from '../setup/env.ts';
import { fcmAccepted, fcmError, startFakeFcm, type FakeFcm, type FcmPost } from '../setup/fakes/fake-fcm.ts';
import type { Behaviour } from '../setup/fakes/fake-server.ts';
import { readCommitted } from '../setup/read-committed.ts';
import { startSender, type SenderProcess } from '../setup/sender-process.ts';
import { command, device } from './commands.ts';

/** A sender in a process of its own, on the real broker, which calls a fake FCM that counts. */
class Rig {
  readonly prefix = `snd-${randomUUID().slice(0, 8)}`;
  readonly topics: TopicNames = topicNames(this.prefix);
  readonly log: Log = createKafkaLog({ brokers: [bootstrap()], clientId: this.prefix });
  readonly fake: FakeFcm;
  readonly codec: Codec;
  readonly #stateFolder: string;
  readonly #senders: SenderProcess[] = [];

  private constructor(fake: FakeFcm, codec: Codec, stateFolder: string) {
    this.fake = fake;
    this.codec = codec;
    this.#stateFolder = stateFolder;
  }

  static async create(answer?: (post: FcmPost, nth: number) => Behaviour): Promise<Rig> {
    const registry = createRegistry({ url: registryUrl() });
    const codec = createCodec({ registry, ids: await registerSchemas(registry) });
    const rig = new Rig(await startFakeFcm(answer), codec, await mkdtemp(join(tmpdir(), 'lull-sender-')));
    await rig.log.admin.createTopics(topicPlans(rig.prefix).map((plan) => specOf(plan, 1, 1)));
    return rig;
  }

  async close(): Promise<void> {
    for (const sender of this.#senders) await sender.kill();
    await this.log.admin.deleteTopics(topicPlans(this.prefix).map(({ topic }) => topic));
    await this.log.close();
    await this.fake.stop();
    await rm(this.#stateFolder, { recursive: true, force: true });
  }

  start(env: Readonly<Record<string, string>> = {}): SenderProcess {
    const { endpoint, ca, projectId } = this.fake;
    const { prefix } = this;
    const sender = startSender({ prefix, stateFolder: this.#stateFolder, provider: { kind: 'fcm', endpoint, ca, projectId } }, env);
    this.#senders.push(sender);
    return sender;
  }

  async dispatch(commands: readonly SendCommand[]): Promise<void> {
    await this.log.append(
      commands.map((sent) => ({
        topic: this.topics.dispatch,
        partition: 0,
        key: Buffer.from(sent.userId),
        value: this.codec.encode('lull.v1.SendCommand', sent),
        headers: commandHeaders(sent),
      })),
    );
  }

  /** Waits until this many outcomes are final, then a while for what should not come. `judged`: as Kafka's own consumer sees them. */
  async outcomes(finals: number, judged: boolean): Promise<readonly Outcome[]> {
    const deadline = Date.now() + 90_000;
    for (let got = 0; got < finals; got = (await this.#read()).filter((outcome) => outcome.final).length) {
      if (Date.now() > deadline) throw new Error(`only ${got} of ${finals} outcomes are final`);
      await sleep(200);
    }
    await sleep(1_000);
    if (!judged) return this.#read();
    const { records, isStable } = await readCommitted(this.topics.outcomes);
    if (!isStable) throw new Error('a transaction dangles');
    return this.#decode(records.flatMap(({ value }) => value ?? []));
  }

  async #read(): Promise<Outcome[]> {
    const reader = this.log.reader({ topic: this.topics.outcomes, partition: 0, offset: 0 });
    try {
      const all: Buffer[] = [];
      for (;;) {
        const { records, nextOffset, lastStableOffset } = await reader.fetch({ maxWaitMs: 50 });
        for (const { value } of records) if (value !== null) all.push(value);
        if (nextOffset >= lastStableOffset) return this.#decode(all);
      }
    } finally {
      await reader.close();
    }
  }

  #decode(values: readonly Buffer[]): Outcome[] {
    return values.flatMap((value) => {
      const decoded = this.codec.decode(value);
      return decoded.record === 'lull.v1.Outcome' ? [decoded.value] : [];
    });
  }
}

/** Where a sender can die: before a call, between answer and commit, in the commit, with the store behind the changelog. */
const CASES = [
  ['at_most_once', 'before-call@5'],
  ['at_most_once', 'after-call@5'],
  ['at_most_once', 'before-commit@3'],
  ['at_most_once', 'after-commit@3'],
  ['at_least_once', 'after-call@5'],
  ['at_least_once', 'before-commit@2'],
  ['at_least_once', 'after-commit@2'],
] as const;

// Each has a prefix and processes of its own, and mostly waits until the group notices the death.
describe.concurrent('a sender that is killed', () => {
  test.for(CASES)(
    '%s, %s: one final outcome per pair, and no POST that the promise does not allow',
    { timeout: 120_000 },
    async ([promise, moment], { expect, onTestFinished }) => {
      const busy = { ...fcmError(429, 'QUOTA_EXCEEDED'), headers: { 'retry-after': '1' } } as Behaviour;
      const rig = await Rig.create((post, nth) => (nth === 1 && post.deviceId === 'refused-once' ? busy : fcmAccepted()));
      onTestFinished(() => rig.close());
      const sent = Array.from({ length: 24 }, (_, i) =>
        command({ promise, userId: `user-${i % 5}`, devices: [device({ deviceId: i % 4 === 0 ? 'refused-once' : 'device-1' })] }),
      );
      await rig.dispatch(sent.slice(0, 12));
      const doomed = rig.start({ LULL_FAILPOINTS: `${moment}=kill` });
      for (const one of sent.slice(12)) await rig.dispatch([one]);
      expect(await doomed.exited).toBe('SIGKILL');
      rig.start();
      const outcomes = await rig.outcomes(sent.length, moment.startsWith('after-commit'));
      const finals = outcomes.filter((outcome) => outcome.final);
      expect(finals.map(({ commandId }) => commandId).sort()).toEqual(sent.map(({ commandId }) => commandId).sort());
      for (const { commandId, devices } of sent) {
        const posts = rig.fake.counts().get(`${commandId}/${devices[0]?.deviceId ?? ''}`) ?? 0;
        const refused = outcomes.filter((outcome) => outcome.commandId === commandId && outcome.class === 'retry').length;
        // One, one more for each refusal, and one more for the crash where the promise allows it.
        expect(posts).toBeLessThanOrEqual(1 + refused + (promise === 'at_least_once' ? 1 : 0));
      }
      const ended = Map.groupBy(finals, (outcome) => outcome.class);
      const unknown = ended.get('unknown')?.length ?? 0;
      expect((ended.get('ok')?.length ?? 0) + unknown).toBe(sent.length);
      // At most one wave of calls was in flight, and only under the promise that does not repeat.
      expect(unknown).toBeLessThanOrEqual(promise === 'at_most_once' ? 16 : 0);
      if (moment.startsWith('after-call') && promise === 'at_most_once') expect(unknown).toBeGreaterThan(0);
    },
  );
});
