import type { ServerResponse } from 'node:http';

/** What Fastify's `getHeaders` gives. */
export type Headers = Readonly<Record<string, string | number | string[] | undefined>>;

/** Beyond this a page does not read what it is sent; it is let go, comes back by itself and begins with a snapshot. */
const BEHIND_BYTES = 1024 * 1024;
const MOST = 32;

/** Server-sent events to every open page. */
export class Streams {
  readonly #open = new Set<ServerResponse>();

  open(response: ServerResponse, headers: Headers, event: string, data: object): void {
    if (this.#open.size >= MOST) {
      response.writeHead(503, headers).end();
      return;
    }
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(`retry: 1000\n${frame(event, data)}`);
    this.#open.add(response);
  }

  send(event: string, data: object): void {
    if (this.#open.size === 0) return;
    const text = frame(event, data);
    for (const response of this.#open) {
      if (response.writableLength > BEHIND_BYTES) response.destroy();
      else response.write(text);
    }
  }

  drop(response: ServerResponse): void {
    this.#open.delete(response);
  }

  end(): void {
    for (const response of this.#open) response.end(frame('end', {}));
    this.#open.clear();
  }
}

function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
