import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../../src/dev/stack/cache.ts';
import { findJava } from '../../src/dev/stack/java.ts';
import { brokersAt, COMMON_SETTINGS, kafkaProgram, newClusterId, type BrokerSettings } from '../../src/dev/stack/kafka.ts';
import { startKept, type Kept } from '../../src/dev/stack/kept.ts';
import { freePorts } from '../../src/dev/stack/ports.ts';
import { kafkaJars } from '../../src/dev/stack/stack.ts';
import { startTcpProxy, type TcpProxy } from '../setup/tcp-proxy.ts';

/** Where the processes of a row find Kafka. */
export interface Cluster {
  /** What the processes under test are given: through the proxies, where there are some. */
  readonly bootstrap: string;
  /** For the load and the oracles: never through a proxy. */
  readonly direct: string;
  readonly replicationFactor: number;
  /** Empty where the cluster is shared with others: nobody may bounce that. */
  readonly brokers: readonly Broker[];
}

/** One node, broker and controller. Its data and ports stay the same over all its lives. */
export interface Broker {
  readonly nodeId: number;
  readonly port: number;
  /** In front of its client listener; every client listener is advertised through it. */
  readonly proxy: TcpProxy | undefined;
  /** Of the process now; undefined while it is down. */
  readonly pid: number | undefined;
  /** Where it keeps its log. */
  readonly dataFolder: string;
  /** SIGTERM: leaders move away, logs are closed. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Again, with the data it had. Resolves when it answers. */
  start(): Promise<void>;
}

export interface OwnCluster extends Cluster {
  close(): Promise<void>;
}

export interface ClusterOptions {
  readonly brokers: 1 | 3;
  /** Puts a Kafka-aware proxy in front of each broker's client listener. Default false. */
  readonly proxy?: boolean;
  readonly settings?: BrokerSettings;
  /** Where a broker's data is; default a temporary folder that `close` removes. */
  readonly dataFolder?: (nodeId: number) => string;
  readonly onProgress?: (line: string) => void;
}

/** A broker that another test runs on: for rows that leave it alone. */
export function sharedCluster(bootstrap: string): Cluster {
  return { bootstrap, direct: bootstrap, replicationFactor: 1, brokers: [] };
}

const HEAP_MIB = 384;
const START_MS = 120_000;
const PORT_TAKEN = /Address already in use|BindException|already bound/i;
const ATTEMPTS = 3;

/** With three brokers everything is kept three times, and two copies make a write good, the group's and the transactions' topics included. */
const REPLICATED: BrokerSettings = {
  'default.replication.factor': 3,
  'min.insync.replicas': 2,
  'offsets.topic.replication.factor': 3,
  'transaction.state.log.replication.factor': 3,
  'transaction.state.log.min.isr': 2,
  'share.coordinator.state.topic.replication.factor': 3,
  'share.coordinator.state.topic.min.isr': 2,
};

/** Starts a cluster of a row's own: it may be bounced, cut off and killed. */
export async function startCluster(options: ClusterOptions): Promise<OwnCluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToStart(options);
    } catch (error) {
      // Ports were free a moment ago, and somebody else was faster.
      if (attempt === ATTEMPTS || !(error instanceof Error) || !PORT_TAKEN.test(error.message)) throw error;
    }
  }
}

async function tryToStart({ brokers: count, proxy = false, settings = {}, dataFolder, onProgress }: ClusterOptions): Promise<OwnCluster> {
  const java = await findJava();
  const code = await kafkaJars(onProgress);
  const clusterId = newClusterId();
  const ports = await freePorts(3 * count);
  const folders: string[] = [];
  const nodes = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const [client, internal, controller] = ports.slice(3 * i, 3 * i + 3) as [number, number, number];
      const own = dataFolder === undefined ? await mkdtemp(join(tmpdir(), 'lull-broker-')) : undefined;
      if (own !== undefined) folders.push(own);
      const front = proxy ? await startTcpProxy({ host: '127.0.0.1', port: client }) : undefined;
      return { nodeId: i + 1, client, internal, controller, front, data: own ?? dataFolder!(i + 1) };
    }),
  );
  const voters = nodes.map(({ nodeId, controller }) => `${nodeId}@127.0.0.1:${controller}`).join(',');
  const nodesOfCluster = nodes.map(({ nodeId, client, internal, controller, front, data }) => {
    const clientAddress = `127.0.0.1:${front?.port ?? client}`;
    const program = kafkaProgram({
      ...{ java, code, clusterId, heapMiB: HEAP_MIB },
      settings: () => ({
        ...COMMON_SETTINGS,
        ...(count === 3 ? REPLICATED : {}),
        'node.id': nodeId,
        'controller.quorum.voters': voters,
        listeners: `PLAINTEXT://127.0.0.1:${client},INTERNAL://127.0.0.1:${internal},CONTROLLER://127.0.0.1:${controller}`,
        'advertised.listeners': `PLAINTEXT://${clientAddress},INTERNAL://127.0.0.1:${internal}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name': 'INTERNAL',
        // A killed broker is noticed this soon.
        'broker.session.timeout.ms': 6000,
        'log.dirs': join(data, 'log'),
        ...settings,
      }),
    });
    return new Node({ nodeId, port: client, proxy: front, dataFolder: join(data, 'log'), program });
  });
  const close = async (): Promise<void> => {
    await Promise.all(nodesOfCluster.map((node) => node.kill()));
    await Promise.all(nodes.map(async ({ front }) => front?.close()));
    for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    await Promise.all(nodesOfCluster.map((node) => node.start(count)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    bootstrap: nodes.map(({ front, client }) => `127.0.0.1:${front?.port ?? client}`).join(','),
    direct: nodes.map(({ internal }) => `127.0.0.1:${internal}`).join(','),
    replicationFactor: count,
    brokers: nodesOfCluster,
    close,
  };
}

interface NodeOptions {
  readonly nodeId: number;
  readonly port: number;
  readonly proxy: TcpProxy | undefined;
  readonly dataFolder: string;
  readonly program: ReturnType<typeof kafkaProgram>;
}

class Node implements Broker {
  readonly nodeId: number;
  readonly port: number;
  readonly proxy: TcpProxy | undefined;
  readonly dataFolder: string;
  readonly #program: ReturnType<typeof kafkaProgram>;
  #kept: Kept | undefined;

  constructor({ nodeId, port, proxy, dataFolder, program }: NodeOptions) {
    this.nodeId = nodeId;
    this.port = port;
    this.proxy = proxy;
    this.dataFolder = dataFolder;
    this.#program = program;
  }

  get pid(): number | undefined {
    return this.#kept?.pid;
  }

  /** `brokers`: how many have to be registered before it counts as up. */
  async start(brokers = 1): Promise<void> {
    const deadline = performance.now() + START_MS;
    for (;;) {
      const kept = await startKept(this.#program);
      this.#kept = kept;
      const output = await answers(kept, this.port, brokers, deadline);
      if (output === undefined) return;
      this.#kept = undefined;
      // An outgoing connection of somebody else may sit on our port for a moment.
      if (!PORT_TAKEN.test(output) || performance.now() > deadline) throw new Error(`broker ${this.nodeId} did not start: ${output}`);
      await sleep(500);
    }
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const kept = this.#kept;
    if (kept === undefined) return;
    this.#kept = undefined;
    // It may have ended by itself: a full disk does that.
    if (isAlive(kept.pid)) process.kill(kept.pid, signal);
    await kept.exited;
  }
}

/** undefined once the broker answers; what it last said where it ended instead. */
async function answers(kept: Kept, port: number, brokers: number, deadline: number): Promise<string | undefined> {
  let output: string | undefined;
  void kept.exited.then((ended) => (output = ended.output.trim() || `code ${ended.code}`));
  while ((await brokersAt(port)) < brokers) {
    if (output !== undefined) return output;
    if (performance.now() > deadline) {
      await kept.stop();
      return `no answer within ${START_MS / 1000} s`;
    }
    await sleep(200);
  }
  return undefined;
}
