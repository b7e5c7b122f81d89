/**
 * All that Lull takes out of kafkajs: its connection (sockets, TLS, SASL, request timeouts) and its encoding of requests. Its producer,
 * consumer and cluster are not used: see docs/decisions. These are imports of its inside, hence the check for the one version that was read.
 */
import { createRequire } from 'node:module';
import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { FatalLogError } from '../errors.ts';
import type { Calls } from './calls.ts';

const require = createRequire(import.meta.url);
const KAFKAJS_VERSION = '2.2.4';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface WireOptions {
  readonly clientId: string;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Where to connect for an address, bootstrap or advertised. */
  readonly route: (address: Address) => Address;
  /** kafkajs's own words about a connection; what matters of them comes as an error anyway. */
  readonly debug: (message: string) => void;
}

/** No answer came: the connection failed, was lost, or the request timed out. Whether the broker acted on it is unknown. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

interface WireRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  readonly expectResponse?: () => boolean;
  readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
}
interface WireProtocol {
  readonly request: WireRequest;
  readonly response: { readonly decode: (raw: Buffer) => Promise<unknown>; readonly parse: (data: unknown) => Promise<unknown> };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}
interface WireConnection {
  readonly socket?: { destroy(error: Error): void };
  isConnected(): boolean;
  isAuthenticated(): boolean;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(protocol: WireProtocol): Promise<unknown>;
  setVersions(versions: unknown): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  getSupportAuthenticationProtocol(): boolean | null;
}
interface WireBroker {
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;
  isConnected(): boolean;
  connect(): Promise<void>;
  lookupRequest(apiKey: number, definition: unknown): (args: unknown) => WireProtocol;
}
interface Definitions {
  readonly requests: Readonly<Record<string, unknown>>;
}

type Constructor<T> = new (options: object) => T;

const { version } = require('kafkajs/package.json') as { version: string };
if (version !== KAFKAJS_VERSION)
  throw new FatalLogError(`kafkajs ${version} is installed, but Lull uses the inside of ${KAFKAJS_VERSION}: install with npm ci`);

const Connection = require('kafkajs/src/network/connection.js') as Constructor<WireConnection>;
const Broker = require('kafkajs/src/broker/index.js') as Constructor<WireBroker>;
const { requests } = require('kafkajs/src/protocol/requests/index.js') as Definitions;
const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as Readonly<Record<string, number>>;
const socketFactory = (require('kafkajs/src/network/socketFactory.js') as () => unknown)();
/** Of kafkajs, and of the wire: CRC-32C, which Node does not have. */
export const crc32c = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (data: Buffer) => number;

/** How members of a group tell each other what they want and get. */
export const { MemberMetadata, MemberAssignment } = require('kafkajs/src/consumer/assignerProtocol.js') as {
  readonly MemberMetadata: {
    encode(metadata: { readonly version: number; readonly topics: readonly string[]; readonly userData: Buffer }): Buffer;
    /** userData is null where its length is -1. */
    decode(metadata: Buffer): { readonly userData: Buffer | null };
  };
  readonly MemberAssignment: {
    encode(assignment: {
      readonly version: number;
      readonly assignment: Readonly<Record<string, readonly number[]>>;
      readonly userData: Buffer;
    }): Buffer;
    /** null for an assignment of no bytes, which is what a member gets that the leader left out. */
    decode(assignment: Buffer): {
      readonly assignment: Readonly<Record<string, readonly number[]>>;
      readonly userData: Buffer | null;
    } | null;
  };
};

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}
const queue = (require('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: RequestQueue }).prototype;
const schedule = queue.scheduleCheckPendingRequests;
// kafkajs arms a timer after every response, with a negative delay when nothing is waiting or throttled: Node 24 warns of that once
// (TimeoutNegativeWarning). Without something that waits the timer has no purpose.
queue.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) schedule.call(this);
};

/** Node's codes of a certificate that does not verify: trying again does not make it trusted. */
const UNTRUSTED = /CERT|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** One connection to one broker: connects at the first call, and again after it was lost. */
export class BrokerConnection {
  readonly address: Address;
  readonly #connection: WireConnection;
  readonly #broker: WireBroker;
  #starting: Promise<void> | undefined;
  #closed = false;

  constructor(address: Address, options: WireOptions) {
    this.address = address;
    const say = (message: string) => options.debug(message);
    const logger = { namespace: () => logger, debug: () => undefined, info: say, warn: say, error: say };
    const to = options.route(address);
    const connection = new Connection({
      ...to,
      logger,
      socketFactory,
      clientId: options.clientId,
      ssl: options.ssl === false ? null : (options.ssl ?? null),
      sasl: options.sasl ?? null,
      connectionTimeout: options.connectTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
    });
    this.#connection = connection;
    // kafkajs's pool has two connections a broker, one of them for fetches. Here every owner has one of its own.
    const connectionPool = {
      ...to,
      sasl: options.sasl,
      connectionTimeout: options.connectTimeoutMs,
      isConnected: () => connection.isConnected(),
      isAuthenticated: () => connection.isAuthenticated(),
      getConnection: () => this.#connected(),
      setVersions: (versions: unknown) => connection.setVersions(versions),
      setSupportAuthenticationProtocol: (supported: boolean) => connection.setSupportAuthenticationProtocol(supported),
      destroy: () => connection.disconnect(),
      send: async (protocol: WireProtocol) => (await this.#connected()).send(protocol),
    };
    this.#broker = new Broker({ connectionPool, logger });
  }

  get name(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  /** Sends one request and gives its decoded answer, error codes included. @throws NoAnswerError, FatalLogError */
  async call<K extends keyof Calls>(api: K, args: Calls[K]['args']): Promise<Calls[K]['answer']> {
    return this.#guarded(async () => {
      const protocol = this.#broker.lookupRequest(apiKeys[api]!, requests[api])(args);
      // Error codes are for the caller to judge: kafkajs's own parsing keeps the first only, and forgets those above 88.
      const response = { decode: protocol.response.decode, parse: async (data: unknown) => data };
      return (await (await this.#connected()).send({ ...protocol, response, logResponseError: false })) as Calls[K]['answer'];
    });
  }

  /** As `call`, for the two requests whose records Lull encodes and decodes by itself. */
  async callRaw<T>(
    request: { readonly api: string; readonly version: number; readonly body: () => Buffer; readonly waitMs?: number },
    decode: (raw: Buffer) => T,
  ): Promise<T> {
    return this.#guarded(async () => {
      const apiKey = apiKeys[request.api]!;
      const range = this.#broker.versions[apiKey];
      if (range === undefined || request.version < range.minVersion || request.version > range.maxVersion)
        throw new FatalLogError(`broker ${this.name} does not speak ${request.api} version ${request.version}: use Kafka 2.4 or newer`);
      const answer = await (
        await this.#connected()
      ).send({
        request: {
          apiKey,
          apiVersion: request.version,
          apiName: request.api,
          encode: async () => {
            const body = request.body();
            return { buf: body, buffer: body };
          },
        },
        response: { decode: async (raw) => decode(raw), parse: async (data) => data },
        ...(request.waitMs === undefined ? {} : { requestTimeout: request.waitMs }),
      });
      return answer as T;
    });
  }

  /** Frees the socket at once, also when requests are under way: they end with NoAnswerError. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#connection.socket?.destroy(new Error('closed by Lull'));
    await this.#connection.disconnect();
  }

  async #connected(): Promise<WireConnection> {
    // Checked right before the socket is made, so that none is made behind the back of `close`.
    if (this.#closed) throw new NoAnswerError(`the connection to ${this.name} was closed`);
    if (!this.#connection.isConnected()) await this.#connection.connect();
    return this.#connection;
  }

  /** Connected, logged in, and told which versions the broker speaks. Several calls may wait for that at once; a socket alone is not it. */
  async #ready(): Promise<void> {
    if (this.#starting === undefined && this.#broker.isConnected()) return;
    this.#starting ??= this.#broker.connect().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      return await work();
    } catch (error) {
      throw this.#translate(error);
    }
  }

  #translate(error: unknown): Error {
    if (!(error instanceof Error)) return new NoAnswerError(`${this.name}: ${String(error)}`);
    if (error.name === 'KafkaJSSASLAuthenticationError')
      return new FatalLogError(`Kafka at ${this.name} refused the login: ${error.message}`, { cause: error });
    if (['KafkaJSServerDoesNotSupportApiKey', 'KafkaJSNotImplemented', 'KafkaJSProtocolError'].includes(error.name))
      return new FatalLogError(`Kafka at ${this.name}: ${error.message}`, { cause: error });
    if ('code' in error && typeof error.code === 'string' && UNTRUSTED.test(error.code))
      return new FatalLogError(
        `the certificate of Kafka at ${this.name} is not trusted (${error.code}): check the certificate authority and the host name`,
        {
          cause: error,
        },
      );
    if (error.name.startsWith('KafkaJS')) return new NoAnswerError(`${this.name}: ${error.message}`, { cause: error });
    return error;
  }
}
