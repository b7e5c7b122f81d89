import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import path from 'node:path';
import type { KeptOptions } from './kept.ts';
import { serve } from './serve.ts';
import type { Serving } from './serve.ts';

export interface JavaServerOptions {
  readonly java: string;
  /** The folder with the jars. */
  readonly code: string;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface KafkaOptions extends JavaServerOptions {
  /** Broker settings over the usual ones, given the ports: two, and as many `ports` more. For tests of listeners with TLS and login. */
  readonly more?: { readonly ports: number; readonly settings: (ports: readonly number[]) => Readonly<Record<string, string | number>> };
}

/** One node in KRaft mode, broker and controller; `ports[0]` is for clients. */
export function startKafka({ java, code, onProgress, signal, more }: KafkaOptions): Promise<Serving> {
  return serve({
    what: 'Kafka',
    ports: 2 + (more?.ports ?? 0),
    program: (ports) =>
      kafkaProgram({
        ...{ java, code, heapMiB: 512, clusterId: newClusterId() },
        settings: (folder) => ({ ...settings(ports[0]!, ports[1]!, path.join(folder, 'data')), ...more?.settings(ports) }),
      }),
    isReady: async ([port]) => (await brokersAt(port!)) > 0,
    onProgress,
    signal,
  });
}

export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

export interface KafkaProgram {
  readonly java: string;
  readonly code: string;
  readonly heapMiB: number;
  /** Of all nodes of one cluster. */
  readonly clusterId: string;
  /** Given the folder that ends with the program. A `log.dirs` elsewhere outlives it, and is formatted once. */
  readonly settings: (folder: string) => BrokerSettings;
}

/** One program that formats the storage, where that was not done before, and then becomes the broker: same folder, same pid, one thing to end. */
export function kafkaProgram({ java, code, heapMiB, clusterId, settings: settingsIn }: KafkaProgram): KeptOptions {
  const flags = ['-XX:-UsePerfData', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', path.join(code, '*')];
  return {
    name: 'kafka',
    command: '/bin/sh',
    args: (folder) => [
      '-c',
      `[ -e "$(sed -n 's/^log.dirs=//p' server.properties)/meta.properties" ] || ` +
        '"$0" -Xmx64m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "$@" kafka.tools.StorageTool format -t "$LULL_CLUSTER_ID" -c server.properties >format.log || { cat format.log; exit 1; }; ' +
        `exec "$0" -Xmx${heapMiB}m "$@" kafka.Kafka server.properties`,
      java,
      `-Djava.io.tmpdir=${folder}`,
      ...flags,
    ],
    files: (folder) => ({ 'server.properties': properties(settingsIn(folder)) }),
    env: { LULL_CLUSTER_ID: clusterId },
  };
}

export function newClusterId(): string {
  return `L${randomBytes(16).toString('base64url').slice(1)}`;
}

function settings(port: number, controllerPort: number, data: string): BrokerSettings {
  return {
    ...COMMON_SETTINGS,
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': data,
  };
}

/** What every node has, whatever it is called. */
export const COMMON_SETTINGS: BrokerSettings = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  'num.partitions': 4,
  // As in production: a topic that nobody made is a mistake, not a topic. Likewise the default limit of 1 MiB on a batch stays.
  'auto.create.topics.enable': false,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  // Nobody else is about to join: the first member need not wait for others.
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1000,
  // The transaction of a killed process blocks its readers until it times out; look every second, not every ten.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
  // Its default of 128 MB would be a quarter of the heap.
  'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
  'num.network.threads': 2,
  'num.io.threads': 4,
};

function properties(entries: BrokerSettings): string {
  return Object.entries(entries)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** A Metadata request (version 1, no topics), answered with the brokers that are registered; 0 where it does not listen or answer yet. */
export function brokersAt(port: number): Promise<number> {
  const request = Buffer.from([
    ...[0, 0, 0, 14], // size
    ...[0, 3, 0, 1], // Metadata, version 1
    ...[0, 0, 0, 7], // correlation id
    ...[0xff, 0xff], // no client id
    ...[0, 0, 0, 0], // no topics
  ]);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = Buffer.alloc(0);
    const end = (brokers: number): void => {
      socket.destroy();
      resolve(brokers);
    };
    socket.setTimeout(2000, () => end(0));
    socket.on('error', () => end(0));
    socket.on('close', () => end(0));
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      // size, correlation id, length of the array of brokers
      if (answer.length >= 12) end(answer.readInt32BE(4) === 7 ? answer.readInt32BE(8) : 0);
    });
  });
}
