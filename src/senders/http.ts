import { Agent, type Dispatcher } from 'undici';
import type { LookupFunction } from 'node:net';

/**
 * One POST, and the one question that matters when it fails: can the other side have seen it?
 *
 * undici calls `onRequestStart` after the connection (and TLS) stands, right before the first byte is written. An error without that call is
 * `unsent`: nothing was written, so nothing was delivered. Any error after it is `ambiguous`. There are no retries and no
 * redirects in here: one call is at most one request on the wire.
 */
export interface HttpClientOptions {
  /** Sockets per origin; calls beyond it wait inside their own deadline. */
  readonly connections: number;
  /** From the call to the last byte of the reply, connecting and waiting for a socket included. Default 10,000. */
  readonly deadlineMs?: number;
  /** A longer reply is cut here. Default 64 KiB. */
  readonly maxReplyBytes?: number;
  /** Judges every address at connect time (see `SsrfGuard.lookup`). */
  readonly lookup?: LookupFunction;
  /** PEM; replaces the system's authorities for this client. */
  readonly ca?: string | undefined;
}

export interface HttpRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly signal: AbortSignal;
}

export type HttpResult =
  | {
      readonly kind: 'reply';
      readonly status: number;
      readonly headers: ReadonlyMap<string, string>;
      /** At most `maxReplyBytes`. */
      readonly body: string;
      /** False when the reply was cut: too long, reset, or past the deadline. The status is to be trusted all the same. */
      readonly complete: boolean;
    }
  /** Nothing was written. */
  | { readonly kind: 'unsent'; readonly code: TransportCode }
  /** At least a part may have been written. */
  | { readonly kind: 'ambiguous'; readonly code: TransportCode };

/** Bounded: it becomes a metric label. */
export type TransportCode =
  'dns' | 'refused' | 'connect' | 'tls' | 'blocked_address' | 'timeout' | 'reset' | 'aborted' | 'protocol' | 'transport';

export class HttpClient {
  readonly #agent: Agent;
  readonly #deadlineMs: number;
  readonly #maxReplyBytes: number;

  constructor(options: HttpClientOptions) {
    this.#deadlineMs = options.deadlineMs ?? 10_000;
    this.#maxReplyBytes = options.maxReplyBytes ?? 65_536;
    this.#agent = new Agent({
      connections: options.connections,
      // One request per socket: with more, a reset of the first would leave the others' fate open, and undici would send them again.
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: 4_000,
      headersTimeout: this.#deadlineMs,
      bodyTimeout: this.#deadlineMs,
      connect: {
        timeout: this.#deadlineMs,
        ...(options.lookup && { lookup: options.lookup }),
        ...(options.ca !== undefined && { ca: options.ca }),
      },
    });
  }

  post(request: HttpRequest): Promise<HttpResult> {
    return new Promise((resolve) => {
      const exchange = new Exchange(this.#maxReplyBytes, resolve);
      exchange.watch(this.#deadlineMs, request.signal);
      const { url } = request;
      this.#agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: 'POST',
          headers: { ...request.headers },
          body: request.body,
        },
        exchange,
      );
    });
  }

  /** Drops the sockets; calls in flight end as `ambiguous` or `unsent`. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #maxReplyBytes: number;
  readonly #resolve: (result: HttpResult) => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #started = false;
  #settled = false;
  /** Set once the call was given up: a request that starts later is stopped before it writes. */
  #givenUp: TransportCode | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #reply: { readonly status: number; readonly headers: ReadonlyMap<string, string> } | undefined;
  #unwatch = (): void => undefined;

  constructor(maxReplyBytes: number, resolve: (result: HttpResult) => void) {
    this.#maxReplyBytes = maxReplyBytes;
    this.#resolve = resolve;
  }

  watch(deadlineMs: number, signal: AbortSignal): void {
    const timer = setTimeout(() => this.#giveUp('timeout'), deadlineMs);
    const aborted = (): void => this.#giveUp('aborted');
    if (signal.aborted) queueMicrotask(aborted);
    signal.addEventListener('abort', aborted);
    this.#unwatch = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    };
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // undici puts a request whose socket went away back into its queue in some cases; a second start would be a second POST.
    if (this.#givenUp !== undefined || this.#started) {
      controller.abort(new Error(this.#givenUp ?? 'started twice'));
      return;
    }
    this.#started = true;
    this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    const flat = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')] as const);
    this.#reply = { status, headers: new Map(flat) };
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#maxReplyBytes - this.#bytes;
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#bytes += Math.min(chunk.length, room);
    if (chunk.length > room) this.#giveUp('protocol');
  }

  onResponseEnd(): void {
    this.#settle(this.#replied(true));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#fail(this.#givenUp ?? transportCode(error, this.#started));
  }

  #giveUp(code: TransportCode): void {
    if (this.#settled) return;
    this.#givenUp = code;
    this.#fail(code);
    this.#controller?.abort(new Error(code));
  }

  #fail(code: TransportCode): void {
    if (this.#reply !== undefined) this.#settle(this.#replied(false));
    else this.#settle({ kind: this.#started ? 'ambiguous' : 'unsent', code });
  }

  #replied(complete: boolean): HttpResult {
    const { status, headers } = this.#reply ?? { status: 0, headers: new Map<string, string>() };
    return { kind: 'reply', status, headers, body: Buffer.concat(this.#chunks).toString('utf8'), complete };
  }

  #settle(result: HttpResult): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#unwatch();
    this.#resolve(result);
  }
}

const CODES: Readonly<Record<string, TransportCode>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  UND_ERR_CLOSED: 'aborted',
  UND_ERR_DESTROYED: 'aborted',
  UND_ERR_ABORTED: 'aborted',
  ERR_LULL_BLOCKED_ADDRESS: 'blocked_address',
};

/** undici wraps what the socket said, and Node wraps several addresses' failures into one: the first known code on the way in counts. */
function transportCode(error: unknown, started: boolean): TransportCode {
  for (const each of causes(error)) {
    const code = 'code' in each && typeof each.code === 'string' ? each.code : '';
    const known = CODES[code];
    if (known !== undefined) return known;
    if (each.name === 'HTTPParserError') return 'protocol';
    if (!started && /^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|EPROTO)/.test(code)) return 'tls';
  }
  return 'transport';
}

function* causes(error: unknown): Generator<Error> {
  if (!(error instanceof Error)) return;
  yield error;
  if (error instanceof AggregateError) for (const each of error.errors) yield* causes(each);
  yield* causes(error.cause);
}
