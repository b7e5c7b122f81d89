import { randomBytes } from 'node:crypto';
import { createReceiverKeys, decryptPush, type ReceiverKeys } from '../../../src/dev/push-service/decrypt.ts';
import { reply, startFakeServer, type Behaviour, type FakePost } from './fake-server.ts';

export interface WebPushPost {
  readonly subscriber: string;
  /** The decrypted JSON. */
  readonly payload: { readonly web_push?: number; readonly notification?: Record<string, unknown>; readonly data?: Record<string, string> };
  readonly commandId: string;
  readonly deviceId: string;
  readonly headers: FakePost['headers'];
}

export interface FakeWebPush {
  readonly origin: string;
  readonly ca: string;
  readonly posts: readonly WebPushPost[];
  /** POSTs per `commandId/deviceId`: the duplicate oracle. */
  counts(): ReadonlyMap<string, number>;
  readonly connections: () => number;
  /** A subscription with keys of its own, as the JSON that a device's value is. */
  subscribe(subscriber: string, extra?: Readonly<Record<string, unknown>>): string;
  stop(): Promise<void>;
}

/** A push service on a local TLS port which decrypts what it gets. `answer` says what happens to each POST; by default 201. */
export async function startFakeWebPush(answer: (post: WebPushPost, nth: number) => Behaviour = () => reply(201)): Promise<FakeWebPush> {
  const posts: WebPushPost[] = [];
  const counts = new Map<string, number>();
  const receivers = new Map<string, ReceiverKeys>();
  const server = await startFakeServer((raw) => {
    const post = parse(raw, receivers);
    posts.push(post);
    const nth = (counts.get(pair(post)) ?? 0) + 1;
    counts.set(pair(post), nth);
    return answer(post, nth);
  });
  return {
    origin: server.origin,
    ca: server.ca,
    posts,
    counts: () => counts,
    connections: server.connections,
    subscribe(subscriber, extra = {}) {
      const keys = createReceiverKeys(randomBytes(16));
      receivers.set(subscriber, keys);
      const p256dh = keys.ecdh.getPublicKey('base64url');
      return JSON.stringify({
        endpoint: `${server.origin}/push/${subscriber}`,
        keys: { p256dh, auth: keys.auth.toString('base64url') },
        ...extra,
      });
    },
    stop: () => server.stop(),
  };
}

const pair = (post: WebPushPost): string => `${post.commandId}/${post.deviceId}`;

function parse(raw: FakePost, receivers: ReadonlyMap<string, ReceiverKeys>): WebPushPost {
  const subscriber = raw.path.replace('/push/', '');
  const keys = receivers.get(subscriber);
  if (keys === undefined) throw new Error(`no subscriber ${subscriber}`);
  const payload = JSON.parse(decryptPush(raw.body, keys).toString('utf8')) as WebPushPost['payload'];
  const data = (payload.notification?.['data'] ?? payload.data ?? {}) as Record<string, string>;
  return { subscriber, payload, commandId: data['commandId'] ?? '', deviceId: data['deviceId'] ?? '', headers: raw.headers };
}
