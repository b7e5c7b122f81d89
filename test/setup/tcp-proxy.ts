import { createServer, type AddressInfo, type Server, type Socket, connect } from 'node:net';

/** Kafka's api keys of the requests that tests get in the way of. */
export const ApiKey = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  heartbeat: 12,
  initProducerId: 22,
  addPartitions: 24,
  addOffsets: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
  describeConfigs: 32,
} as const;

/**
 * - `lose-request`: the request never arrives, and its connection breaks.
 * - `lose-answer`: the broker acts, but its answer never arrives, and the connection breaks.
 * - `hold`: the request waits on its way until `release`, even if the client has gone.
 * - `hold-and-break`: the same, and the client's side of the connection breaks now: it goes on while its request is still on its way.
 */
export type Disturbance = 'lose-request' | 'lose-answer' | 'hold' | 'hold-and-break';

export type Direction = 'to-broker' | 'to-client';

/** A bad network, in both directions and on every connection. Order within a connection is kept: it is still TCP. */
export interface Weather {
  /** Default 0. */
  readonly delayMs?: number;
  /** Up to so much more, drawn for each message. Default 0. */
  readonly jitterMs?: number;
  /** Of one connection, each way. Default unlimited. */
  readonly bytesPerSecond?: number;
  /** That a message breaks its connection instead of passing. Default 0. */
  readonly resetChance?: number;
  /** In [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/** A TCP proxy in front of one Kafka broker that knows where requests and answers begin. */
export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** Connections of clients that are open now. */
  readonly connections: number;
  /** How many requests of this kind came by. */
  seen(apiKey: number): number;
  /** Disturbs the next request of this kind; resolves when that has happened. */
  disturb(apiKey: number, how: Disturbance): Promise<void>;
  /** Lets held requests go on to the broker, in the order in which they came. */
  release(): void;
  /** Only the one that has waited longest. */
  releaseFirst(): void;
  /** Breaks all connections now. A held request can still be released. */
  cut(): void;
  /** While silent, nothing passes (in either direction, or only in one), and nothing breaks. What was held up is lost, not late. */
  silence(silent: boolean | Direction): void;
  /** From now on; `{}` is fair weather again. */
  weather(weather: Weather): void;
  close(): Promise<void>;
}

interface Plan {
  readonly apiKey: number;
  readonly how: Disturbance;
  readonly happened: () => void;
}

const LENGTH_BYTES = 4;

export async function startTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const plans: Plan[] = [];
  const counts = new Map<number, number>();
  const held: (() => void)[] = [];
  const pairs = new Set<{ readonly client: Socket; readonly broker: Socket }>();
  let silent: boolean | Direction = false;
  let weather: Weather = {};
  const swallows = (direction: Direction): boolean => silent === true || silent === direction;

  const server: Server = createServer((client) => {
    const broker = connect(target.port, target.host);
    const pair = { client, broker };
    pairs.add(pair);
    const breakOff = () => {
      client.destroy();
      broker.destroy();
    };
    const lostAnswers = new Map<number, () => void>();
    let holding = false;
    const toBroker = lane(broker, () => weather, breakOff);
    const toClient = lane(client, () => weather, breakOff);

    client.on(
      'data',
      frames((frame) => {
        const apiKey = frame.readInt16BE(LENGTH_BYTES);
        counts.set(apiKey, (counts.get(apiKey) ?? 0) + 1);
        if (swallows('to-broker')) return;
        const index = plans.findIndex((plan) => plan.apiKey === apiKey);
        const [plan] = index < 0 ? [] : plans.splice(index, 1);
        if (plan?.how === 'lose-request') {
          breakOff();
          plan.happened();
        } else if (plan?.how === 'hold' || plan?.how === 'hold-and-break') {
          holding = true;
          held.push(() => {
            holding = false;
            broker.write(frame);
            // Nobody waits for the answer any more.
            if (client.destroyed) broker.end();
          });
          if (plan.how === 'hold-and-break') client.destroy();
          plan.happened();
        } else {
          if (plan !== undefined) lostAnswers.set(frame.readInt32BE(LENGTH_BYTES + 4), plan.happened);
          toBroker(frame);
        }
      }),
    );
    broker.on(
      'data',
      frames((frame) => {
        if (swallows('to-client')) return;
        const lost = lostAnswers.get(frame.readInt32BE(LENGTH_BYTES));
        if (lost === undefined) toClient(frame);
        else {
          breakOff();
          lost();
        }
      }),
    );
    for (const socket of [client, broker]) socket.on('error', () => undefined); // 'close' follows
    client.on('close', () => {
      pairs.delete(pair);
      if (!holding) broker.destroy();
    });
    broker.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    seen: (apiKey) => counts.get(apiKey) ?? 0,
    disturb: (apiKey, how) => new Promise((resolve) => plans.push({ apiKey, how, happened: resolve })),
    release: () => {
      for (const go of held.splice(0)) go();
    },
    releaseFirst: () => held.shift()?.(),
    // The broker's side follows, unless a request is held for it.
    cut: () => {
      for (const { client } of pairs) client.destroy();
    },
    silence: (value) => {
      silent = value;
    },
    weather: (value) => {
      weather = value;
    },
    close: async () => {
      for (const { client, broker } of pairs) {
        client.destroy();
        broker.destroy();
      }
      await new Promise((resolve) => server.close(resolve)); // closed already is closed too
    },
  };
}

/** Sends messages on in their order, as late as the weather says. */
function lane(to: Socket, weatherNow: () => Weather, breakOff: () => void): (frame: Buffer) => void {
  const waiting: { readonly frame: Buffer; readonly atMs: number }[] = [];
  const pump = (): void => {
    for (let head = waiting[0]; head !== undefined && head.atMs <= performance.now(); head = waiting[0]) {
      waiting.shift();
      if (!to.destroyed) to.write(head.frame);
    }
    if (waiting[0] !== undefined) setTimeout(pump, Math.ceil(waiting[0].atMs - performance.now()));
  };
  return (frame) => {
    const { delayMs = 0, jitterMs = 0, bytesPerSecond = Infinity, resetChance = 0, random = Math.random } = weatherNow();
    if (resetChance > 0 && random() < resetChance) {
      breakOff();
      return;
    }
    const fromMs = Math.max(performance.now() + delayMs + (jitterMs > 0 ? random() * jitterMs : 0), waiting.at(-1)?.atMs ?? 0);
    waiting.push({ frame, atMs: fromMs + (frame.length * 1000) / bytesPerSecond });
    if (waiting.length === 1) pump();
  };
}

/** Cuts a stream into length-prefixed messages. */
function frames(onFrame: (frame: Buffer) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + pending.readInt32BE(0);
      if (pending.length < end) return;
      onFrame(pending.subarray(0, end));
      pending = pending.subarray(end);
    }
  };
}
