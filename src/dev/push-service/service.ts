import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { BrowserSessions } from './browser-session.ts';
import { selfSigned } from './certificate.ts';
import { Counts, type PushServiceStats } from './counts.ts';
import { createReceiverKeys, decryptPush } from './decrypt.ts';
import { ENDPOINT_PATH, handleEndpoint } from './endpoint.ts';
import { Subscriptions } from './subscriptions.ts';
import { acceptWebSocket, type WebSocketConnection } from './websocket.ts';

export interface PushServiceOptions {
  /** Of the HTTPS endpoint; 0 (the default) lets the system choose. */
  readonly port?: number;
  /** Of the WebSocket that browsers connect to; 0 (the default) lets the system choose. */
  readonly wsPort?: number;
}

export interface VirtualSubscription {
  /** What a page would send to its server: endpoint and keys. The value of a device of kind `webpush`. */
  readonly value: string;
  /** From now on, POSTs are answered with 410. */
  unsubscribe(): void;
}

export interface Ack {
  readonly channelId: string;
  readonly version: string;
  /** 100: the service worker has had it; any other: the browser could not use it. */
  readonly code: number;
}

export interface PushService {
  /** For the SSRF guard's one development origin. */
  readonly endpointOrigin: string;
  /** For the browser's preference `dom.push.serverURL`. */
  readonly wsUrl: string;
  /** PEM: the endpoint's own authority, made at this start. */
  readonly ca: string;
  /** What browsers confirmed, oldest first; the latest 1,000. */
  readonly acks: readonly Ack[];
  stats(): PushServiceStats;
  /**
   * A device without a browser: it has keys of its own, and `onPayload` gets each message decrypted (`null` for one without a body). What cannot be
   * decrypted goes to `onError`.
   */
  createVirtualSubscription(options: {
    readonly onPayload: (payload: string | null) => void;
    readonly onError?: (error: Error) => void;
    /** `applicationServerKey`, base64url: other senders then get 403. */
    readonly key?: string;
  }): VirtualSubscription;
  stop(): Promise<void>;
}

const MAX_ACKS = 1_000;

/**
 * A push service for development and tests, on 127.0.0.1 only: browsers that are told to use it speak autopush's protocol with it over a WebSocket, senders
 * POST to it over HTTPS as to any other. It checks what real ones check (VAPID, TTL, size, encoding) and sees only ciphertext.
 */
export async function startPushService(options: PushServiceOptions = {}): Promise<PushService> {
  const { cert, key } = selfSigned(['127.0.0.1', 'localhost']);
  const subscriptions = new Subscriptions();
  const counts = new Counts();
  const acks: Ack[] = [];
  let origin = '';
  const endpointOf = (id: string): string => `${origin}${ENDPOINT_PATH}${id}`;
  const onAck = (channelId: string, version: string, code: number): void => {
    acks.push({ channelId, version, code });
    if (acks.length > MAX_ACKS) acks.shift();
  };
  const sessions = new BrowserSessions({ subscriptions, counts, endpointOf, onAck });
  const https = createTlsServer({ cert, key }, (request, response) =>
    handleEndpoint(request, response, { subscriptions, counts, origin: () => origin }),
  );
  const ws = createServer((_request, response) => response.writeHead(426).end('this port speaks WebSocket'));
  ws.on('upgrade', (request, socket: Socket, head) => {
    let connection: WebSocketConnection | undefined = undefined;
    const session = sessions.connect((message) => connection?.send(JSON.stringify(message)));
    connection = acceptWebSocket(request, socket, head, {
      onText: (text) => session.onMessage(parse(text)),
      onClose: session.onClose,
    });
  });
  const stopHttps = await listen(https, options.port ?? 0);
  const stopWs = await listen(ws, options.wsPort ?? 0).catch(async (error: unknown) => {
    await stopHttps();
    throw error;
  });
  origin = `https://127.0.0.1:${portOf(https)}`;
  return {
    endpointOrigin: origin,
    wsUrl: `ws://127.0.0.1:${portOf(ws)}/`,
    ca: cert,
    acks,
    stats: () => counts.stats({ subscriptions: subscriptions.size, browsers: sessions.connected }),
    createVirtualSubscription({ onPayload, onError, key: applicationServerKey }) {
      const keys = createReceiverKeys(randomBytes(16));
      const subscription = subscriptions.add(applicationServerKey ?? null, (message) => {
        try {
          const payload = message.body.length === 0 ? null : decryptPush(message.body, keys).toString('utf8');
          counts.received(payload === null ? null : parse(payload));
          counts.delivered();
          onPayload(payload);
        } catch (error) {
          onError?.(error instanceof Error ? error : new Error(String(error)));
        }
        // A device that is there confirms at once, whatever it makes of it.
        queueMicrotask(() => subscriptions.confirm(subscription, message.version));
        return true;
      });
      const value = {
        endpoint: endpointOf(subscription.id),
        keys: { p256dh: keys.ecdh.getPublicKey('base64url'), auth: keys.auth.toString('base64url') },
        ...(applicationServerKey !== undefined && { applicationServerKey }),
      };
      return { value: JSON.stringify(value), unsubscribe: () => subscriptions.remove(subscription.id) };
    },
    stop: async () => {
      await Promise.all([stopHttps(), stopWs()]);
    },
  };
}

async function listen(server: Server, port: number): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function parse(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
