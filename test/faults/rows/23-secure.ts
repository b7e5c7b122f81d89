import { judge } from '../oracles.ts';
import { untilRecovered } from '../recovery.ts';
import { expectSaid, refusal } from '../refusal.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { startSecureBroker, type Denied } from '../../setup/secure-broker.ts';
import { openShop, QUICK_GROUP } from '../shop.ts';

/**
 * A processor that is not let in, or may not do one of the things that it has to. It ends, with one line that says what is not allowed and on what,
 * and of what it had begun nothing is there: neither a part of a transaction, nor a position. With the right granted it goes on as if nothing
 * had been; a right that is taken away while it runs ends it just so.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { note } = faults;
  const broker = await startSecureBroker(note);
  faults.cleanup(() => broker.close());
  const { bootstrap, direct, expired, env } = broker;
  const { deployment, load, verdict } = await openShop(
    { ...faults, cluster: { bootstrap, direct, replicationFactor: 1, brokers: [] } },
    { load: { poison: 0.1, wrongPartition: 0.1 } },
  );
  const folder = await deployment.stateFolder();
  const start = (more: Readonly<Record<string, string>> = {}): ReturnType<typeof deployment.start> =>
    deployment.start(folder, { ...QUICK_GROUP, ...env, ...more });
  await load.burst(300);

  const entries: readonly (readonly [string, Record<string, string>, readonly string[]])[] = [
    ['with a wrong password', { LULL_KAFKA_SASL_PASSWORD: 'hunter3' }, [bootstrap, 'refused the login']],
    ["to a broker with last week's certificate", { LULL_BOOTSTRAP: expired }, ['certificate', expired, 'CERT_HAS_EXPIRED', 'renew it']],
    ['without the certificate authority', { LULL_KAFKA_SSL_CA_FILE: '' }, ['certificate', bootstrap, 'not trusted']],
  ];
  for (const [what, change, parts] of entries) {
    const processor = start(change);
    const said = await refusal(processor, `a processor came ${what}`);
    expectSaid(said, ...parts);
    if (/hunter/.test(processor.stderr())) throw new OracleError('O1', `a processor came ${what}, and its log has the password`);
    note(`${what}: ${said}`);
  }

  const { timeline, state, dispatch, decisions, deadLetters } = deployment.topics;
  const topic = (name: string, operation: Denied['operation']): Denied => ({ what: 'topic', name, operation });
  const rights: readonly Denied[] = [
    topic(timeline, 'read'),
    topic(timeline, 'write'),
    topic(state, 'write'),
    topic(dispatch, 'write'),
    topic(decisions, 'write'),
    topic(deadLetters, 'write'),
    { what: 'group', name: deployment.group, operation: 'read' },
    { what: 'transactionalId', name: `${deployment.group}-${timeline}-1`, operation: 'write' },
  ];
  for (const denied of rights) {
    await broker.deny(denied);
    // Something of everything to write: what one partition has made is committed, whatever another may not do.
    await load.burst(100);
    const said = await refusal(start(), `${denied.operation} on ${denied.what} ${denied.name} is denied`);
    expectSaid(said, 'not authorized');
    expectSaid(said, denied.name);
    note(`no ${denied.operation} on ${denied.what} ${denied.name.slice(deployment.prefix.length + 1)}: ${said}`);
    await broker.allow(denied);
    await judge(deployment);
  }

  const recoveryMs: number[] = [];
  const takenAway = [topic(timeline, 'read'), topic(state, 'write'), topic(dispatch, 'write'), topic(decisions, 'write')];
  for (const denied of takenAway) {
    load.start(100);
    const running = start();
    recoveryMs.push(await untilRecovered(deployment));
    await broker.deny(denied);
    const said = await refusal(running, `${denied.operation} on ${denied.what} ${denied.name} is denied`);
    expectSaid(said, 'not authorized');
    await load.stop();
    await broker.allow(denied);
    await judge(deployment);
  }
  // Where the disk is kept there is nothing to read of the changelog; where it is lost, there is.
  await broker.deny(topic(state, 'read'));
  const said = await refusal(deployment.start(await deployment.stateFolder(), { ...QUICK_GROUP, ...env }), 'the changelog cannot be read');
  expectSaid(said, state, 'not authorized');
  await broker.allow(topic(state, 'read'));
  const last = start();
  recoveryMs.push(await untilRecovered(deployment));
  const judgement = await verdict([last]);
  return { recoveryMs, counts: { refusals: entries.length + rights.length, 'rights taken away': takenAway.length + 1, ...judgement } };
}

export const rows: readonly FaultRow[] = [
  {
    id: 23,
    name: 'secure',
    fault: 'TLS and a login: wrong password, expired certificate, each right denied in turn, at the start and later',
    promise: 'one clear line, O1 O2: no partial write',
    needs: { brokers: 1 },
    quick: false,
    run,
  },
];
