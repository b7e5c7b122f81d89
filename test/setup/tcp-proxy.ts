import { createServer, type AddressInfo, type Server, type Socket, connect } from 'node:net';

/** Kafka's api keys of the requests that tests get in the way of. */
export const ApiKey = {
  produce: 0,
  fetch: 1,
  heartbeat: 12,
  initProducerId: 22,
  addPartitions: 24,
  addOffsets: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const;

/**
 * - `lose-request`: the request never arrives, and its connection breaks.
 * - `lose-answer`: the broker acts, but its answer never arrives, and the connection breaks.
 * - `hold`: the request waits on its way until `release`, even if the client has gone.
 */
export type Disturbance = 'lose-request' | 'lose-answer' | 'hold';

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
  /** Lets held requests go on to the broker. */
  release(): void;
  /** Breaks all connections now. */
  cut(): void;
  /** While silent, nothing passes in either direction, and nothing breaks. */
  silence(silent: boolean): void;
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
  let silent = false;

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

    client.on(
      'data',
      frames((frame) => {
        const apiKey = frame.readInt16BE(LENGTH_BYTES);
        counts.set(apiKey, (counts.get(apiKey) ?? 0) + 1);
        if (silent) return;
        const index = plans.findIndex((plan) => plan.apiKey === apiKey);
        const [plan] = index < 0 ? [] : plans.splice(index, 1);
        if (plan?.how === 'lose-request') {
          breakOff();
          plan.happened();
        } else if (plan?.how === 'hold') {
          holding = true;
          held.push(() => {
            holding = false;
            broker.write(frame);
          });
          plan.happened();
        } else {
          if (plan !== undefined) lostAnswers.set(frame.readInt32BE(LENGTH_BYTES + 4), plan.happened);
          broker.write(frame);
        }
      }),
    );
    broker.on(
      'data',
      frames((frame) => {
        if (silent) return;
        const lost = lostAnswers.get(frame.readInt32BE(LENGTH_BYTES));
        if (lost === undefined) return void client.write(frame);
        breakOff();
        lost();
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
    cut: () => {
      for (const { client, broker } of pairs) {
        client.destroy();
        broker.destroy();
      }
    },
    silence: (value) => {
      silent = value;
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
