import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Counts } from './counts.ts';
import type { Subscriptions } from './subscriptions.ts';
import { checkVapid } from './vapid-check.ts';

export const ENDPOINT_PATH = '/wpush/v2/';

/** What push services take at least, and Mozilla's at most. */
const MAX_BODY_BYTES = 4_096;
const MAX_TTL_S = 60 * 24 * 3_600;

interface Reply {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface EndpointOptions {
  readonly subscriptions: Subscriptions;
  readonly counts: Counts;
  readonly origin: () => string;
}

/** The side that application servers POST to (RFC 8030). */
export function handleEndpoint(request: IncomingMessage, response: ServerResponse, options: EndpointOptions): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  request.on('error', () => response.destroy());
  request.on('end', () => {
    const { status, reason, headers } =
      bytes > MAX_BODY_BYTES ? ({ status: 413 } as Reply) : answer(request, Buffer.concat(chunks), options);
    options.counts.answered(status);
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(status < 300 ? '' : JSON.stringify({ code: status, reason: reason ?? 'refused' }));
  });
}

function answer(request: IncomingMessage, body: Buffer, { subscriptions, origin }: EndpointOptions): Reply {
  const { pathname } = new URL(request.url ?? '/', 'https://localhost');
  if (request.method !== 'POST' || !pathname.startsWith(ENDPOINT_PATH)) return { status: 404 };
  const subscription = subscriptions.find(pathname.slice(ENDPOINT_PATH.length));
  if (subscription === undefined) return { status: 404, reason: 'unknown subscription' };
  if (subscription === 'gone') return { status: 410, reason: 'unsubscribed' };
  const vapid = checkVapid(request.headers.authorization, origin(), Date.now());
  if (vapid.fault !== null) return { status: 401, reason: vapid.fault };
  if (subscription.key !== null && subscription.key !== vapid.key)
    return { status: 403, reason: 'the key does not correspond to the sender ID of the subscription' };
  const ttl = request.headers['ttl'];
  if (typeof ttl !== 'string' || !/^\d+$/.test(ttl)) return { status: 400, reason: 'TTL is missing' };
  if (body.length > 0 && request.headers['content-encoding'] !== 'aes128gcm') return { status: 415, reason: 'not aes128gcm' };
  const topic = request.headers['topic'];
  if (topic !== undefined && (typeof topic !== 'string' || !/^[\w-]{1,32}$/.test(topic))) return { status: 400, reason: 'Topic' };
  const ttlS = Math.min(Number(ttl), MAX_TTL_S);
  const version = randomUUID();
  subscriptions.accept(subscription, { version, body, topic: topic ?? null, expiresAtMs: Date.now() + ttlS * 1_000 });
  return { status: 201, headers: { ttl: String(ttlS), location: `${origin()}/m/${version}` } };
}
