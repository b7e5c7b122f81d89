import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FIRST_PRODUCT_EVENT } from '../../../src/avro/schemas.ts';
import { mavenJars } from '../../../src/dev/stack/artifacts.ts';
import { cacheFolder } from '../../../src/dev/stack/cache.ts';
import { findJava } from '../../../src/dev/stack/java.ts';
import type { Log } from '../../../src/log/port.ts';
import { Child, goTogether } from '../child.ts';

const VERSION = '4.1.0';

/** Our Kafka Streams program, compiled: `close` removes it. */
export interface BuiltPeer {
  readonly java: string;
  readonly classPath: string;
  close(): Promise<void>;
}

/** Fetches Kafka Streams from Maven Central, once, and compiles the two files beside this one. */
export async function buildPeer(onProgress: (line: string) => void, signal: AbortSignal): Promise<BuiltPeer> {
  const java = await findJava();
  const jars = await mavenJars(
    {
      name: `kafka-streams-${VERSION}`,
      what: `Kafka Streams ${VERSION} (75 MB)`,
      dependencies: [`org.apache.kafka:kafka-streams:${VERSION}`, 'org.apache.avro:avro:1.12.0', 'org.slf4j:slf4j-simple:1.7.36'],
    },
    { cache: cacheFolder(), onProgress, signal },
  );
  const folder = await mkdtemp(join(tmpdir(), 'lull-kstreams-'));
  const sources = ['UserState.java', 'Peer.java'].map((name) => join(import.meta.dirname, name));
  try {
    await promisify(execFile)(java.replace(/java$/, 'javac'), ['-nowarn', '-d', folder, '-cp', join(jars, '*'), ...sources], { signal });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new Error('the Kafka Streams side needs javac: install a JDK, e.g. apt-get install openjdk-17-jdk-headless', { cause: error });
    throw error;
  }
  return {
    java,
    classPath: `${folder}:${join(jars, '*')}`,
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface PeerOptions {
  readonly log: Log;
  readonly peer: BuiltPeer;
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  /** Default 100, Kafka Streams' own. */
  readonly commitMs?: number;
}

/** Kafka Streams as it is measured: exactly once, two threads in one process, 1 GiB of heap, else its defaults; topics and state of its own. */
export class PeerSide {
  readonly groupId: string;
  readonly dispatchTopic: string;
  children: readonly Child[] = [];
  readonly #options: PeerOptions;
  readonly #folder: string;

  private constructor(options: PeerOptions, groupId: string, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.groupId = groupId;
    this.dispatchTopic = `${groupId}-dispatch`;
  }

  static async open(options: PeerOptions): Promise<PeerSide> {
    const groupId = `kstreams-${randomUUID().slice(0, 8)}`;
    const side = new PeerSide(options, groupId, await mkdtemp(join(tmpdir(), 'lull-kstreams-state-')));
    // Its records carry the recording's time, which a broker's usual retention is long past.
    await options.log.admin.createTopics([
      { topic: side.dispatchTopic, partitions: options.partitions, replicationFactor: 1, config: { 'retention.ms': '-1' } },
    ]);
    return side;
  }

  async start(): Promise<void> {
    const { peer, bootstrap, topic, commitMs = 100 } = this.#options;
    // Its own, inside: RocksDB unpacks its library there, and Kafka Streams warns of a state folder below it.
    const temporary = join(this.#folder, 'tmp');
    await mkdir(temporary);
    const flags = [
      `-Djava.io.tmpdir=${temporary}`,
      '-Xmx1g',
      '-Xms1g',
      '-XX:-UsePerfData',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      peer.classPath,
    ];
    const child = new Child(peer.java, [...flags, 'Peer'], {
      ...{
        BOOTSTRAP: bootstrap,
        TOPIC: topic,
        GROUP: this.groupId,
        DISPATCH_TOPIC: this.dispatchTopic,
        STATE_DIR: join(this.#folder, 'state'),
      },
      ...{ SCHEMA: FIRST_PRODUCT_EVENT, THREADS: '2', COMMIT_MS: String(commitMs) },
    });
    this.children = [child];
    await goTogether(this.children);
  }

  async close(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()));
    const { admin } = this.#options.log;
    const changelogs = ['users', 'timers'].map((store) => `${this.groupId}-${store}-changelog`);
    await admin.deleteTopics([this.dispatchTopic, ...(await admin.describeTopics(changelogs)).keys()]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
