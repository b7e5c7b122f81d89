import { setTimeout as sleep } from 'node:timers/promises';
import webpush from 'web-push';
import type { Random } from '../../../src/dev/shop/random.ts';
import type { SendCommand } from '../../../src/core/output.ts';
import { command, device } from '../../senders/commands.ts';
import { fcmAccepted, startFakeFcm } from '../../setup/fakes/fake-fcm.ts';
import { reply, type Behaviour } from '../../setup/fakes/fake-server.ts';
import { startFakeWebPush } from '../../setup/fakes/fake-webpush.ts';
import { DEADLINE_MS, FCM, FCM_HALTS, ok200, ok201, WEB_PUSH, type Answers } from '../answers.ts';
import { CallLedger, fcmMeaning, webPushMeaning } from '../call-ledger.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { judgeSenders, type SendersJudged } from '../sender-oracles.ts';
import { Senders, type ProviderConfig } from '../senders.ts';

interface Channel {
  readonly name: 'fcm' | 'webpush';
  readonly table: Readonly<Record<string, Answers>>;
  readonly ledger: CallLedger;
  readonly provider: ProviderConfig;
  /** The device's address. */
  readonly value: (subscriber: string) => string;
}

/** Every row of the table at once, under both promises, among commands that are simply taken: nobody waits for anybody else. */
async function answers(faults: FaultRun): Promise<FaultResult> {
  const { random, full } = faults;
  const senders = await Senders.open(faults, 1);
  const channels = [await fcmChannel(faults), await webPushChannel(faults)];
  const expected = new Map<string, string>();
  const names = new Map<string, string>();
  const early: SendCommand[] = [];
  const all: SendCommand[] = [];
  for (const { name: channel, table, value } of channels) {
    const commands: SendCommand[] = [];
    for (const [name, { ends, lifeMs = 3_600_000 }] of Object.entries(table))
      for (const promise of ['at_most_once', 'at_least_once'] as const) {
        const commandId = random.uuid();
        expected.set(commandId, ends[promise]);
        names.set(commandId, `${channel}, ${name}, ${promise}`);
        const target = device({ deviceId: name, kind: channel, value: value(name) });
        commands.push(
          command({ commandId, promise, channel, userId: `user-${random.int(1, 9)}`, devices: [target], expiresAtMs: Date.now() + lifeMs }),
        );
      }
    const others = Array.from({ length: full ? 200 : 20 }, () => {
      const commandId = random.uuid();
      expected.set(commandId, channel === 'fcm' ? ok200 : ok201);
      names.set(commandId, `${channel}, one of many`);
      return command({
        commandId,
        channel,
        userId: `user-${random.int(1, 9)}`,
        devices: [device({ deviceId: 'many', kind: channel, value: value('many') })],
      });
    });
    const [first, ...rest] = others;
    early.push(first!);
    all.push(...commands, ...rest);
  }
  const state = await senders.deployment.stateFolder();
  const running = channels.map(({ provider }) => senders.start(provider, `${state}/${provider.kind}`, { LULL_SEND_CONCURRENCY: '4' }));
  // Something has to have worked before "this device's sender id" can be told from "our project".
  await senders.dispatch(early);
  await senders.untilFinal(early.length);
  await senders.dispatch(random.sample(all, all.length));
  const recoveryMs = [await senders.untilFinal(expected.size)];
  for (const sender of running) if ((await sender.stop()) !== 0) throw new Error(`a sender did not stop: ${sender.stderr().slice(-500)}`);

  const wrong = (await senders.outcomes())
    .filter(({ final }) => final)
    .map(({ commandId, class: ended, code }) => ({ commandId, got: `${ended} ${code ?? '-'}` }))
    .filter(({ commandId, got }) => expected.get(commandId) !== got)
    .map(({ commandId, got }) => `${names.get(commandId) ?? commandId}: ${got}, must be ${expected.get(commandId) ?? 'nothing'}`);
  if (wrong.length > 0) throw new OracleError('O3', wrong.join('\n'));
  const judged = await Promise.all(
    channels.map(({ name, ledger }) => judgeSenders(senders.deployment, { channel: name, calls: ledger.calls, crashes: 0 })),
  );
  const total = (of: keyof SendersJudged): number => judged.reduce((sum, each) => sum + each[of], 0);
  const rows = channels.reduce((sum, { table }) => sum + Object.keys(table).length, 0);
  return { recoveryMs, counts: { answers: rows, pairs: total('pairs'), posts: total('posts'), unknown: total('unknown') } };
}

async function fcmChannel({ cleanup }: FaultRun): Promise<Channel> {
  const ledger = new CallLedger(fcmMeaning);
  const fake = await startFakeFcm(ledger.keep(({ deviceId }, nth) => FCM[deviceId]?.first[nth - 1] ?? fcmAccepted()));
  cleanup(() => fake.stop());
  const { endpoint, ca, projectId } = fake;
  return {
    ...{ name: 'fcm', table: FCM, ledger, value: (subscriber) => `token-of-${subscriber}` },
    provider: { kind: 'fcm', endpoint, ca, projectId, deadlineMs: DEADLINE_MS },
  };
}

async function webPushChannel({ cleanup }: FaultRun): Promise<Channel> {
  const ledger = new CallLedger(webPushMeaning);
  const fake = await startFakeWebPush(ledger.keep(({ deviceId }, nth) => WEB_PUSH[deviceId]?.first[nth - 1] ?? reply(201)));
  cleanup(() => fake.stop());
  const { origin, ca } = fake;
  const vapid = { subject: 'mailto:push@shop.example', keys: [webpush.generateVAPIDKeys()] } as const;
  let subscribers = 0;
  return {
    // The path of an endpoint has no room for a sentence.
    ...{ name: 'webpush', table: WEB_PUSH, ledger, value: () => fake.subscribe(`subscriber-${++subscribers}`) },
    provider: { kind: 'webpush', vapid, devOrigin: { origin, ca }, deadlineMs: DEADLINE_MS },
  };
}

const HALTS_WITHIN_MS = 60_000;

/** One after the other: a sender that is refused ends with a line that says so; mended, it sends everything, and nothing twice. */
async function halts(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const senders = await Senders.open(faults, 1);
  const ledger = new CallLedger(fcmMeaning);
  let refusal: Behaviour | undefined;
  const fake = await startFakeFcm(ledger.keep(() => refusal ?? fcmAccepted()));
  faults.cleanup(() => fake.stop());
  const { endpoint, ca, projectId } = fake;
  const state = await senders.deployment.stateFolder();
  const start = (): ReturnType<Senders['start']> => senders.start({ kind: 'fcm', endpoint, ca, projectId }, state);
  const names = random.sample(Object.keys(FCM_HALTS), full ? 5 : 1);
  const recoveryMs: number[] = [];
  let sent = 0;
  for (const name of names) {
    const { answer, says } = FCM_HALTS[name]!;
    refusal = answer;
    const commands = commandsOf(random, 12);
    await senders.dispatch(commands);
    const sender = start();
    const code = await Promise.race([sender.exited, sleep(HALTS_WITHIN_MS)]);
    if (code === 0 || typeof code !== 'number')
      throw new OracleError('O3', `${name}: the sender ended with ${String(code)}: ${senders.lastLines()}`);
    if (!sender.stderr().includes(`the provider refuses us, not the message (${says})`))
      throw new OracleError('O3', `${name}: the sender does not say why it ended: ${senders.lastLines()}`);
    const finals = (await senders.outcomes()).filter(({ final }) => final).length;
    if (finals !== sent) throw new OracleError('O3', `${name}: ${finals - sent} outcomes are final though the provider refused everything`);
    refusal = undefined;
    sent += commands.length;
    const mended = start();
    recoveryMs.push(await senders.untilFinal(sent));
    note(`${name}: ended, and sent everything once it was mended`);
    await mended.stop();
  }
  const judged = await judgeSenders(senders.deployment, { channel: 'fcm', calls: ledger.calls, crashes: 0 });
  if (judged.unknown + judged.repeated > 0)
    throw new OracleError('O4', `${judged.unknown} unknown and ${judged.repeated} repeated, with nothing in doubt`);
  return { recoveryMs, counts: { halts: names.length, ...judged } };
}

function commandsOf(random: Random, count: number): readonly SendCommand[] {
  return Array.from({ length: count }, () =>
    command({
      commandId: random.uuid(),
      userId: `user-${random.int(1, 9)}`,
      promise: random.pick(['at_least_once', 'at_most_once'] as const),
    }),
  );
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 19, name: 'answers', quick: true, needs: { brokers: 1 }, run: answers },
    fault: 'a provider says everything that it can say: each answer of the table, none, half of one, one without end, come back in an hour',
    promise: 'each ends as the table says, under both promises, and holds up nobody else',
  },
  {
    ...{ id: 19, name: 'halts', quick: true, needs: { brokers: 1 }, run: halts },
    fault: 'a provider refuses us: project, credentials, key',
    promise: 'the sender ends and says why; nothing is skipped, pruned or sent twice',
  },
];
