import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { KafkaCluster } from './cluster.ts';
import { Connections } from './connections.ts';
import type { Address, WireOptions } from './wire.ts';

/** A logger in pino's shape. */
export interface LogLines {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface KafkaLogOptions {
  /** Bootstrap addresses, `HOST:PORT`. */
  readonly brokers: readonly string[];
  /** Default `lull`. */
  readonly clientId?: string;
  /** Default false. */
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
  /**
   * Where to connect for an address, also for those that the cluster advertises: for a cluster behind tunnels, and for tests with a proxy in between.
   * Default: the address itself.
   */
  readonly route?: (address: Address) => Address;
  /** Default: silent. What matters comes as an error. */
  readonly logger?: LogLines;
  /** How long to try before `LogUnavailableError`. Default 15,000. */
  readonly connectDeadlineMs?: number;
  /** How long one request may take. Default 15,000. */
  readonly requestTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 3_000;

/** What readers, writers, memberships and the admin share: the options, and the knowledge of what is where. */
export class KafkaClient {
  readonly cluster: KafkaCluster;
  readonly requestTimeoutMs: number;
  readonly deadlineMs: number;
  readonly #wire: WireOptions;
  readonly #logger: LogLines | undefined;

  constructor(options: KafkaLogOptions) {
    this.#logger = options.logger;
    this.requestTimeoutMs = options.requestTimeoutMs ?? 15_000;
    this.deadlineMs = options.connectDeadlineMs ?? 15_000;
    this.#wire = {
      clientId: options.clientId ?? 'lull',
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
      connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, this.deadlineMs),
      requestTimeoutMs: this.requestTimeoutMs,
      route: options.route ?? ((address) => address),
      debug: (message) => this.#logger?.debug({ client: 'kafkajs' }, message),
    };
    this.cluster = new KafkaCluster(options.brokers, this.#wire, this.deadlineMs);
  }

  connections(requestTimeoutMs: number = this.requestTimeoutMs): Connections {
    return new Connections({ ...this.#wire, requestTimeoutMs });
  }

  warn(fields: object, message: string): void {
    this.#logger?.warn(fields, message);
  }

  close(): Promise<void> {
    return this.cluster.close();
  }
}
