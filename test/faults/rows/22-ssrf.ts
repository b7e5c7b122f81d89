import { createServer, connect, type AddressInfo } from 'node:net';
import webpush from 'web-push';
import { command, device } from '../../senders/commands.ts';
import { reply } from '../../setup/fakes/fake-server.ts';
import { startFakeWebPush } from '../../setup/fakes/fake-webpush.ts';
import { CallLedger, webPushMeaning } from '../call-ledger.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from '../row.ts';
import { judgeSenders } from '../sender-oracles.ts';
import { Senders } from '../senders.ts';

/** Names that the allow-list lets through, and what a hostile name server says of them. */
const LYING_NAMES: Readonly<Record<string, readonly string[]>> = {
  'loopback.push.apple.com': ['127.0.0.1'],
  'loopback6.push.apple.com': ['::1'],
  'mapped.push.apple.com': ['::ffff:127.0.0.1'],
  'metadata.push.services.mozilla.com': ['169.254.169.254'],
  'private.notify.windows.com': ['10.0.0.1', '192.168.0.1'],
  // Rebinding: one address for whoever checks, the other for whoever connects.
  'rebinding.notify.windows.com': ['127.0.0.1', '8.8.8.8'],
  'unset.push.apple.com': ['0.0.0.0'],
};

/** An address on this machine that counts who comes. */
interface Listener {
  readonly port: number;
  readonly seen: number;
  /** Resolves when somebody has come. */
  readonly came: Promise<void>;
  close(): Promise<void>;
}

/**
 * Subscriptions whose endpoint is anything but a push service: each ends as dropped, and a listener where they point sees not even a connection. A right one among
 * them is delivered, a redirect to the listener is not followed, and the listener is shown to see what does come.
 */
async function run(faults: FaultRun): Promise<FaultResult> {
  const { random, note } = faults;
  const listener = await listen('127.0.0.1', 0);
  faults.cleanup(() => listener.close());
  // Names that lie lead to the port of the scheme; only root may listen there, and another row may be there already.
  const https = await listen('127.0.0.1', 443).catch((error: unknown) => {
    note(`nobody listens on port 443: ${String(error)}`);
    return undefined;
  });
  if (https !== undefined) faults.cleanup(() => https.close());
  const senders = await Senders.open(faults, 1);
  const ledger = new CallLedger(webPushMeaning);
  const fake = await startFakeWebPush(
    ledger.keep(({ subscriber }) =>
      subscriber === 'redirected' ? reply(307, '', { location: `https://127.0.0.1:${listener.port}/x` }) : reply(201),
    ),
  );
  faults.cleanup(() => fake.stop());

  const good = fake.subscribe('good');
  const to = (endpoint: string): string => JSON.stringify({ ...(JSON.parse(good) as object), endpoint });
  const hostile = [...endpoints(listener.port), ...Object.keys(LYING_NAMES).map((name) => `https://${name}/x`)].map(to);
  const values = [...random.sample(hostile, hostile.length), fake.subscribe('redirected'), good];
  const commands = values.map((value) =>
    command({
      ...{ commandId: random.uuid(), userId: `user-${random.int(1, 9)}`, channel: 'webpush' },
      promise: random.pick(['at_least_once', 'at_most_once'] as const),
      devices: [device({ kind: 'webpush', value })],
    }),
  );
  await senders.dispatch(commands);
  const vapid = { subject: 'mailto:push@shop.example', keys: [webpush.generateVAPIDKeys()] } as const;
  const devOrigin = { origin: fake.origin, ca: fake.ca };
  const provider = { kind: 'webpush', vapid, devOrigin, addresses: LYING_NAMES } as const;
  const sender = senders.start(provider, await senders.deployment.stateFolder());
  // A call that gets through may hang there: it need not be waited for.
  const intruded = Promise.race([listener.came, ...(https === undefined ? [] : [https.came])]);
  await Promise.race([senders.untilFinal(commands.length), intruded]);
  await sender.stop();
  for (const { seen, port } of [listener, ...(https === undefined ? [] : [https])])
    if (seen > 0) throw new OracleError('O4', `port ${port} of this machine saw ${seen} connections`);

  const classes = new Map((await senders.outcomes()).map(({ commandId, class: ended, code }) => [commandId, `${ended} ${code ?? ''}`]));
  for (const [i, { commandId }] of commands.entries()) {
    const ended = classes.get(commandId) ?? 'nothing';
    const isGood = i === commands.length - 1;
    const isRight = isGood
      ? ended === 'ok http_201'
      : i === commands.length - 2
        ? ended === 'drop redirect'
        : ended.startsWith('drop ssrf_');
    if (!isRight) throw new OracleError('O4', `a call to ${endpointOf(values[i]!)} ended as ${ended}`);
  }
  const judged = await judgeSenders(senders.deployment, { channel: 'webpush', calls: ledger.calls, crashes: 0 });
  const { stderr } = sender;
  if (stderr().includes('169.254.169.254') || stderr().includes('/push/good')) throw new OracleError('O4', 'the log has an endpoint in it');
  await canSee(listener);
  return { recoveryMs: [], counts: { hostile: hostile.length, listeners: https === undefined ? 1 : 2, ...judged } };
}

/** What a page can write into a subscription to reach this machine, or its neighbours. */
function endpoints(port: number): readonly string[] {
  return [
    `https://127.0.0.1:${port}/x`,
    'https://127.0.0.1/x',
    `https://localhost:${port}/x`,
    `https://[::1]:${port}/x`,
    `https://[::ffff:127.0.0.1]:${port}/x`,
    `https://[::ffff:7f00:1]:${port}/x`,
    `https://2130706433:${port}/x`,
    `https://0x7f000001:${port}/x`,
    `https://0177.0.0.1:${port}/x`,
    `https://127.1:${port}/x`,
    `https://0:${port}/x`,
    'https://169.254.169.254/latest/meta-data/',
    'https://[fd00:ec2::254]/latest/meta-data/',
    `https://fcm.googleapis.com@127.0.0.1:${port}/x`,
    `https://user:secret@web.push.apple.com:${port}/x`,
    `https://loopback.push.apple.com:${port}/x`,
    `https://loopback.push.apple.com.:${port}/x`,
    `http://127.0.0.1:${port}/x`,
    `http://loopback.push.apple.com/x`,
    `http://loopback.push.apple.com:${port}/x`,
    `ws://127.0.0.1:${port}/x`,
    `file:///etc/passwd`,
    `//127.0.0.1:${port}/x`,
    `https://127.0.0.1:${port}\\@fcm.googleapis.com/x`,
    `https://fcm.googleapis.com.127.0.0.1.nip.example:${port}/x`,
  ];
}

async function listen(host: string, port: number): Promise<Listener> {
  let seen = 0;
  const { promise: came, resolve: come } = Promise.withResolvers<undefined>();
  const server = createServer((socket) => {
    seen++;
    come(undefined);
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    came,
    port: (server.address() as AddressInfo).port,
    get seen() {
      return seen;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A listener that sees nothing proves nothing, unless it would. */
async function canSee(listener: Listener): Promise<void> {
  const socket = connect(listener.port, '127.0.0.1');
  await new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
  if (listener.seen !== 1) throw new Error(`the listener saw ${listener.seen} of one connection`);
}

function endpointOf(value: string): string {
  return (JSON.parse(value) as { readonly endpoint: string }).endpoint;
}

export const rows: readonly FaultRow[] = [
  {
    ...{ id: 22, name: 'ssrf', quick: true, needs: { brokers: 1 }, run },
    fault: 'subscriptions that point at this machine, its network and its cloud: by address, spelling, name, port, scheme or redirect',
    promise: 'dropped; no packet leaves; the right one among them is delivered',
  },
];
