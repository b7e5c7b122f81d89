import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { selfSigned } from '../../../src/dev/push-service/certificate.ts';

/** What the fake does with one POST. */
export type Behaviour =
  | { readonly kind: 'reply'; readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** Reads the request and never answers, until the server stops. */
  | { readonly kind: 'stall' }
  /** RST after the whole request has been read. */
  | { readonly kind: 'reset' }
  /** A clean FIN after the whole request has been read, without an answer. */
  | { readonly kind: 'fin' }
  /** Status and a part of the body, then RST. */
  | { readonly kind: 'cut'; readonly status: number; readonly body: string }
  /** Status, then a body without end. */
  | { readonly kind: 'endless'; readonly status: number }
  /** Holds the request until the promise resolves, then does what it says. */
  | { readonly kind: 'hold'; readonly until: Promise<Behaviour> };

export interface FakePost {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface FakeServer {
  readonly origin: string;
  readonly port: number;
  readonly ca: string;
  readonly connections: () => number;
  stop(): Promise<void>;
}

export const reply = (status: number, body = '', headers: Readonly<Record<string, string>> = {}): Behaviour => ({
  kind: 'reply',
  status,
  headers,
  body,
});

/** A server on 127.0.0.1 which does with each request what `onPost` says. */
export async function startFakeServer(
  onPost: (post: FakePost) => Behaviour,
  options: { readonly tls?: boolean } = {},
): Promise<FakeServer> {
  const tls = options.tls ?? true;
  const { cert, key } = selfSigned(['127.0.0.1', 'localhost']);
  let connections = 0;
  // Only a TCP socket can be reset; behind TLS the request has another one.
  const byPort = new Map<number | undefined, Socket>();
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('end', () => {
      const post = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
      void behave(onPost(post), request, response, () => byPort.get(request.socket.remotePort)?.resetAndDestroy());
    });
  };
  const server = tls ? createTlsServer({ cert, key }, handle) : createServer(handle);
  server.on('connection', (socket: Socket) => {
    connections++;
    const { remotePort } = socket;
    byPort.set(remotePort, socket);
    socket.on('error', () => {});
    socket.on('close', () => byPort.delete(remotePort));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    ca: cert,
    connections: () => connections,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of byPort.values()) socket.destroy();
      }),
  };
}

async function behave(behaviour: Behaviour, request: IncomingMessage, response: ServerResponse, reset: () => void): Promise<void> {
  switch (behaviour.kind) {
    case 'hold':
      return behave(await behaviour.until, request, response, reset);
    case 'stall':
      return;
    case 'reset':
      reset();
      return;
    case 'fin':
      request.socket.end();
      return;
    case 'cut':
      response.writeHead(behaviour.status, { 'content-length': String(behaviour.body.length + 1_000) });
      response.write(behaviour.body, () => setImmediate(reset));
      return;
    case 'endless': {
      response.writeHead(behaviour.status, { 'content-type': 'text/plain' });
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
      return;
    }
    case 'reply':
      response.writeHead(behaviour.status, behaviour.headers);
      response.end(behaviour.body ?? '');
  }
}
