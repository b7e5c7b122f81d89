import { setTimeout as sleep } from 'node:timers/promises';
import type { SendCommand } from '../../../src/core/output.ts';
import { command, device } from '../../senders/commands.ts';
import { fcmAccepted, fcmError, startFakeFcm } from '../../setup/fakes/fake-fcm.ts';
import type { Behaviour } from '../../setup/fakes/fake-server.ts';
import { CallLedger, fcmMeaning } from '../call-ledger.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { judgeSenders } from '../sender-oracles.ts';
import { Senders } from '../senders.ts';

/** Between the provider's 200 and the commit of its outcome, and around it. */
const POINTS = ['after-call', 'before-commit', 'before-call', 'after-commit'] as const;
const CONCURRENCY = 8;
/** What the fake may hold up until somebody is killed. */
const HELD = 4;
const REACHED_WITHIN_MS = 40_000;

/**
 * A sender is killed again and again with calls in flight: at fail-points between answer and commit, and from outside while the provider, which has taken
 * the messages, has not answered yet. Commands of both promises lie in one topic. A part is refused at first, so that waits are there to be lost as well.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, full, note } = faults;
  const partitions = full ? 3 : 1;
  const senders = await Senders.open(faults, partitions);
  const { deployment } = senders;
  const ledger = new CallLedger(fcmMeaning);
  const held: ((behaviour: Behaviour) => void)[] = [];
  let isHolding = false;
  const busy = { ...fcmError(429, 'QUOTA_EXCEEDED'), headers: { 'retry-after': '1' } } as Behaviour;
  const fake = await startFakeFcm(
    ledger.keep((post, nth) => {
      if (nth === 1 && post.deviceId === 'refused-once') return busy;
      if (!isHolding) return fcmAccepted();
      return { kind: 'hold', until: new Promise((resolve) => held.push(resolve)) };
    }),
  );
  faults.cleanup(() => fake.stop());
  const { endpoint, ca, projectId } = fake;
  const stateFolder = await deployment.stateFolder();
  const start = (env = {}): ReturnType<Senders['start']> =>
    senders.start({ kind: 'fcm', endpoint, ca, projectId }, stateFolder, { LULL_SEND_CONCURRENCY: String(CONCURRENCY), ...env });

  const sent: SendCommand[] = [];
  const dispatch = async (count: number): Promise<void> => {
    const commands = Array.from({ length: count }, () =>
      command({
        promise: random.pick(['at_least_once', 'at_most_once'] as const),
        commandId: random.uuid(),
        userId: `user-${random.int(1, 9)}`,
        devices: [device({ deviceId: random.chance(0.25) ? 'refused-once' : 'device-1' })],
      }),
    );
    sent.push(...commands);
    await senders.dispatch(commands);
  };

  const kills = full ? 10 : 3;
  for (let kill = 0; kill < kills; kill++) {
    await dispatch(30);
    if (kill % 3 === 1) {
      isHolding = true;
      const sender = start();
      const deadline = performance.now() + REACHED_WITHIN_MS;
      while (held.length < HELD && performance.now() < deadline) await sleep(50);
      if (held.length < HELD) throw new Error(`only ${held.length} calls came: ${senders.lastLines()}`);
      await sender.kill();
      isHolding = false;
      note(`kill ${kill + 1} of ${kills}: with ${held.length} calls in flight`);
      for (const accept of held.splice(0)) accept(fcmAccepted());
    } else {
      // The first is the row's own: the answer is there, the commit is not.
      const point = kill === 0 ? 'after-call' : random.pick(POINTS);
      await start({ LULL_FAILPOINTS: `${point}@${random.int(2, 6)}=kill` }).killedWithin(REACHED_WITHIN_MS);
      note(`kill ${kill + 1} of ${kills}: ${point}`);
    }
  }
  const last = start();
  const recoveryMs = [await senders.untilFinal(sent.length)];
  const code = await last.stop();
  if (code !== 0) throw new Error(`a sender ended with ${code} instead of stopping:\n${senders.lastLines()}`);
  const judged = await judgeSenders(deployment, { channel: 'fcm', calls: ledger.calls, crashes: senders.crashes });
  const inFlight = senders.crashes * CONCURRENCY * partitions;
  if (judged.repeated > inFlight)
    throw new OracleError('O4', `${judged.repeated} duplicates, with at most ${inFlight} calls in flight at all kills`);
  if (judged.unknown > inFlight)
    throw new OracleError('O3', `${judged.unknown} are unknown, with at most ${inFlight} calls in flight at all kills`);
  if (judged.repeated + judged.unknown === 0) throw new Error('no kill hit a call in flight: there was nothing to get wrong');
  return { recoveryMs, counts: { kills, ...judged } };
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 18, name: 'sender-kill', quick: true, needs: { brokers: 1 }, run },
    fault: "a sender is killed between the provider's answer and its commit, and with calls in flight",
    promise: 'one final outcome each; no duplicate in at_most_once, at most one per call in flight and kill in at_least_once',
  },
];
