import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { FatalLogError } from '../errors.ts';
import type { Calls } from './calls.ts';
import {
  apiKeys,
  Broker,
  Connection,
  requests,
  socketFactory,
  type WireAnswer,
  type WireBroker,
  type WireConnection,
  type WireProtocol,
} from './kafkajs.ts';
import { encodeRequestHeader } from './request-header.ts';

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

/** Node's codes of a certificate that does not verify: trying again does not make it trusted. */
const UNTRUSTED = /CERT|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** A request whose body Lull encodes: in parts, none of which may change until the answer is there. */
export interface RawRequest {
  readonly api: string;
  readonly version: number;
  readonly body: readonly Buffer[];
  readonly waitMs?: number;
}

/** One connection to one broker: connects at the first call, and again after it was lost. */
export class BrokerConnection {
  readonly address: Address;
  readonly #connection: WireConnection;
  readonly #broker: WireBroker;
  readonly #clientId: string;
  #starting: Promise<void> | undefined;
  #closed = false;

  constructor(address: Address, options: WireOptions) {
    this.address = address;
    this.#clientId = options.clientId;
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
  async callRaw<T>(request: RawRequest, decode: (raw: Buffer) => T): Promise<T> {
    return this.#guarded(async () => {
      const apiKey = apiKeys[request.api]!;
      const range = this.#broker.versions[apiKey];
      if (range === undefined || request.version < range.minVersion || request.version > range.maxVersion)
        throw new FatalLogError(`broker ${this.name} does not speak ${request.api} version ${request.version}: use Kafka 2.4 or newer`);
      const connection = await this.#connected();
      // The login of a SASL session ends after the time that the broker gave it.
      if (!connection.isAuthenticated()) await connection.authenticate();
      return decode(await this.#sendRaw(connection, apiKey, request));
    });
  }

  /** The parts go to the socket as they are: kafkajs would copy a request of a megabyte into several buffers that grow. */
  async #sendRaw(connection: WireConnection, apiKey: number, request: RawRequest): Promise<Buffer> {
    const { api, version, body, waitMs } = request;
    const correlationId = connection.nextCorrelationId();
    const header = encodeRequestHeader({ apiKey, version, correlationId, clientId: this.#clientId }, body);
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>();
    // What is in the queue when the socket goes is rejected by kafkajs; what comes later would wait for its timeout.
    if (!connection.isConnected()) throw new NoAnswerError(`the connection to ${this.name} was lost`);
    connection.requestQueue.push({
      entry: { apiKey, apiVersion: version, apiName: api, correlationId, resolve, reject },
      expectResponse: true,
      requestTimeout: waitMs ?? null,
      sendRequest: () => {
        const { socket } = connection;
        socket?.cork();
        socket?.write(header);
        for (const part of body) socket?.write(part);
        socket?.uncork();
      },
    });
    return (await promise).payload;
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
    if ('code' in error && typeof error.code === 'string' && UNTRUSTED.test(error.code)) {
      const mend = error.code === 'CERT_HAS_EXPIRED' ? 'renew it' : 'check the certificate authority and the host name';
      return new FatalLogError(`the certificate of Kafka at ${this.name} is not trusted (${error.code}): ${mend}`, { cause: error });
    }
    if (error.name.startsWith('KafkaJS')) return new NoAnswerError(`${this.name}: ${error.message}`, { cause: error });
    return error;
  }
}
