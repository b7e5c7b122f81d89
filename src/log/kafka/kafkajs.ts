/**
 * All that Lull takes out of kafkajs: its connection (sockets, TLS, SASL, request timeouts) and its encoding of requests. Its producer,
 * consumer and cluster are not used: see docs/decisions. These are imports of its inside, hence the check for the one version that was read.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { FatalLogError } from '../errors.ts';

const require = createRequire(import.meta.url);
const KAFKAJS_VERSION = '2.2.4';

interface WireRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  readonly expectResponse?: () => boolean;
  readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
}
export interface WireProtocol {
  readonly request: WireRequest;
  readonly response: { readonly decode: (raw: Buffer) => Promise<unknown>; readonly parse: (data: unknown) => Promise<unknown> };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}
export interface WireAnswer {
  readonly payload: Buffer;
}
export interface WireConnection {
  readonly socket?: { destroy(error: Error): void; cork(): void; write(bytes: Buffer): void; uncork(): void };
  readonly requestQueue: {
    push(request: {
      readonly entry: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        readonly correlationId: number;
        readonly resolve: (answer: WireAnswer) => void;
        readonly reject: (error: Error) => void;
      };
      readonly expectResponse: boolean;
      readonly requestTimeout: number | null;
      readonly sendRequest: () => void;
    }): void;
  };
  nextCorrelationId(): number;
  authenticate(): Promise<void>;
  isConnected(): boolean;
  isAuthenticated(): boolean;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(protocol: WireProtocol): Promise<unknown>;
  setVersions(versions: unknown): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  getSupportAuthenticationProtocol(): boolean | null;
}
export interface WireBroker {
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

export const Connection = require('kafkajs/src/network/connection.js') as Constructor<WireConnection>;
export const Broker = require('kafkajs/src/broker/index.js') as Constructor<WireBroker>;
export const { requests } = require('kafkajs/src/protocol/requests/index.js') as Definitions;
export const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as Readonly<Record<string, number>>;

type SocketFactory = (options: object) => Socket;
const makeSocket = (require('kafkajs/src/network/socketFactory.js') as () => SocketFactory)();
/**
 * kafkajs leaves Nagle's algorithm on: the last part of a request that is larger than one packet would wait until the broker has acknowledged the part before,
 * which it may put off for 40 ms, in each of a commit's round trips.
 */
export const socketFactory: SocketFactory = (options) => makeSocket(options).setNoDelay(true);
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
