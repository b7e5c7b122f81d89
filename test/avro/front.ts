import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { registryUrl } from '../setup/env.ts';

/** A server in front of the real registry: it counts, and does to a request what a test needs before it passes it on. */
export interface Front extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
}

export interface FrontOptions {
  /** True: it has answered (or never will). */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly rewritePath?: (path: string) => string;
}

export async function startFront(options: FrontOptions = {}): Promise<Front> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (options.intercept?.(request, response) === true) return;
    void passOn(request, response, options.rewritePath);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function passOn(request: IncomingMessage, response: ServerResponse, rewritePath = (path: string): string => path): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const answer = await fetch(`${registryUrl()}${rewritePath(request.url ?? '')}`, {
    method: request.method ?? 'GET',
    headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
  response.end(Buffer.from(await answer.arrayBuffer()));
}
