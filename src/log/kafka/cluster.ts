import { FatalLogError, LogUnavailableError } from '../errors.ts';
import { Backoff } from './backoff.ts';
import type { Calls } from './calls.ts';
import { Code, describeCode, isCoordinatorMove } from './codes.ts';
import { Connections } from './connections.ts';
import { type Address, type BrokerConnection, NoAnswerError, type WireOptions } from './wire.ts';

export interface TopicLayout {
  /** Leaders by partition number; a partition without a leader now is undefined. */
  readonly leaders: readonly (Address | undefined)[];
  readonly replicationFactor: number;
}

/** How long a topic may be unknown before it counts as missing: brokers learn of a new topic one after another. */
const UNKNOWN_TOPIC_GRACE_MS = 2_000;

/** What is where in the cluster, asked over one connection to whichever broker answers: of the bootstrap addresses, and of those learned since. */
export class KafkaCluster {
  readonly #bootstrap: readonly Address[];
  #addresses: readonly Address[];
  readonly #deadlineMs: number;
  readonly #connections: Connections;
  readonly #layouts = new Map<string, Promise<TopicLayout | undefined>>();
  readonly #closed = new AbortController();
  #next = 0;
  #control: BrokerConnection | undefined;
  #answered = false;

  constructor(brokers: readonly string[], wire: WireOptions, deadlineMs: number) {
    this.#bootstrap = this.#addresses = brokers.map(parseAddress);
    if (this.#addresses.length === 0) throw new FatalLogError('no Kafka address was given');
    this.#deadlineMs = deadlineMs;
    this.#connections = new Connections(wire);
  }

  /** Whether a broker has answered once: what happens from then on is an outage, not a wrong address. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Asks any broker, trying one address after another. @throws LogUnavailableError after the deadline, FatalLogError, AbortError when closed */
  async ask<K extends keyof Calls>(api: K, args: Calls[K]['args']): Promise<Calls[K]['answer']> {
    const backoff = new Backoff({ firstMs: 50, maxMs: 1_000, deadlineMs: this.#deadlineMs, signal: this.#closed.signal });
    let last: NoAnswerError | undefined;
    for (;;) {
      const control = (this.#control ??= this.#connections.to(this.#addresses[this.#next++ % this.#addresses.length]!));
      try {
        const answer = await beforeDeadline(control.call(api, args), backoff.leftMs);
        this.#answered = true;
        return answer;
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        // An attempt that the deadline cut short says less than the one before it.
        if (last === undefined || backoff.leftMs > 0) last = error;
        if (this.#control === control) this.#control = undefined;
        await this.#connections.drop(control);
        if (this.#next % this.#addresses.length !== 0) continue; // the other addresses at once, then wait
        if (!(await backoff.wait())) throw this.#unavailable(last);
      }
    }
  }

  /** Undefined where the topic does not exist. Cached until `invalidate`. */
  layout(topic: string): Promise<TopicLayout | undefined> {
    let layout = this.#layouts.get(topic);
    if (layout === undefined) {
      layout = this.#askLayout(topic);
      this.#layouts.set(topic, layout);
      const forget = () => this.invalidate(topic);
      layout.then((found) => found ?? forget(), forget);
    }
    return layout;
  }

  invalidate(topic: string): void {
    this.#layouts.delete(topic);
  }

  /** The leader, waiting for one; `unknownForMs` (default 2,000) is how long "it does not exist" may only mean that the broker has not heard of it yet. @throws FatalLogError where topic or partition do not exist; LogUnavailableError after the deadline, if one is given */
  async leader(
    topic: string,
    partition: number,
    wait: { readonly signal?: AbortSignal; readonly deadlineMs?: number; readonly unknownForMs?: number } = {},
  ): Promise<Address> {
    const backoff = new Backoff({ firstMs: 20, maxMs: 1_000, ...wait });
    const unknownUntil = performance.now() + (wait.unknownForMs ?? UNKNOWN_TOPIC_GRACE_MS);
    for (;;) {
      const layout = await this.layout(topic);
      const leader = layout?.leaders[partition];
      if (leader !== undefined) return leader;
      const exists = layout !== undefined && partition < layout.leaders.length;
      if (!exists && performance.now() > unknownUntil)
        throw new FatalLogError(
          layout === undefined
            ? `topic ${topic} does not exist`
            : `${topic}-${partition} does not exist: the topic has ${layout.leaders.length} partitions`,
        );
      this.invalidate(topic);
      if (!(await backoff.wait())) throw new LogUnavailableError(`${topic}-${partition} has no leader`);
    }
  }

  /** @throws LogUnavailableError when no coordinator is there within the deadline */
  async coordinator(of: 'group' | 'transaction', id: string, signal?: AbortSignal): Promise<Address> {
    const backoff = new Backoff({ firstMs: 20, maxMs: 500, deadlineMs: this.#deadlineMs, signal });
    for (;;) {
      const answer = await this.ask('GroupCoordinator', { groupId: id, coordinatorType: of === 'group' ? 0 : 1 });
      if (answer.errorCode === Code.none) return answer.coordinator;
      if (!isCoordinatorMove(answer.errorCode)) throw new FatalLogError(`coordinator of ${of} ${id}: ${describeCode(answer.errorCode)}`);
      if (!(await backoff.wait()))
        throw new LogUnavailableError(`Kafka has no coordinator for ${of} ${id} (Kafka error ${answer.errorCode})`);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#connections.close();
  }

  async #askLayout(topic: string): Promise<TopicLayout | undefined> {
    const { brokers, topicMetadata } = await this.ask('Metadata', { topics: [topic], allowAutoTopicCreation: false });
    const others = brokers.filter(({ host, port }) => !this.#bootstrap.some((known) => known.host === host && known.port === port));
    this.#addresses = [...this.#bootstrap, ...others];
    const found = topicMetadata.find((metadata) => metadata.topic === topic);
    if (found === undefined || found.topicErrorCode === Code.unknownTopicOrPartition) return undefined;
    if (found.topicErrorCode !== Code.none && found.topicErrorCode !== Code.leaderNotAvailable)
      throw new FatalLogError(`topic ${topic}: ${describeCode(found.topicErrorCode)}`);
    const nodes = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const leaders: (Address | undefined)[] = new Array<Address | undefined>(found.partitionMetadata.length);
    for (const { partitionId, leader } of found.partitionMetadata) leaders[partitionId] = nodes.get(leader);
    return { leaders, replicationFactor: found.partitionMetadata[0]?.replicas.length ?? 0 };
  }

  #unavailable(cause: NoAnswerError): LogUnavailableError {
    const addresses = this.#addresses.map(({ host, port }) => `${host}:${port}`).join(', ');
    return new LogUnavailableError(
      `no Kafka broker answers at ${addresses} (${cause.message}; tried for ${this.#deadlineMs / 1000} s): is it running, and is the address right?`,
      { cause },
    );
  }
}

function parseAddress(broker: string): Address {
  const colon = broker.lastIndexOf(':');
  const port = Number(broker.slice(colon + 1));
  const host = broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  if (colon < 1 || host === '' || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new FatalLogError(`"${broker}" is not a Kafka address: write HOST:PORT`);
  return { host, port };
}

/** A broker that accepts connections and says nothing must not hold a start longer than an absent one. */
async function beforeDeadline<T>(work: Promise<T>, leftMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswerError('connected, but no answer came')), leftMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
